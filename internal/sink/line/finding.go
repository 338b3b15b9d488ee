package line

import (
	"fmt"
	"strings"

	"dropwatch/internal/event"
)

// finding appends the line of a finding; below that of a diagnosis, and of an alert if it is to be explained, what is known
// of it, unless it is for a log.
func (s *Sink) finding(e *event.Event) {
	b := s.clock.appendTime(s.buf.Bytes, e.Time, s.layout().digits)
	b = append(b, s.bold...)
	b = e.Incident.AppendTo(b)
	b = append(append(b, s.plain...), '\n')
	if i := e.Incident; i.Detail != nil && !s.opts.Bare && (i.IsDiagnosis() || s.opts.Explain) {
		b = appendDetail(b, i)
	}
	s.buf.Bytes = b
}

// appendDetail appends a line for each fact and each command, in the columns of the report of a diagnosis.
func appendDetail(b []byte, i *event.Incident) []byte {
	d := i.Detail
	sentence := strings.TrimSuffix(i.Fix, strings.Join(d.Apply, "; "))
	last := ""
	appendLine := func(name, text string) {
		if text == "" {
			return
		}
		shown := name
		if name == last {
			shown = ""
		}
		last = name
		b = fmt.Appendf(b, "    %-9s %s\n", event.Escape(shown), event.Escape(text))
	}
	for _, f := range d.Facts {
		appendLine(f.Name, f.Text)
	}
	for _, command := range d.Check {
		appendLine("check", command)
	}
	for _, text := range append([]string{strings.TrimSpace(sentence)}, d.Apply...) {
		appendLine("fix", text)
	}
	return b
}
