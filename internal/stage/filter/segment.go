package filter

import (
	"slices"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// toldByFew are the types of what TCP sends again that not every source can tell.
var toldByFew = spans{
	{uint64(event.FastRetransmit), uint64(event.FastRetransmit)}, {uint64(event.TimeoutRetrans), uint64(event.TailLossProbe)},
}

// A segmentType is the type of what TCP did.
type segmentType struct{ integer }

// bind makes the comparison. A Retransmission that was seen live may be of each type in toldByFew.
func (k segmentType) bind(l *leaf) {
	k.integer.bind(l)
	test, open := l.test, slices.ContainsFunc(l.numbers, func(s span) bool { return toldByFew.contain(s.lo) })
	l.test = func(e *event.Event, h *event.Headers) condition.Truth {
		if s := e.Segment; open && s != nil && s.Type == event.Retransmission && s.Frame == 0 {
			return condition.Unknown
		}
		return test(e, h)
	}
}
