package retrans

import "dropwatch/internal/event"

// A mark is what a segment says of when it was sent.
type mark struct {
	At     int64  // when it was seen, in nanoseconds
	TSVal  uint32 // its timestamp (RFC 7323), if HasTSVal
	Number uint32 // among the packets of its sender, if HasNumber; see numbers

	HasTSVal, HasNumber bool
}

// order returns -1 if a segment was sent before another of the same sender, 1 if it was sent after it, and 0
// if that is not known: the timestamps are equal or missing, and the numbers are, too, or not counted.
func (m *mark) order(other *mark, counted bool) int {
	switch {
	case m.HasTSVal && other.HasTSVal && m.TSVal != other.TSVal:
		return compare(m.TSVal, other.TSVal)
	case counted && m.HasNumber && other.HasNumber && m.Number != other.Number:
		return compare(m.Number, other.Number)
	}
	return 0
}

// compare returns -1 if number a, which differs from b, is before it, and 1 if it is behind it.
func compare(a, b uint32) int {
	if before(a, b) {
		return -1
	}
	return 1
}

// numbers are the identifications of the IPv4 packets of one direction. Many senders count by them the packets
// of a connection, as Linux does, or all that they send; others choose them at random, or have none. They are
// taken for counted while those of new data grow, once some steps were small.
type numbers struct {
	Seen  uint64 // bit n is set if Last-n was seen
	Last  uint32 // the highest that was seen; above its lower 16 bits it says how often they wrapped
	Steps uint8  // small ones without one back, at most enoughSteps
	Known bool   // whether any was seen
}

const (
	smallStep   = 64 // a packet that is segmented only behind the place of the capture has as many numbers
	enoughSteps = 2
)

// counted reports whether the numbers say in which order the packets were sent.
func (n *numbers) counted() bool { return n.Steps >= enoughSteps }

// of returns the number of a segment: the nearest to the last one with its identification.
func (n *numbers) of(s *Segment) (number uint32, ok bool) {
	switch {
	case s.Network != event.IPv4 || !s.Has(event.FieldFragmentID):
		return 0, false
	case !n.Known:
		return s.FragmentID, true
	}
	return n.Last + uint32(int16(uint16(s.FragmentID)-uint16(n.Last))), true
}

// isCopy reports whether the very packet was seen among the last 64: the network has made two of it.
func (n *numbers) isCopy(m *mark) bool {
	return m.HasNumber && n.counted() && n.Seen>>(n.Last-m.Number)&1 != 0
}

// note enters the number of a segment, and whether the one before it was seen.
func (n *numbers) note(m *mark) {
	if !m.HasNumber {
		return
	}
	if !n.Known || before(n.Last, m.Number) {
		n.Seen, n.Last, n.Known = n.Seen<<(m.Number-n.Last), m.Number, true
	}
	if n.Seen>>(n.Last-m.Number+1)&1 != 0 {
		n.Steps = min(n.Steps+1, enoughSteps)
	}
	n.Seen |= 1 << (n.Last - m.Number)
}

// prove compares the number of new data, which was noted, with that of the data before them. If it is not
// higher, it counts again from the start.
func (n *numbers) prove(m, last *mark) {
	if !m.HasNumber || !last.HasNumber {
		return
	}
	switch step := int32(m.Number - last.Number); {
	case step <= 0:
		*n = numbers{Seen: 1, Last: m.Number, Known: true}
	case 1 < step && step <= smallStep: // note has counted a step of one
		n.Steps = min(n.Steps+1, enoughSteps)
	}
}
