package line

import (
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A kind is drops that have the same cause. There are as many as package knowledge has
// entries and cases.
type kind struct {
	entry  *knowledge.Entry
	narrow *knowledge.Case
}

// appendExplanation appends cause and fix of a drop, unless they were shown for one of
// the same kind.
func (s *Sink) appendExplanation(b []byte, e *event.Event) []byte {
	brief, ok := knowledge.BriefOf(e)
	k := kind{brief.Entry, brief.Case}
	if !ok || s.explained[k] {
		return b
	}
	s.explained[k] = true
	x, _ := knowledge.Of(e)
	b = append(append(append(b, "    cause: "...), x.Cause...), '\n')
	if x.Fix != "" {
		b = append(append(append(b, "    fix:   "...), x.Fix...), '\n')
	}
	return b
}
