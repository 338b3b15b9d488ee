package retrans

// A refill is a range of sequence numbers that were missing until they were sent again.
type refill struct {
	Start, End uint32
	First      mark // the first segment of it that was seen
}

// maxRefills bounds the memory for a sender that sends much again.
const maxRefills = 8

// refills are the last ranges, in the order in which they were first seen.
type refills []refill

// add enters a segment that was sent again.
func (r refills) add(start, end uint32, m *mark) refills {
	for i := range r {
		f := &r[i]
		if before(f.End, start) || before(end, f.Start) {
			continue
		}
		if before(start, f.Start) {
			f.Start = start
		}
		if before(f.End, end) {
			f.End = end
		}
		return r
	}
	if len(r) == maxRefills {
		r = r[:copy(r, r[1:])]
	}
	return append(r, refill{start, end, *m})
}

// outran reports whether a segment carries what was sent again, but was sent before that, and comes late.
func (r refills) outran(start, end uint32, m *mark, counted bool) bool {
	for i := range r {
		if before(start, r[i].End) && before(r[i].Start, end) && m.order(&r[i].First, counted) < 0 {
			return true
		}
	}
	return false
}
