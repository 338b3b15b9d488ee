package retrans

import (
	"time"

	"dropwatch/internal/event"
)

// Times by which Wireshark tells a segment that was sent again from one that came late.
const (
	fastWithin     = int64(20 * time.Millisecond) // of the last duplicate acknowledgment
	reorderDefault = int64(3 * time.Millisecond)  // of data behind it, if the round-trip time is not known
	fastDuplicates = 2                            // seen; a third may have passed unseen
)

// none are the flags of segments that are no acknowledgments of data.
const none = event.SYN | event.FIN | event.RST

// A step is one segment with the state that it meets.
type step struct {
	*Segment
	at       int64 // nanoseconds
	reorder  int64 // how long a segment is missing at most that comes late and is not sent again
	fwd, rev *half // of its sender and of its receiver
	types    Types
}

// classify returns what the segment is. It changes only what an acknowledgment says of the receiver.
func (x *step) classify() Types {
	if x.isZeroWindowProbe() {
		x.types = Of(event.ZeroWindowProbe)
	} else {
		x.add(event.ZeroWindow, x.Window == 0 && !x.has(none))
		x.add(event.LostSegment, x.fwd.hasNext && before(x.fwd.next, x.Seq) && !x.has(event.RST))
		x.add(event.KeepAlive, x.fwd.hasNext && x.Len <= 1 && x.Seq == x.fwd.next-1 && !x.has(none))
		x.add(event.WindowFull, x.isWindowFull())
		x.add(event.DuplicateAck, x.isDuplicate())
	}
	if x.has(event.ACK) {
		x.acknowledge()
	}
	if t := x.resentAs(); t != event.SegmentUnknown {
		x.types |= Of(t)
	}
	return x.types
}

func (x *step) add(t event.SegmentType, is bool) {
	if is {
		x.types |= Of(t)
	}
}

// isZeroWindowProbe: the next byte alone, to a receiver that has no room.
func (x *step) isZeroWindowProbe() bool {
	return x.Len == 1 && x.fwd.hasNext && x.Seq == x.fwd.next && x.rev.hasWindow && x.rev.window == 0
}

// isWindowFull: the data end where the window of the receiver does.
func (x *step) isWindowFull() bool {
	window, ok := x.rev.bytes()
	return ok && x.Len > 0 && x.rev.hasAck && x.Seq+x.Len == x.rev.ack+window && !x.has(none)
}

// isDuplicate: an acknowledgment alone that repeats the last one with its window, and does not answer a
// keep-alive or a zero window probe.
func (x *step) isDuplicate() bool {
	fwd := x.fwd
	return x.Len == 0 && x.Window > 0 && fwd.hasWindow && x.Window == fwd.window && fwd.hasNext && x.Seq == fwd.next &&
		fwd.hasAck && x.Ack == fwd.ack && !x.has(none) && !x.rev.last.Has(event.KeepAlive)
}

// acknowledge counts duplicates, and enters that the receiver of a zero window probe has kept its byte.
func (x *step) acknowledge() {
	switch {
	case !x.fwd.hasAck || x.Ack != x.fwd.ack:
		x.fwd.duplicates = 0
	case x.types.Has(event.DuplicateAck):
		x.fwd.duplicates++
	}
	if rev := x.rev; rev.last.Has(event.ZeroWindowProbe) && x.Ack == rev.next+1 {
		rev.next = x.Ack
	}
	x.rev.seen = x.rev.seen.acknowledge(x.Ack)
}

// resentAs tells a segment that was sent again from one that came late; SegmentUnknown if it is new.
func (x *step) resentAs() event.SegmentType {
	if x.Len == 0 && !x.has(event.SYN|event.FIN) || x.types.Has(event.KeepAlive) {
		return event.SegmentUnknown
	}
	if x.Len > 0 && x.rev.hasAck && !before(x.rev.acked, x.Seq+x.Len) {
		return event.Spurious
	}
	fwd := x.fwd
	afterProbe := x.Len > 1 && x.Seq == fwd.next-1 // what a probe began
	if !fwd.hasNext || !before(x.Seq, fwd.next) || afterProbe {
		return event.SegmentUnknown
	}
	order := x.order()
	switch {
	case order < 0:
		return event.OutOfOrder
	case x.rev.duplicates >= fastDuplicates && x.rev.ack == x.Seq && x.since(x.rev.ackAt) < fastWithin:
		return event.FastRetransmit
	case order == 0 && x.since(x.gapSince()) < x.reorder:
		return event.OutOfOrder
	}
	return x.again()
}

// order returns 1 if a segment below the highest one was sent after it, and so again: it was seen before, or
// its timestamp is later. It returns -1 if its timestamp is earlier, and 0 if that is not known.
func (x *step) order() int {
	if x.fwd.next == x.end() || x.wasSeen() {
		return 1
	}
	return clockOf(x.Segment).compare(x.fwd.nextClock)
}

// gapSince returns when it was first noticed that the segment is missing.
func (x *step) gapSince() int64 {
	if since, ok := x.fwd.seen.gapSince(x.end()); ok {
		return since
	}
	return x.fwd.nextAt
}

// since returns the time since another, very long if the clock went back.
func (x *step) since(t int64) int64 {
	if d := x.at - t; d >= 0 {
		return d
	}
	return int64(time.Hour)
}

// wasSeen reports whether all of the segment was seen before: acknowledged, or in this direction.
func (x *step) wasSeen() bool {
	start := x.Seq
	if x.rev.hasAck && before(start, x.rev.acked) {
		start = x.rev.acked
	}
	return x.fwd.seen.has(start, x.Seq+x.Len)
}

// again returns the type of a retransmission by its flags.
func (x *step) again() event.SegmentType {
	switch {
	case x.opens():
		return event.SYNRetransmit
	case x.has(event.SYN):
		return event.SYNACKRetransmit
	case x.has(event.FIN):
		return event.FINRetransmit
	}
	return event.Retransmission
}
