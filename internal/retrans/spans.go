package retrans

// A span is a range of sequence numbers that were seen, without end.
type span struct {
	Start, End uint32
	First      mark // the segment by which the gap below it was first noticed
}

// maxSpans bounds the memory for a sender of whose segments many are missing.
const maxSpans = 64

// spans are the sequence numbers that were seen and not acknowledged: ranges in order that do not touch.
// All of them must be within 2 GiB.
type spans []span

// overlaps reports whether any number of a range was seen.
func (s spans) overlaps(start, end uint32) bool {
	for i := len(s) - 1; i >= 0 && before(start, s[i].End); i-- {
		if before(s[i].Start, end) {
			return true
		}
	}
	return false
}

// behind returns the segment by which the gap that a range fills was first noticed: the first one behind it
// that was seen. It returns nil if none was.
func (s spans) behind(end uint32) *mark {
	for i := range s {
		if !before(s[i].Start, end) {
			return &s[i].First
		}
	}
	return nil
}

// add enters the range of a segment. If there are too many, the gap between the two lowest counts as seen.
func (s spans) add(start, end uint32, m *mark) spans {
	first, at := *m, len(s)
	for at > 0 && !before(s[at-1].End, start) { // it touches s[at-1], or is below it
		at--
	}
	after := at
	for after < len(s) && !before(end, s[after].Start) {
		if before(s[after].Start, start) {
			start = s[after].Start
		}
		if s[after].First.At < first.At {
			first = s[after].First
		}
		if before(end, s[after].End) {
			end = s[after].End
		}
		after++
	}
	if after == at {
		s = append(s, span{})
		copy(s[at+1:], s[at:])
	} else {
		s = append(s[:at+1], s[after:]...)
	}
	s[at] = span{start, end, first}
	if len(s) > maxSpans {
		s[1].Start, s[1].First = s[0].Start, s[0].First
		s = s[:copy(s, s[1:])]
	}
	return s
}

// acknowledge forgets what is below a number.
func (s spans) acknowledge(ack uint32) spans {
	n := 0
	for n < len(s) && !before(ack, s[n].End) {
		n++
	}
	if n == 0 {
		return s
	}
	return s[:copy(s, s[n:])]
}
