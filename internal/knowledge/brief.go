package knowledge

import (
	"cmp"
	"strings"

	"dropwatch/internal/event"
)

// A Brief is an [Explanation] without commands and fix.
type Brief struct {
	Entry    *Entry
	Case     *Case // that applies; nil: none
	Class    Class
	Severity Severity
	Cause    string // without holes
}

// BriefOf is [Of] for sinks that write it with every drop: it allocates only if the
// cause has holes.
func BriefOf(e *event.Event) (Brief, bool) {
	en := Find(e)
	if en == nil {
		return Brief{}, false
	}
	b := Brief{Entry: en, Case: en.caseOf(e), Class: en.Class, Severity: en.Severity, Cause: en.Cause}
	if b.Case != nil {
		b.Class = cmp.Or(b.Case.Class, b.Class)
		b.Severity, b.Cause = cmp.Or(b.Case.Severity, b.Severity), cmp.Or(b.Case.Cause, b.Cause)
	}
	if e.Harmless != "" {
		b.Severity = Noise
	}
	if strings.IndexByte(b.Cause, '{') >= 0 {
		b.Cause = filler(e)(b.Cause)
	}
	return b, true
}
