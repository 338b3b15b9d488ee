package owner

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"math"
	"net/netip"
	"os"
	"slices"
	"strconv"

	"dropwatch/internal/event"
)

// maxRows is how many sockets are read of each file, and maxRoutes how many bytes
// of the routes. Those that listen are the first of TCP.
const (
	maxRows   = 1 << 16
	maxRoutes = 4 << 20
)

// What Linux calls these, wherever this is built (include/linux/socket.h,
// include/uapi/linux/in.h).
const (
	inet, inet6    = 2, 10
	tcp, udp       = 6, 17
	icmp, icmp6    = 1, 58
	udplite, rawIP = 136, 255

	synReceived = 3 // TCP_SYN_RECV of include/net/tcp_states.h
)

// An end is an address, of IPv4 as IPv6 has it, and a port.
type end struct {
	addr [16]byte
	port uint16
}

// The addresses of sockets that are bound to none.
var any4, any6 = netip.IPv4Unspecified().As16(), netip.IPv6Unspecified().As16()

// A tuple is what a packet finds a socket by. The far end is zero if the socket is
// not connected; of a raw socket the port is the protocol.
type tuple struct {
	protocol  uint8
	near, far end
}

// A row is a socket of a table.
type row struct {
	inode  uint64 // 0 if nobody has it open
	state  uint8
	family uint16
}

// A table holds the sockets that a network namespace has of a protocol, and its
// addresses.
type table struct {
	rows     map[tuple]row
	own      map[[16]byte]bool
	prefixes []netip.Prefix // that are all its own
}

// files are those of /proc/PID/net that list sockets: of IPv4, and with a 6 of IPv6.
var files = map[uint8]string{tcp: "tcp", udp: "udp", udplite: "udplite", rawIP: "raw"}

// readTable reads the folder net of a process.
func readTable(dir string, protocol uint8) *table {
	t := &table{rows: make(map[tuple]row), own: make(map[[16]byte]bool)}
	t.addFile(dir+"/"+files[protocol], protocol, inet)
	t.addFile(dir+"/"+files[protocol]+"6", protocol, inet6)
	var last netip.Addr
	eachLine(dir+"/fib_trie", maxRoutes, func(line []byte) bool {
		last = t.addRoute(line, last)
		return true
	})
	eachLine(dir+"/if_inet6", math.MaxInt64, func(line []byte) bool {
		var addr [16]byte
		if n, err := hex.Decode(addr[:], line[:min(2*len(addr), len(line))]); err == nil && n == len(addr) {
			t.own[addr] = true
		}
		return true
	})
	return t
}

// eachLine reads a file, no more of it than most bytes, until use has enough. A
// file that is not there has no lines.
func eachLine(path string, most int64, use func([]byte) bool) {
	f, err := os.Open(path)
	if err != nil {
		return
	}
	defer f.Close()
	for s := bufio.NewScanner(io.LimitReader(f, most)); s.Scan() && use(s.Bytes()); {
	}
}

func (t *table) addFile(path string, protocol uint8, family uint16) {
	room := maxRows
	eachLine(path, math.MaxInt64, func(line []byte) bool {
		t.addRow(line, protocol, family)
		room--
		return room > 0
	})
}

// addRow adds what get_tcp4_sock and its like print of a socket: a number, the near
// end, the far end, the state, and as the seventh after that the inode. Of several
// with the same ends, which share a port (SO_REUSEPORT), the first stays. A half-open
// connection has no file: what comes for it is for the socket that listens.
func (t *table) addRow(line []byte, protocol uint8, family uint16) {
	var fields [10][]byte
	for i := range fields {
		line = bytes.TrimLeft(line, " ")
		fields[i], line, _ = bytes.Cut(line, []byte(" "))
	}
	near, ok := parseEnd(fields[1], family)
	far, ok2 := parseEnd(fields[2], family)
	state, err := strconv.ParseUint(string(fields[3]), 16, 8)
	inode, err2 := strconv.ParseUint(string(fields[9]), 10, 64)
	if !ok || !ok2 || err != nil || err2 != nil || inode == 0 && state == synReceived {
		return
	}
	if far.addr == any4 || far.addr == any6 {
		far = end{}
	}
	k := tuple{protocol, near, far}
	if _, known := t.rows[k]; !known {
		t.rows[k] = row{inode, uint8(state), family}
	}
}

// parseEnd reads an address in words of the host's byte order, and a port.
func parseEnd(s []byte, family uint16) (e end, ok bool) {
	const v4 = 4
	addr, port, _ := bytes.Cut(s, []byte(":"))
	n, err := strconv.ParseUint(string(port), 16, 16)
	size := len(e.addr)
	if family == inet {
		size = v4
	}
	if err != nil || len(addr) != 2*size {
		return e, false
	}
	var raw [16]byte
	if _, err := hex.Decode(raw[:], addr); err != nil {
		return e, false
	}
	for i := 0; i < size; i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	e = end{raw, uint16(n)}
	if family == inet {
		e.addr = netip.AddrFrom4([v4]byte(raw[:])).As16()
	}
	return e, true
}

// addRoute reads a line of fib_trie. An address, that it gives back, is before the
// lines of its prefixes: "|-- 127.0.0.0", "/8 host LOCAL".
func (t *table) addRoute(line []byte, last netip.Addr) netip.Addr {
	line = bytes.TrimLeft(line, " ")
	if s, ok := bytes.CutPrefix(line, []byte("|-- ")); ok {
		last, _ = netip.ParseAddr(string(s))
		return last
	}
	length, kind, _ := bytes.Cut(bytes.TrimPrefix(line, []byte("/")), []byte(" "))
	if !bytes.HasSuffix(kind, []byte(" LOCAL")) && !bytes.HasSuffix(kind, []byte(" BROADCAST")) {
		return last
	}
	bits, _ := strconv.Atoi(string(length))
	switch p, err := last.Prefix(bits); {
	case err != nil || !p.IsValid():
	case p.IsSingleIP():
		t.own[last.As16()] = true
	case !slices.Contains(t.prefixes, p): // the trie is there once for each table
		t.prefixes = append(t.prefixes, p)
	}
	return last
}

// has says whether packets to an address stay in the namespace.
func (t *table) has(addr [16]byte) bool {
	a := netip.AddrFrom16(addr).Unmap()
	return t.own[addr] || a.IsMulticast() || a == netip.AddrFrom4([4]byte{255, 255, 255, 255}) ||
		slices.ContainsFunc(t.prefixes, func(p netip.Prefix) bool { return p.Contains(a) })
}

// match finds the socket that packets between two ends are of, the most specific as
// the kernel does. A socket of IPv6 that is bound to no address takes IPv4, too,
// unless it has IPV6_V6ONLY, which no file tells.
func (t *table) match(protocol uint8, near, far end, s *event.Socket) bool {
	if t.get(tuple{protocol, near, far}, s) || t.get(tuple{protocol, near, end{}}, s) {
		return true
	}
	return t.has(near.addr) &&
		(netip.AddrFrom16(near.addr).Is4In6() && t.get(tuple{protocol, end{any4, near.port}, end{}}, s) ||
			t.get(tuple{protocol, end{any6, near.port}, end{}}, s))
}

func (t *table) get(k tuple, s *event.Socket) bool {
	r, ok := t.rows[k]
	if !ok {
		return false
	}
	*s = event.Socket{
		Inode: r.inode, State: event.SocketState(r.state), Family: r.family, Protocol: uint16(k.protocol),
		Local: k.near.addrPort(r.family), Remote: k.far.addrPort(r.family), Confidence: event.Likely,
	}
	if k.protocol == rawIP {
		s.Protocol = k.near.port
	}
	return true
}

func (e end) addrPort(family uint16) netip.AddrPort {
	a := netip.AddrFrom16(e.addr)
	switch {
	case family == inet && e == (end{}):
		a = netip.IPv4Unspecified()
	case family == inet:
		a = a.Unmap()
	}
	return netip.AddrPortFrom(a, e.port)
}
