package line

import (
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A kind is drops that have the same cause. There are as many as package knowledge has
// entries and cases.
type kind struct {
	entry  *knowledge.Entry
	narrow *knowledge.Case // nil: only the entry applies
}

// appendExplanation appends cause and fix of a drop, broken at the width of the terminal, unless they were shown for one of
// the same kind.
func (s *Sink) appendExplanation(b []byte, e *event.Event) []byte {
	brief, ok := knowledge.BriefOf(e)
	k := kind{brief.Entry, brief.Case}
	if !ok || s.explained[k] {
		return b
	}
	s.explained[k] = true
	x, _ := knowledge.Of(e)
	const indent = "           "
	b = append(b, event.Wrap(x.Cause, "    cause: ", indent, s.opts.Width)...)
	if x.Fix != "" {
		b = append(b, event.Wrap(x.Fix, "    fix:   ", indent, s.opts.Width)...)
	}
	return b
}
