package live

import (
	"net/netip"

	"dropwatch/internal/event"
)

// A segmentKey has what distinguishes kinds of what TCP did.
type segmentKey struct {
	kind      event.Kind // Retransmit, Reset or TCPEvent; 0 of other events
	peer      netip.Addr // not valid: not known
	direction event.Direction
	what      event.SegmentType // why it was sent again
	fate      event.Fate        // what became of the one before it
}

// segmentKeyOf returns the zero value for an event without a segment, such as a drop.
func segmentKeyOf(e *event.Event) segmentKey {
	s := e.Segment
	if s == nil {
		return segmentKey{}
	}
	return segmentKey{e.Kind, peerOf(e), s.Direction, s.Type, s.Fate}
}

// peerOf returns the address of the other end of a connection. If it is not known which end is
// this host, as in a capture file, the sender counts as this host.
func peerOf(e *event.Event) netip.Addr {
	switch f := e.Packet.Flow; {
	case f == nil:
		return netip.Addr{}
	case e.Segment.Direction == event.Incoming:
		return f.Src
	default:
		return f.Dst
	}
}

// appendPeer appends the other end of a segment; - of other events.
func appendPeer(b []byte, e *event.Event) []byte {
	if e.Segment == nil {
		return append(b, '-')
	}
	if peer := peerOf(e); peer.IsValid() {
		return peer.AppendTo(b)
	}
	return append(b, '-')
}

// appendDirection appends in or out; - of other events, and where it is not known.
func appendDirection(b []byte, e *event.Event) []byte {
	if e.Segment == nil || e.Segment.Direction == event.DirectionUnknown {
		return append(b, '-')
	}
	return append(b, e.Segment.Direction.String()...)
}

// appendType appends why a segment is sent again, as in JSON, or reset.
func appendType(b []byte, e *event.Event) []byte {
	if e.Kind == event.Reset || e.Segment == nil {
		return append(b, e.Kind.String()...)
	}
	return appendName(b, e.Segment.Type.String())
}

// lostWords say whether this host dropped a segment that is sent again.
var lostWords = map[event.Fate]string{event.LostHere: "here", event.NotLostHere: "not here", event.FateUnknown: "unknown"}

// appendLost appends whether this host lost the segment before; - of other events.
func appendLost(b []byte, e *event.Event) []byte {
	if e.Segment == nil {
		return append(b, '-')
	}
	return appendName(b, lostWords[e.Segment.Fate])
}
