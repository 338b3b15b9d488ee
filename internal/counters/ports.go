package counters

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"dropwatch/internal/kernel"
)

// connectedStates are the states of TCP in which a connection has its local port for itself: all but those of sockets that
// listen, and of closed ones, which have no peer.
const connectedStates = tcpStates&^(1<<7|1<<stateListen) | 1<<6

// A portUse is who shares local ports: each port is once there for an address and its peer (net/ipv4/inet_hashtables.c
// __inet_hash_connect).
type portUse struct {
	local  netip.Addr
	remote netip.AddrPort
}

// localPorts adds as a level how many local ports the TCP connections of an address to one peer use, where that is nearly
// all: without a free one a program cannot connect. It looks at the connections only where there are enough of them.
func (r *reading) localPorts() error {
	first, last, ok := r.portRange()
	if !ok || r.connections() < nearly(uint64(last)-uint64(first)+1) {
		return nil
	}
	limit := uint64(last) - uint64(first) + 1
	used, err := make(map[portUse]uint64), error(nil)
	for _, family := range []uint8{kernel.AFInet, kernel.AFInet6} {
		err = errors.Join(err, ifThere(sockets(inetDiagRequest(family, 6, connectedStates), func(message []byte) error {
			s, err := parseInetDiag(message)
			if port := s.local.Port(); err == nil && s.remote.Port() != 0 && first <= port && port <= last {
				used[portUse{s.local.Addr().Unmap(), netip.AddrPortFrom(s.remote.Addr().Unmap(), s.remote.Port())}]++
			}
			return err
		})))
	}
	for use, n := range used {
		if n >= nearly(limit) {
			r.add(Counter{
				Key: Key{Object: fmt.Sprintf("tcp %v to %v", use.local, use.remote), Name: "local_ports"}, Value: n, Gauge: true,
				Limit: nearly(limit), Sparse: true,
			})
		}
	}
	return err
}

// nearly is 95 % of a number of ports: more are seldom in use at once, as some become free while programs fail to get one.
func nearly(ports uint64) uint64 { return max(ports*95/100, 1) }

// portRange is from which port to which connections get theirs; false if that is not known.
func (r *reading) portRange() (first, last uint16, ok bool) {
	text, _ := r.host.Sysctl("net/ipv4/ip_local_port_range")
	f := strings.Fields(text)
	if len(f) != 2 {
		return 0, 0, false
	}
	from, err1 := strconv.ParseUint(f[0], 10, 16)
	to, err2 := strconv.ParseUint(f[1], 10, 16)
	return uint16(from), uint16(to), err1 == nil && err2 == nil && from <= to
}

// connections is how many TCP sockets there are, with those in TIME-WAIT, as sockstat has them: "TCP: inuse 4 orphan 0 tw 2".
func (r *reading) connections() (n uint64) {
	for _, file := range []string{"sockstat", "sockstat6"} {
		text, _ := r.host.ReadFile(netFile(file))
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) == 0 || f[0] != "TCP:" && f[0] != "TCP6:" {
				continue
			}
			for i := 1; i+1 < len(f); i += 2 {
				if v, err := strconv.ParseUint(f[i+1], 10, 64); err == nil && (f[i] == "inuse" || f[i] == "tw") {
					n += v
				}
			}
		}
	}
	return n
}
