package owner

import (
	"net/netip"

	"dropwatch/internal/event"
)

// packetSocket is AF_PACKET.
const packetSocket = 17

// queuePurge is the reason of packets that were in a queue of a socket when it was closed.
const queuePurge = "QUEUE_PURGE"

// setDirection sets whether the socket that the kernel named was to receive the packet or has sent
// it. The kernel names the receiver of a packet in a receive queue and the sender of others, without
// saying which: the addresses of packet and socket decide. If they match both ways or neither, what
// the source stated stays.
func setDirection(e *event.Event) {
	s := e.Owner.Socket
	switch {
	case s.Family == packetSocket:
		// Such a socket has a queue only of what it receives.
		s.Receiver = s.Receiver || e.Reason == queuePurge
	case (s.Family == inet || s.Family == inet6) && e.Packet.Flow != nil:
		to, from := received(s, e.Packet.Flow), sent(s, &e.Packet.Flow.Headers)
		if to != from {
			s.Receiver = to
		}
	}
}

// received reports whether a packet was for a socket: to its address, or an ICMP error about a packet
// that the socket sent.
func received(s *event.Socket, f *event.Flow) bool {
	if f.Protocol == icmp || f.Protocol == icmp6 {
		return sent(s, &f.Quoted)
	}
	src, dst, ok := addresses(&f.Headers)
	return ok && fits(s.Local, dst) && fits(s.Remote, src)
}

// sent reports whether a packet was from the address of a socket.
func sent(s *event.Socket, h *event.Headers) bool {
	src, dst, ok := addresses(h)
	return ok && fits(s.Local, src) && fits(s.Remote, dst)
}

// addresses returns source and destination of a packet. Ok is false if it has no ports, without which
// nothing can be decided.
func addresses(h *event.Headers) (src, dst netip.AddrPort, ok bool) {
	const all = event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort
	return netip.AddrPortFrom(h.Src, h.SrcPort), netip.AddrPortFrom(h.Dst, h.DstPort), h.Has(all)
}

// fits reports whether an address of a packet matches that of a socket. A socket that is not bound or
// connected matches all.
func fits(socket, packet netip.AddrPort) bool {
	addr := socket.Addr().Unmap()
	return (socket.Port() == 0 || socket.Port() == packet.Port()) &&
		(!addr.IsValid() || addr.IsUnspecified() || addr == packet.Addr().Unmap())
}
