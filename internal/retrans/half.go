package retrans

import "dropwatch/internal/event"

// A half is one direction of a connection: what its sender was seen to send.
type half struct {
	row    *Traffic // counts it; nil if it is not counted
	hasRow bool     // whether that was decided

	hasBase, hasNext, hasAck bool // whether the fields below are known
	base                     uint32
	next                     uint32 // the highest sequence number seen, without zero window probes
	nextAt                   int64  // when it was seen
	nextClock                clock  // of its segment
	ack                      uint32 // the last acknowledgment number
	acked                    uint32 // the highest one
	ackAt                    int64  // when the last one was seen
	duplicates               uint32 // of the last acknowledgment

	hasWindow bool
	window    uint16 // as in the last header
	unscaled  bool   // that was a SYN, whose window is not scaled
	scale     scale
	last      Types // of the last segment
	seen      spans // of its data
}

// A scale is the shift of windows, one more than the number, so that the zero value is not known.
type scale uint8

// A clock is the time of its sender that a segment has, if it is known.
type clock struct {
	value uint32
	known bool
}

// clockOf returns the timestamp of a segment (RFC 7323).
func clockOf(s *Segment) clock { return clock{s.TSVal, s.Has(event.FieldTSVal)} }

// compare returns -1 if c is before another clock of the same sender, 1 if it is after it, and 0 if they are
// equal or one is not known.
func (c clock) compare(other clock) int {
	switch {
	case !c.known || !other.known || c.value == other.value:
		return 0
	case before(c.value, other.value):
		return -1
	}
	return 1
}

// maxScale is the largest shift (RFC 7323).
const maxScale = 14

// begin enters where the sequence numbers of a direction begin: at its SYN, or by the first segment or
// acknowledgment of it.
func (h *half) begin(base uint32) {
	if !h.hasBase {
		h.base, h.hasBase = base, true
	}
}

// bytes returns the window in bytes, and false if its scale is not known.
func (h *half) bytes() (n uint32, ok bool) {
	if !h.hasWindow || h.scale == 0 {
		return 0, false
	}
	if h.unscaled {
		return uint32(h.window), true
	}
	return uint32(h.window) << (h.scale - 1), true
}

// note enters what a segment of the sender says, after it was classified.
func (h *half) note(s *Segment, types Types, at int64) {
	if s.Len > 0 || s.has(event.SYN|event.FIN) {
		h.seen = h.seen.add(s.Seq, s.end(), at)
	}
	if end := s.end(); (!h.hasNext || before(h.next, end)) && !types.Has(event.ZeroWindowProbe) {
		h.next, h.nextAt, h.nextClock, h.hasNext = end, at, clockOf(s), true
	}
	h.noteWindow(s)
	if s.has(event.ACK) {
		if !h.hasAck || before(h.acked, s.Ack) {
			h.acked = s.Ack
		}
		h.ack, h.ackAt, h.hasAck = s.Ack, at, true
	}
	h.last = types
}

func (h *half) noteWindow(s *Segment) {
	h.window, h.hasWindow, h.unscaled = s.Window, true, s.has(event.SYN)
	switch {
	case !h.unscaled:
	case s.Has(event.FieldWindowScale):
		h.scale = 1 + scale(min(s.WindowScale, maxScale))
	case s.NoScale:
		h.scale = 1
	}
}
