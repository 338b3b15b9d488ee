package retrans

// A span is a range of sequence numbers that were seen, without end.
type span struct {
	Start, End uint32
	Since      int64 // when the gap below it was first noticed
}

// maxSpans bounds the memory for a sender of whose segments many are missing.
const maxSpans = 64

// spans are the sequence numbers that were seen and not acknowledged: ranges in order that do not touch.
// All of them must be within 2 GiB.
type spans []span

// has reports whether all numbers of a range were seen.
func (s spans) has(start, end uint32) bool {
	for _, seen := range s {
		if !before(start, seen.Start) && !before(seen.End, end) {
			return true
		}
	}
	return false
}

// gapSince returns when the gap that a range fills was first noticed: when the data behind it were seen. It
// returns false if none were.
func (s spans) gapSince(end uint32) (since int64, ok bool) {
	for _, seen := range s {
		if !before(seen.Start, end) {
			return seen.Since, true
		}
	}
	return 0, false
}

// add enters a range that is seen now, at since. If there are too many, the gap between the two lowest counts
// as seen.
func (s spans) add(start, end uint32, since int64) spans {
	at := len(s)
	for at > 0 && !before(s[at-1].End, start) { // it touches s[at-1], or is below it
		at--
	}
	after := at
	for after < len(s) && !before(end, s[after].Start) {
		if before(s[after].Start, start) {
			start = s[after].Start
		}
		since = min(since, s[after].Since)
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
	s[at] = span{start, end, since}
	if len(s) > maxSpans {
		s[1].Start, s[1].Since = s[0].Start, s[0].Since
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
