package owner

import (
	"net/netip"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// Numbers of Linux, which other systems do not share (include/linux/socket.h,
// include/uapi/linux/in.h).
const (
	inet, inet6    = 2, 10    // AF_INET, AF_INET6
	tcp, udp       = 6, 17    // IPPROTO_TCP, IPPROTO_UDP
	icmp, icmp6    = 1, 58    // IPPROTO_ICMP, IPPROTO_ICMPV6
	udplite, rawIP = 136, 255 // IPPROTO_UDPLITE, IPPROTO_RAW

	synReceived = 3 // TCP_SYN_RECV of include/net/tcp_states.h
)

// Addresses of sockets that are not bound to one.
var any4, any6 = netip.IPv4Unspecified().As16(), netip.IPv6Unspecified().As16()

// A tuple is the protocol and the addresses by which the kernel finds the socket of a packet. Remote is
// zero if the socket is not connected.
type tuple struct {
	protocol      uint8
	local, remote host.Endpoint
}

// A row is a socket of a table.
type row struct {
	inode  uint64 // 0 if no process has it open
	state  uint8  // as in include/net/tcp_states.h
	family uint16 // inet or inet6
}

// A table has the sockets of a protocol in a network namespace, and the addresses of that.
type table struct {
	rows      map[tuple]row
	addresses *host.Addresses
}

// files are the files in /proc/PID/net that list the sockets of a protocol over IPv4; those over IPv6
// have a 6 behind the name.
var files = map[uint8]string{tcp: "tcp", udp: "udp", udplite: "udplite", rawIP: "raw"}

// readTable reads the table of the network namespace of a process.
func readTable(h *host.Host, pid uint32, protocol uint8) *table {
	t := &table{rows: make(map[tuple]row), addresses: h.Addresses(pid)}
	h.EachSocket(pid, host.SocketTable{Name: files[protocol]}, func(s host.Socket) { t.add(&s, protocol, inet) })
	h.EachSocket(pid, host.SocketTable{Name: files[protocol] + "6", IPv6: true}, func(s host.Socket) { t.add(&s, protocol, inet6) })
	return t
}

// add adds a socket. Of several with the same addresses, which share a port (SO_REUSEPORT), the first
// stays. Half-open connections are left out: no process has them open, and their packets belong to the
// listening socket.
func (t *table) add(s *host.Socket, protocol uint8, family uint16) {
	if s.Inode == 0 && s.State == synReceived {
		return
	}
	if s.Remote.Addr == any4 || s.Remote.Addr == any6 {
		s.Remote = host.Endpoint{}
	}
	k := tuple{protocol, s.Local, s.Remote}
	if _, known := t.rows[k]; !known {
		t.rows[k] = row{s.Inode, s.State, family}
	}
}

// match sets s to the socket for packets between two addresses, the most specific one as in the kernel,
// and reports whether there is one. An IPv6 socket that is bound to no address also receives IPv4, unless
// it has IPV6_V6ONLY, which no file shows.
func (t *table) match(protocol uint8, local, remote host.Endpoint, s *event.Socket) bool {
	if t.get(tuple{protocol, local, remote}, s) || t.get(tuple{protocol, local, host.Endpoint{}}, s) {
		return true
	}
	bound := func(addr [16]byte) tuple {
		return tuple{protocol, host.Endpoint{Addr: addr, Port: local.Port}, host.Endpoint{}}
	}
	return t.addresses.Has(local.Addr) &&
		(netip.AddrFrom16(local.Addr).Is4In6() && t.get(bound(any4), s) || t.get(bound(any6), s))
}

// get sets s to the socket of a tuple, and reports whether there is one.
func (t *table) get(k tuple, s *event.Socket) bool {
	r, ok := t.rows[k]
	if !ok {
		return false
	}
	*s = event.Socket{
		Inode: r.inode, State: event.SocketState(r.state), Family: r.family, Protocol: uint16(k.protocol),
		Local: addrPort(k.local, r.family), Remote: addrPort(k.remote, r.family), Confidence: event.Likely,
	}
	if k.protocol == rawIP {
		s.Protocol = k.local.Port
	}
	return true
}

// addrPort returns the address as a socket of that family has it.
func addrPort(e host.Endpoint, family uint16) netip.AddrPort {
	a := netip.AddrFrom16(e.Addr)
	switch {
	case family == inet && e == (host.Endpoint{}):
		a = netip.IPv4Unspecified()
	case family == inet:
		a = a.Unmap()
	}
	return netip.AddrPortFrom(a, e.Port)
}
