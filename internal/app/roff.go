package app

import (
	"fmt"
	"strings"
)

// A manual is a page in the language of man(7). In its texts *asterisks* make
// words bold, which are then typed as they stand.
type manual struct{ b strings.Builder }

// section begins one.
func (m *manual) section(name string) { fmt.Fprintf(&m.b, ".SH %s\n", name) }

// subsection begins one.
func (m *manual) subsection(name string) { fmt.Fprintf(&m.b, ".SS %s\n", name) }

// text adds paragraphs, which empty lines separate.
func (m *manual) text(s string) {
	for i, p := range strings.Split(strings.TrimSpace(s), "\n\n") {
		if i > 0 {
			m.b.WriteString(".PP\n")
		}
		m.fill(p)
	}
}

// item adds what is explained, in its markup, and its explanation.
func (m *manual) item(term, text string) {
	m.b.WriteString(".TP\n")
	m.fill(term)
	m.fill(text)
}

// row adds an item whose explanation begins beside it.
func (m *manual) row(term, text string) {
	m.b.WriteString(".TP 18\n")
	m.fill(term)
	m.fill(text)
}

// example adds lines that keep their form.
func (m *manual) example(lines string) {
	m.b.WriteString(".PP\n.RS 4\n.nf\n")
	for line := range strings.Lines(lines) {
		m.b.WriteString(guarded(literal(strings.TrimSuffix(line, "\n"))) + "\n")
	}
	m.b.WriteString(".fi\n.RE\n")
}

// bullet adds an item of a list without terms.
func (m *manual) bullet(text string) {
	m.b.WriteString(".IP \\(bu 4\n")
	m.fill(text)
}

// maxLine is the length of an input line that style guides allow.
const maxLine = 80

// fill adds text, each of whose lines begins a new one, because the formatter
// knows the end of a sentence by that of the line.
func (m *manual) fill(text string) {
	for line := range strings.Lines(text) {
		m.wrap(strings.Fields(markup(line)))
	}
}

// plain adds text that is not ours to mark up.
func (m *manual) plain(text string) { m.wrap(strings.Fields(prose(text))) }

// wrap adds words in lines of fitting length.
func (m *manual) wrap(words []string) {
	line := ""
	for _, word := range words {
		if line != "" && len(line)+1+len(word) > maxLine {
			m.b.WriteString(guarded(line) + "\n")
			line = ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	m.b.WriteString(guarded(line) + "\n")
}

// markup turns asterisks into changes of the font.
func markup(s string) string {
	var b strings.Builder
	for i, part := range strings.Split(s, "*") {
		if i%2 == 0 {
			b.WriteString(prose(part))
		} else {
			b.WriteString(bold(part))
		}
	}
	return b.String()
}

func bold(s string) string   { return `\fB` + literal(s) + `\fR` }
func italic(s string) string { return `\fI` + literal(s) + `\fR` }

// special are the characters that the formatter would read or print as others.
var special = strings.NewReplacer(`\`, `\e`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`)

// prose escapes s; its hyphens stay such, unless they begin an option.
func prose(s string) string {
	s = special.Replace(s)
	if strings.HasPrefix(s, "-") {
		s = `\` + s
	}
	return strings.NewReplacer(" --", ` \-\-`, " -", ` \-`, "(-", `(\-`).Replace(s)
}

// literal escapes s, of which every character stands for itself.
func literal(s string) string {
	return strings.NewReplacer("-", `\-`, "'", `\(aq`).Replace(special.Replace(s))
}

// guarded keeps a line from being taken for a request.
func guarded(line string) string {
	if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
		return `\&` + line
	}
	return line
}
