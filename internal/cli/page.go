package cli

import (
	"fmt"
	"strings"
)

// A Page is a manual page in the language of man(7). The zero value is an empty
// page.
//
// In all texts *asterisks* make words bold, and such words are typed exactly as
// they are. Everything else is escaped: roff requests cannot be passed in.
type Page struct{ b strings.Builder }

// String returns the page in roff.
func (m *Page) String() string { return m.b.String() }

// Title begins the page. Date is when its text was last changed, as 2006-01-02.
func (m *Page) Title(name, section, date, version string) {
	fmt.Fprintf(&m.b, ".TH %s %s %s %s \"System Manager's Manual\"\n", name, section, date, quotedArgument(version))
}

// quotedArgument quotes an argument of a macro, in which white space would separate
// arguments.
func quotedArgument(s string) string {
	return `"` + strings.ReplaceAll(literal(s), `"`, `\(dq`) + `"`
}

// Section begins a section. The name is by custom in capitals.
func (m *Page) Section(name string) { fmt.Fprintf(&m.b, ".SH %s\n", name) }

// Subsection begins a subsection.
func (m *Page) Subsection(name string) { fmt.Fprintf(&m.b, ".SS %s\n", name) }

// Text adds paragraphs, which are separated by empty lines.
func (m *Page) Text(s string) {
	for i, p := range strings.Split(strings.TrimSpace(s), "\n\n") {
		if i > 0 {
			m.b.WriteString(".PP\n")
		}
		m.Fill(p)
	}
}

// Item adds a term and its explanation below it.
func (m *Page) Item(term, text string) {
	m.b.WriteString(".TP\n")
	m.Fill(term)
	m.Fill(text)
}

// Row adds a term and its explanation beside it. See Rows for a list without gaps.
func (m *Page) Row(term, text string) {
	m.b.WriteString(".TP 18\n")
	m.Fill(term)
	m.Fill(text)
}

// Example adds lines that are shown as they are.
func (m *Page) Example(lines string) {
	m.b.WriteString(".PP\n.RS 4\n.nf\n")
	for line := range strings.Lines(lines) {
		m.b.WriteString(guarded(literal(strings.TrimSuffix(line, "\n"))) + "\n")
	}
	m.b.WriteString(".fi\n.RE\n")
}

// Bullet adds an item of a list without terms.
func (m *Page) Bullet(text string) {
	m.b.WriteString(".IP \\(bu 4\n")
	m.Fill(text)
}

// maxLine is the length of an input line in roff, as man-pages(7) recommends it for
// readable diffs.
const maxLine = 80

// Fill adds text. A line that ends with a period or a colon ends the input line in
// roff as well, by which the formatter knows the end of a sentence. Any other line
// goes on in the next one.
func (m *Page) Fill(text string) {
	var words []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		words = append(words, strings.Fields(markup(line))...)
		if strings.HasSuffix(line, ".") || strings.HasSuffix(line, ":") {
			m.wrap(words)
			words = nil
		}
	}
	if len(words) > 0 {
		m.wrap(words)
	}
}

// Plain adds text in which asterisks have no meaning.
func (m *Page) Plain(text string) { m.wrap(strings.Fields(prose(text))) }

// wrap adds words in lines of at most maxLine bytes.
func (m *Page) wrap(words []string) {
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

// markup turns asterisks into changes of the font, and escapes the rest.
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

// special escapes the characters that the formatter would interpret, or print as
// typographic ones.
var special = strings.NewReplacer(`\`, `\e`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`)

// prose escapes s. Hyphens stay hyphens, so that words can be broken there; those
// of an option become minus signs, so that it can be copied.
func prose(s string) string {
	s = special.Replace(s)
	if strings.HasPrefix(s, "-") {
		s = `\` + s
	}
	return strings.NewReplacer(" --", ` \-\-`, " -", ` \-`, "(-", `(\-`).Replace(s)
}

// literal escapes s so that every character is printed as it is.
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

// Rows calls add, and leaves out the space between the rows that it adds.
func (m *Page) Rows(add func()) {
	m.b.WriteString(".PD 0\n")
	add()
	m.b.WriteString(".PD\n")
}

// Paragraph begins a paragraph.
func (m *Page) Paragraph() { m.b.WriteString(".PP\n") }

// Sentence makes a sentence of a help text, which begins with a small letter and
// has no period.
func Sentence(help string) string {
	if help == "" {
		return ""
	}
	return strings.ToUpper(help[:1]) + strings.TrimSuffix(help[1:], ".") + "."
}
