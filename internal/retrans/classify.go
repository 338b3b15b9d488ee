package retrans

import (
	"cmp"
	"time"

	"dropwatch/internal/event"
)

// Times by which Wireshark tells a segment that was sent again from one that came late.
const (
	fastWithin     = int64(20 * time.Millisecond) // of the last duplicate acknowledgment
	fastDuplicates = 2                            // seen; a third may have passed unseen
	reorderDefault = int64(3 * time.Millisecond)  // of data behind it, if the round-trip time is not known
)

// reorderedWithin returns for how long a segment is missing at most that came late, if the round-trip time is
// known: its sender cannot know of the gap before a whole one has passed, but that was measured on a busy path.
func reorderedWithin(rtt int64) int64 { return rtt * 5 / 8 }

// none are the flags of segments that are no acknowledgments of data.
const none = event.SYN | event.FIN | event.RST

// A step is one segment with the state that it meets.
type step struct {
	*Segment
	mark     mark  // when it was seen and sent
	rtt      int64 // see flow.rtt
	fwd, rev *half // of its sender and of its receiver
	types    Types // what it was found to be, so far
}

// classify returns what the segment is. It changes only what an acknowledgment says of the receiver.
func (x *step) classify() Types {
	if x.isZeroWindowProbe() {
		x.types = Of(event.ZeroWindowProbe)
	} else {
		x.add(event.ZeroWindow, x.Window == 0 && !x.has(none))
		x.add(event.LostSegment, x.fwd.hasNext && before(x.fwd.next, x.Seq) && !x.has(event.RST))
		x.add(event.KeepAlive, x.isKeepAlive())
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

// add adds a type if the condition holds.
func (x *step) add(t event.SegmentType, is bool) {
	if is {
		x.types |= Of(t)
	}
}

// isZeroWindowProbe: the next byte alone, to a receiver that has no room.
func (x *step) isZeroWindowProbe() bool {
	return x.Len == 1 && x.fwd.hasNext && x.Seq == x.fwd.next && x.rev.hasWindow && x.rev.window == 0
}

// isKeepAlive: the last byte again or none, below all that was sent, of which nothing is unacknowledged.
func (x *step) isKeepAlive() bool {
	fwd, rev := x.fwd, x.rev
	return fwd.hasNext && x.Len <= 1 && x.Seq == fwd.next-1 && !x.has(none) && !(x.Len > 0 && rev.hasAck && before(rev.acked, fwd.next))
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
	afterProbe := x.Len > 1 && x.Seq == x.fwd.next-1 // what a probe began
	switch {
	case x.Len == 0 && !x.has(event.SYN|event.FIN) || x.types.Has(event.KeepAlive):
		return event.SegmentUnknown
	case x.wasSeen() && x.cameLate():
		return event.OutOfOrder
	case x.Len > 0 && x.rev.hasAck && !before(x.rev.acked, x.Seq+x.Len):
		return event.Spurious
	case !x.fwd.hasNext || !before(x.Seq, x.fwd.next) || afterProbe:
		return event.SegmentUnknown
	}
	return x.below()
}

// wasSeen reports whether any of the segment was seen before, or is acknowledged. Nothing new is in a segment
// with what was sent before.
func (x *step) wasSeen() bool {
	return x.rev.hasAck && before(x.Seq, x.rev.acked) || x.fwd.seen.overlaps(x.Seq, x.end())
}

// cameLate reports whether a segment that was seen before was not sent again: the network has made a copy of
// it, or what was sent again came before it.
func (x *step) cameLate() bool {
	n := &x.fwd.numbers
	return n.isCopy(&x.mark) || x.mark.order(x.behind(), n.counted()) <= 0 && x.fwd.refills.outran(x.Seq, x.end(), &x.mark, n.counted())
}

// below tells it of a segment below the highest one. If it is not known when it was sent, it goes by how long
// it was missing.
func (x *step) below() event.SegmentType {
	behind := x.behind()
	order, missing := x.order(behind), x.since(behind.At)
	fast := x.rev.duplicates >= fastDuplicates && x.rev.ack == x.Seq && x.since(x.rev.ackAt) < fastWithin
	switch {
	case order < 0, order == 0 && missing < reorderedWithin(x.rtt):
		return event.OutOfOrder
	case fast:
		return event.FastRetransmit
	case order == 0 && x.rtt == 0 && missing < reorderDefault:
		return event.OutOfOrder
	}
	return x.again()
}

// behind returns the first segment behind this one that was seen, or the first up to the highest number.
func (x *step) behind() *mark { return cmp.Or(x.fwd.seen.behind(x.end()), &x.fwd.top) }

// order returns 1 if the segment was sent after data behind it, and so again: it was seen before, or its clocks
// are later. It returns -1 if they are earlier, or equal though it was seen much later, and 0 if all that is
// not known.
func (x *step) order(behind *mark) int {
	const ticks = 2 // between two segments with the same timestamp, if neither came late
	if x.wasSeen() {
		return 1
	}
	order := x.mark.order(behind, x.fwd.numbers.counted())
	if order == 0 && x.mark.HasTSVal && behind.HasTSVal && x.since(behind.At) > ticks*x.fwd.clock.tick(&x.fwd.top) {
		return -1
	}
	return order
}

// since returns the time since another, very long if the clock went back.
func (x *step) since(t int64) int64 {
	if d := x.mark.At - t; d >= 0 {
		return d
	}
	return int64(time.Hour)
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
