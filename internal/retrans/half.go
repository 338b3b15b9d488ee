package retrans

import "dropwatch/internal/event"

// A half is one direction of a connection: what its sender was seen to send.
type half struct {
	row    *Traffic // counts it; nil if it is not counted
	hasRow bool     // whether that was decided

	hasBase, hasNext, hasAck bool // whether the fields below are known
	base                     uint32
	next                     uint32 // the highest sequence number seen, without zero window probes
	top                      mark   // of the first segment up to it
	clock                    clock
	numbers                  numbers
	refills                  refills
	timed                    timed
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

// maxScale is the largest shift (RFC 7323).
const maxScale = 14

// reset forgets all, and keeps the memory.
func (h *half) reset() { *h = half{seen: h.seen[:0], refills: h.refills[:0]} }

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
func (h *half) note(s *Segment, types Types, m *mark) {
	if types&resent != 0 {
		h.noteResent(s, types, m)
	}
	if s.Len > 0 || s.has(event.SYN|event.FIN) {
		h.seen = h.seen.add(s.Seq, s.end(), m)
	}
	h.clock.note(m)
	h.numbers.note(m)
	if end := s.end(); (!h.hasNext || before(h.next, end)) && !types.Has(event.ZeroWindowProbe) {
		h.numbers.prove(m, &h.top)
		h.next, h.top, h.hasNext = end, *m, true
		h.timed.begin(end, m.At)
	}
	h.noteWindow(s)
	if s.has(event.ACK) {
		if !h.hasAck || before(h.acked, s.Ack) {
			h.acked = s.Ack
		}
		h.ack, h.ackAt, h.hasAck = s.Ack, m.At, true
	}
	h.last = types
}

// noteResent enters a segment that was sent again, before its data. Which of both an acknowledgment answers is
// not known: it is the second one in the handshake, and otherwise measures nothing.
func (h *half) noteResent(s *Segment, types Types, m *mark) {
	if s.has(event.SYN) {
		h.timed.At = m.At
		return
	}
	h.timed.Running = false
	if !types.Has(event.Spurious) && !h.seen.overlaps(s.Seq, s.end()) {
		h.refills = h.refills.add(s.Seq, s.end(), m)
	}
}

// mark returns what a segment says of when it was sent; at is when it was seen.
func (h *half) mark(s *Segment, at int64) (m mark) {
	m.At, m.TSVal, m.HasTSVal = at, s.TSVal, s.Has(event.FieldTSVal)
	m.Number, m.HasNumber = h.numbers.of(s)
	return m
}

// noteWindow keeps the window that the sender of a segment has. Its scale is that of the SYN: of a connection whose SYN
// was not seen it is not known.
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
