package diagnose

import (
	"fmt"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A paragraph has the lines of a report on one thing, each with a label. Texts are escaped by whoever made them.
type paragraph struct{ lines []labelled }

// A labelled is a line of a paragraph. One without a name goes on with that of the line before.
type labelled struct {
	event.Fact
	prose bool // it is broken between words at the width of a terminal
}

// field appends a line that is not broken, as commands are to be copied, unless there is nothing to say.
func (p *paragraph) field(label, text string) {
	if text != "" {
		p.lines = append(p.lines, labelled{Fact: event.Fact{Name: label, Text: text}})
	}
}

// prose appends a line that may be broken, unless there is nothing to say.
func (p *paragraph) prose(label, text string) {
	if text != "" {
		p.lines = append(p.lines, labelled{event.Fact{Name: label, Text: text}, true})
	}
}

// fields appends several, which it escapes, the first with the label.
func (p *paragraph) fields(label string, lines []string) {
	for _, line := range lines {
		p.field(label, event.Escape(line))
		label = ""
	}
}

// appendRemedy appends commands that show more, and what to do.
func (p *paragraph) appendRemedy(x *knowledge.Explanation) {
	p.fields("check", x.Check)
	if len(unentered(x.Check)) > 0 {
		p.field("", "# PID: of a process in that network namespace, as lsns -t net shows")
	}
	p.prose("fix", x.Fix)
	p.fields("", x.Apply)
}

// appendTo appends the lines for a terminal.
func (p *paragraph) appendTo(b *strings.Builder) {
	for _, l := range p.lines {
		begin := fmt.Sprintf("   %-9s ", l.Name)
		if l.prose {
			b.WriteString(event.Wrap(l.Text, begin, strings.Repeat(" ", column), width))
			continue
		}
		b.WriteString(begin + l.Text + "\n")
	}
}

// facts returns the lines, each with a name.
func (p *paragraph) facts() (all []event.Fact) {
	name := ""
	for _, l := range p.lines {
		if l.Name != "" {
			name = l.Name
		}
		all = append(all, event.Fact{Name: name, Text: l.Text})
	}
	return all
}
