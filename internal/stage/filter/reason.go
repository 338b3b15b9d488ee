package filter

import (
	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// A cause is the label of the reason. A name that is the family of finer reasons matches those, too.
type cause struct{ label }

// bind makes the test. A drop of which only the family is known may have any of the finer reasons.
func (k cause) bind(l *leaf) {
	compare := test(l, k.get, l.meansReason)
	l.test = func(e *event.Event, h *event.Headers) condition.Truth {
		decision := compare(e, h)
		if decision == truth(l.op.negative()) && e.Reason != "" && l.refines(e.Reason) {
			return condition.Unknown
		}
		return decision
	}
}

// meansReason reports whether a pattern matches a reason or, without a wildcard, is its family.
func (l *leaf) meansReason(reason string) bool {
	family := event.ReasonFamily(reason)
	for i := range l.patterns {
		p := &l.patterns[i]
		if p.match(reason) || family != "" && p.isName() && p.text == family {
			return true
		}
	}
	return false
}

// refines reports whether a pattern is one of the finer reasons of a family.
func (l *leaf) refines(family string) bool {
	for i := range l.patterns {
		if p := &l.patterns[i]; p.re == nil && event.ReasonFamily(p.text) == family {
			return true
		}
	}
	return false
}
