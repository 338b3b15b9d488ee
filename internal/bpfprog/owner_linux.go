package bpfprog

import (
	"net/netip"
	"structs"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
)

// An Owner is struct owner of socket.h. A pointer to the type that bpf2go generates for it can be
// converted.
type Owner struct {
	_                structs.HostLayout
	Cookie           uint64 // or the socket's address; 0: there is no socket
	Inode, Cgroup    uint64 // of the socket; 0: not known
	Family, Protocol uint16
	LocalPort        uint16    // in host byte order
	RemotePort       uint16    // likewise
	Local, Remote    [16]uint8 // IPv4 uses the first four bytes
	State, Receiver  uint8
	Pad              [6]uint8 // so that it has the size of the struct in C
}

// Socket returns the socket, which the kernel named. Its Cookie is what id returns for that of the
// kernel, or for its address.
func (o *Owner) Socket(id func(cookieOrAddress uint64) uint64) event.Socket {
	s := event.Socket{
		Cookie: id(o.Cookie), Inode: o.Inode, Family: o.Family, Protocol: o.Protocol,
		State: event.SocketState(o.State), Receiver: o.Receiver != 0, Confidence: event.Certain,
	}
	switch o.Family {
	case unix.AF_INET:
		s.Local = netip.AddrPortFrom(netip.AddrFrom4([4]byte(o.Local[:])), o.LocalPort)
		s.Remote = netip.AddrPortFrom(netip.AddrFrom4([4]byte(o.Remote[:])), o.RemotePort)
	case unix.AF_INET6:
		s.Local = netip.AddrPortFrom(netip.AddrFrom16(o.Local), o.LocalPort)
		s.Remote = netip.AddrPortFrom(netip.AddrFrom16(o.Remote), o.RemotePort)
	}
	return s
}
