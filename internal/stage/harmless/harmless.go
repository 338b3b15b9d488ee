// Package harmless recognises the packets that the kernel frees with kfree_skb, which
// reports them as drops, although nothing was lost.
package harmless

import (
	"encoding/binary"
	"slices"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/pipeline"
)

// Why nothing was lost, as Event.Harmless has it.
const (
	OrderlyClose  = "the FIN of a connection that was closed in order"
	UnreadError   = "an ICMP error or a timestamp that its socket did not read before it was closed"
	OwnBroadcast  = "this host's own copy of a broadcast or multicast that it sent, which nobody here listens for"
	QueueMessage  = "the netlink message about a packet for NFQUEUE; the packet has a drop of its own"
	RouteLookup   = "the packet that the kernel makes to answer ip route get"
	UnreadCapture = "a copy for a packet capture that was closed before it was read"
)

// ByStack are the functions of the kernel image where the stack trace of a drop shows
// that nothing was lost, without a byte of the packet.
var ByStack = []string{killQueues, attachMessage, sendMessage}

const (
	killQueues     = "sk_stream_kill_queues"
	destroySocket  = "inet_csk_destroy_sock"
	enqueueMessage = "__nfqnl_enqueue_packet"
	attachMessage  = "netlink_attachskb"
	sendMessage    = "netlink_unicast"
)

// Stage sets Event.Harmless, unless the source has. It uses what symbols, packet
// decoding and the source say, so it comes after the stages of the first two. It calls
// own for the addresses of this host, once a second at most.
func Stage(own func() *host.Addresses) pipeline.Stage {
	s := &stage{read: own}
	return func(e *event.Event) bool {
		if e.Kind == event.Drop && e.Harmless == "" {
			e.Harmless = s.why(e)
		}
		return true
	}
}

// A stage is the pipeline.Stage. It reads the addresses of the host again from time to time.
type stage struct {
	read func() *host.Addresses // must not take long: it is called for events
	own  *host.Addresses        // of this network namespace
	at   time.Time              // when own was read
}

// why returns why nothing was lost by a drop, nothing if a packet was, or if that is
// not known: data that was not read before its socket was closed is lost.
func (s *stage) why(e *event.Event) string {
	switch p := &e.Packet; {
	case isQueueMessage(e):
		return QueueMessage
	case slices.Contains(routeLookups, function(e)):
		return RouteLookup
	case e.Reason == "NO_SOCKET" || slices.Contains(noSocket, function(e)):
		if p.Type == event.PacketLoopback || p.Type == event.PacketTypeUnknown && s.isOwnCopy(p) {
			return OwnBroadcast
		}
	case isLateFIN(e):
		return OrderlyClose
	case !isPurge(e):
	case p.Traits.Has(event.ToCapture) || calledBy(e, "packet_release"):
		return UnreadCapture
	case p.Traits.Has(event.InErrorQueue) || isErrorOfOther(p.Flow):
		return UnreadError
	case p.Traits.Has(event.NoPayload) || isFINAlone(p) || isOrphanPurge(e):
		return OrderlyClose
	}
	return ""
}

// noSocket are the functions that drop a datagram that no socket is bound for.
var noSocket = []string{
	"udp_rcv", "__udp4_lib_rcv", "__udp4_lib_mcast_deliver", "udpv6_rcv", "__udp6_lib_rcv", "__udp6_lib_mcast_deliver",
}

// routeLookups are the functions that answer ip route get, for which they make a packet
// of their own; they free it with a reason of none if there is no route.
var routeLookups = []string{"inet_rtm_getroute", "inet6_rtm_getroute"}

// purges are the functions that empty the queues of a socket that is closed. Kernels
// since 6.9 have a reason for it.
var purges = []string{
	killQueues, "inet_sock_destruct", "skb_queue_purge", "skb_queue_purge_reason", "tcp_disconnect",
}

// isPurge reports whether a queue was emptied, as with its socket: by its reason, which only newer kernels give, or else by
// the function.
func isPurge(e *event.Event) bool {
	return e.Reason == "QUEUE_PURGE" || slices.Contains(purges, function(e))
}

// isQueueMessage recognises the copy of a packet for NFQUEUE in a netlink message,
// where the queue or the receive buffer of its program is full.
func isQueueMessage(e *event.Event) bool {
	switch function(e) {
	case enqueueMessage:
		return true
	case attachMessage, sendMessage:
		return e.Packet.Traits.Has(event.QueueMessage) || hasQueueMessage(&e.Packet) || calledBy(e, enqueueMessage)
	}
	return false
}

// hasQueueMessage recognises the header of a netlink message (struct nlmsghdr) where a
// packet would have its own.
func hasQueueMessage(p *event.Packet) bool {
	const packetOfQueue = 3 << 8 // NFNL_SUBSYS_QUEUE, NFQNL_MSG_PACKET
	return p.Proto == 0 && len(p.Data) >= 6 && binary.NativeEndian.Uint16(p.Data[4:]) == packetOfQueue
}

// isOrphanPurge recognises the end of a TCP socket that its program has closed. Data
// that was there then has been freed without an event, and the kernel answers later
// data with a reset (TCPAbortOnData): what is left to purge is the peer's FIN. Other
// protocols, such as MPTCP, reach the purge by other functions. A length is of a source that knows better.
func isOrphanPurge(e *event.Event) bool {
	return !e.Packet.HasLen && function(e) == killQueues && len(e.Stack) > 1 && event.FunctionOf(e.Stack[1].Symbol) == destroySocket
}

// isOwnCopy recognises the copy that a host makes for itself of a broadcast that it
// sends: it has no MAC header yet, and is from and to addresses of this host. One that
// came in by an interface without MAC headers is from another.
func (s *stage) isOwnCopy(p *event.Packet) bool {
	f := p.Flow
	if f == nil || p.Link != event.LinkRaw || !f.Has(event.FieldSrc|event.FieldDst) || f.Src.IsMulticast() {
		return false
	}
	if now := time.Now(); now.Sub(s.at) > time.Second {
		s.own, s.at = s.read(), now
	}
	return s.own.Has(f.Src.As16()) && s.own.Has(f.Dst.As16())
}

// isLateFIN recognises a FIN that came when its connection was in TIME-WAIT here. The
// kernel answers and frees it, for no reason, where a segment without a socket has one
// (net/ipv4/tcp_ipv4.c tcp_v4_rcv, do_time_wait; since Linux 5.17).
func isLateFIN(e *event.Event) bool {
	return e.Reason == event.NotSpecified && slices.Contains([]string{"tcp_v4_rcv", "tcp_v6_rcv"}, function(e)) && isFINAlone(&e.Packet)
}

// isErrorOfOther recognises an ICMP error about a packet of TCP or UDP. The kernel has
// acted on it; a socket has only a copy.
func isErrorOfOther(f *event.Flow) bool {
	return f != nil && (f.Transport == event.ICMP || f.Transport == event.ICMPv6) &&
		(f.Quoted.Transport == event.TCP || f.Quoted.Transport == event.UDP)
}

// isFINAlone recognises a segment that has a FIN and no data.
func isFINAlone(p *event.Packet) bool {
	f := p.Flow
	if f == nil || f.Transport != event.TCP || f.TCPFlags&event.FIN == 0 || f.Stop.Why != event.Complete || f.Tunnel.Kind != event.NoLayer {
		return false
	}
	link := 0
	if p.Link == event.LinkEthernet {
		link = 14
	}
	for _, tag := range []event.Fields{event.FieldVLAN, event.FieldVLANInner} {
		if p.Link == event.LinkEthernet && f.Has(tag) {
			link += 4
		}
	}
	return f.Has(event.FieldTotalLen) && int(f.TotalLen) == f.Stop.Offset-link
}

// function returns the name of the function that a packet was dropped in.
func function(e *event.Event) string {
	if e.Where.Lookup == event.Found {
		return event.FunctionOf(e.Where.Symbol)
	}
	return event.FunctionOf(e.Where.Kernel)
}

// calledBy reports whether a function is in the stack trace; false, too, if there is none.
func calledBy(e *event.Event, name string) bool {
	return slices.ContainsFunc(e.Stack, func(f event.Frame) bool { return event.FunctionOf(f.Symbol) == name })
}
