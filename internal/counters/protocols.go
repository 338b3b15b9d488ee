package counters

import (
	"errors"
	"io/fs"
	"strconv"
	"strings"
)

// netFile is a file of the calling thread's network namespace. /proc/net would be
// that of the process's first thread.
func netFile(name string) string { return "proc/thread-self/net/" + name }

// protocols reads the counters of IP, ICMP, TCP, UDP and their kin
// (net/ipv4/proc.c, net/ipv6/proc.c). A kernel without one of the files, or of one
// protocol, has the others.
func (r *reading) protocols() error {
	return errors.Join(
		r.lines("snmp", r.pairs),
		r.lines("netstat", r.pairs),
		r.lines("snmp6", r.singles),
		r.lines("sctp/snmp", r.singles),
	)
}

// lines reads a file, which need not be there.
func (r *reading) lines(name string, parse func(text string)) error {
	text, err := r.host.ReadFile(netFile(name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		parse(string(text))
	}
	return err
}

// constants are what a file of counters has that counts nothing: a limit, or the
// present number of connections (tcpCurrEstab).
var constants = map[string]bool{
	"IpForwarding": true, "IpDefaultTTL": true,
	"TcpRtoAlgorithm": true, "TcpRtoMin": true, "TcpRtoMax": true, "TcpMaxConn": true, "TcpCurrEstab": true,
	"SctpCurrEstab": true, "SctpRtoAlgorithm": true,
}

// pairs reads lines of names, each followed by one of values:
//
//	TcpExt: SyncookiesSent SyncookiesRecv
//	TcpExt: 0 3
func (r *reading) pairs(text string) {
	rest := text
	for rest != "" {
		var names, values string
		names, rest, _ = strings.Cut(rest, "\n")
		values, rest, _ = strings.Cut(rest, "\n")
		prefix, names, ok := strings.Cut(names, ":")
		values, same := strings.CutPrefix(values, prefix+":")
		if !ok || !same {
			return
		}
		fields := strings.Fields(values)
		for i, name := range strings.Fields(names) {
			if i < len(fields) {
				r.protocol(prefix+name, fields[i])
			}
		}
	}
}

// singles reads lines of a name and a value.
func (r *reading) singles(text string) {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 {
			r.protocol(f[0], f[1])
		}
	}
}

// protocol adds a counter of a protocol. What is no number, or is a setting among the counters, is left out.
func (r *reading) protocol(name, value string) {
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil || constants[name] { // TcpMaxConn is -1
		return
	}
	r.add(Counter{Key: Key{Name: name}, Value: n})
}

// xfrm reads the counters of IPsec (net/xfrm/xfrm_proc.c).
func (r *reading) xfrm() error {
	return r.lines("xfrm_stat", r.singles)
}
