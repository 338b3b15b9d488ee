package counters

import (
	"fmt"
	"net"
	"net/netip"

	"dropwatch/internal/kernel"
)

// inetDiagV6Only is INET_DIAG_SKV6ONLY (include/uapi/linux/inet_diag.h): 1 if a socket of IPv6 takes
// no packets of IPv4.
const inetDiagV6Only = 11

// A Listener is a socket that accepts packets which are of no connection: one of TCP that listens, or one of UDP.
type Listener struct {
	Local  netip.AddrPort `json:"local"`            // an unspecified address: all addresses of the host
	Remote netip.AddrPort `json:"remote,omitzero"`  // the peer of one of UDP, whose packets alone it accepts; zero: of anybody
	IfName string         `json:"ifname,omitempty"` // it takes only packets of this interface; empty: of any
	Inode  uint64         `json:"inode"`            // by which its process is found
	V6Only bool           `json:"v6only,omitempty"` // no IPv4 packets (IPV6_V6ONLY)
}

// Listeners returns the sockets of tcp or udp in the network namespace of the calling thread
// that accept packets to a port, by sock_diag.
func Listeners(protocol string, port uint16) (all []Listener, err error) {
	const connected, unconnected = 1, 7 // TCP_ESTABLISHED and TCP_CLOSE, the states of a socket of UDP with a peer and without
	for _, t := range socketTables {
		state := uint32(1 << stateListen)
		if t.name != "tcp" {
			state = 1<<connected | 1<<unconnected
		}
		if t.name != protocol {
			continue
		}
		err := ifThere(sockets(inetDiagRequest(t.family, t.protocol, state), func(message []byte) error {
			s, err := parseInetDiag(message)
			if err == nil && s.local.Port() == port {
				all = append(all, s.listener(message[sizeofInetDiagMsg:]))
			}
			return err
		}))
		if err != nil {
			return all, err
		}
	}
	return all, nil
}

// listener is the socket as one that accepts packets, by the attributes of its message.
func (s *inetSocket) listener(attributes []byte) Listener {
	l := Listener{Local: s.local, Inode: uint64(s.inode)}
	if s.remote.Port() != 0 {
		l.Remote = s.remote
	}
	if only := kernel.Attribute(attributes, inetDiagV6Only); len(only) > 0 {
		l.V6Only = only[0] == 1
	}
	if s.ifindex != 0 {
		l.IfName = fmt.Sprintf("if%d", s.ifindex) // as ss has one without a name
		if device, err := net.InterfaceByIndex(int(s.ifindex)); err == nil {
			l.IfName = device.Name
		}
	}
	return l
}

// String is the address as ss has it: "0.0.0.0%eth1:53".
func (l *Listener) String() string {
	if l.IfName == "" {
		return l.Local.String()
	}
	return fmt.Sprintf("%v%%%s:%d", l.Local.Addr(), l.IfName, l.Local.Port())
}

// AcceptsFrom reports whether the socket accepts packets of a sender, wherever they go.
func (l *Listener) AcceptsFrom(src netip.AddrPort) bool {
	peer := netip.AddrPortFrom(l.Remote.Addr().Unmap(), l.Remote.Port())
	return !l.Remote.IsValid() || peer == netip.AddrPortFrom(src.Addr().Unmap(), src.Port())
}

// Accepts reports whether the socket accepts packets to an address and port that come by an
// interface, of some sender at least; an empty name is of any interface.
func (l *Listener) Accepts(to netip.AddrPort, ifname string) bool {
	local, addr := l.Local.Addr(), to.Addr().Unmap()
	if l.Local.Port() != to.Port() || l.IfName != "" && ifname != "" && l.IfName != ifname {
		return false
	}
	if local.IsUnspecified() {
		return local.Is4() == addr.Is4() || local.Is6() && !l.V6Only
	}
	return local.Unmap() == addr
}
