package jsonl

import (
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// appendExplain appends what is known of why the packet was dropped.
func appendExplain(b []byte, e *event.Event) []byte {
	x, ok := knowledge.BriefOf(e)
	if !ok {
		return b
	}
	b = begin(b, "explain", '{')
	b = appendWord(b, "layer", x.Entry.Layer.String())
	b = appendWord(b, "module", x.Entry.Module)
	b = appendWord(b, "class", x.Class.String())
	b = appendWord(b, "severity", x.Severity.String())
	b = appendText(b, "cause", x.Cause)
	return end(b, '}')
}
