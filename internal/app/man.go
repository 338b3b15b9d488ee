package app

import (
	"strings"

	"dropwatch/internal/cli"
	"dropwatch/internal/stage/filter"
)

// manDate is when the prose of the manual page was last changed.
const manDate = "2026-11-26"

// manPage returns the manual page in roff. Options, commands and fields come from their own tables, so that only prose
// is written by hand. It is the same on every host, as nothing in it is asked of the kernel.
func manPage(p *cli.Program, program programFunc) string {
	m := &manual{}
	m.Title("DROPWATCH", "8", manDate, "dropwatch "+Version)
	m.Section("NAME")
	m.Text("dropwatch, dwdump - watch the packets that the kernel drops")
	p.Synopsis(&m.Page)
	m.Section("DESCRIPTION")
	m.Text(manDescription)
	p.GlobalOptions(&m.Page)
	p.Commands(&m.Page)
	m.Section("SESSION COMMANDS")
	m.Text(manSession)
	language := sessionLanguage(program)
	for _, u := range language.Usages() {
		m.Item(usageMarkup(u.Words), cli.Sentence(u.Help))
	}
	p.VerbOptions(&m.Page)
	for _, t := range proseTopics {
		m.Section(strings.ToUpper(t.name))
		addTopic(&m.Page, t)
	}
	m.expressions()
	m.Section("JSON LINES")
	m.Text(manJSON)
	m.reference()
	return m.String()
}

// A manual is the page of this program: a cli.Page, and what only this program has. The text of its markup has *bold*,
// which the terminal's help leaves out.
type manual struct{ cli.Page }

// expressions adds the section about filter expressions, with all fields.
func (m *manual) expressions() {
	m.Section("EXPRESSIONS")
	m.Text(manExpressions)
	m.Rows(func() {
		for _, o := range manOperators {
			m.Row(o.term, o.text)
		}
	})
	m.Paragraph()
	m.Text(manWords)
	m.Subsection("Fields of a drop")
	m.Rows(func() { m.fields(false) })
	m.Subsection("Fields of a packet")
	m.Rows(func() { m.fields(true) })
}

// fields lists the fields of the packet, or those of the drop.
func (m *manual) fields(ofPacket bool) {
	for _, f := range filter.Fields() {
		if f.Inner == ofPacket {
			m.Row("*"+f.Name+"*", fieldHelp(f))
		}
	}
}

// fieldHelp describes a field. If it has only a few values, they are listed.
func fieldHelp(f filter.Field) string {
	help := f.Help
	if n := len(f.Values); n > 0 && n < 8 {
		help += " (" + strings.Join(f.Values, ", ") + ")"
	}
	return cli.Sentence(help)
}

// reference adds the sections at the end: exit status, environment, files,
// examples.
func (m *manual) reference() {
	m.Section("EXIT STATUS")
	addList(&m.Page, manExits)
	m.Section("ENVIRONMENT")
	addList(&m.Page, manEnvironment)
	m.Section("FILES")
	addList(&m.Page, manFiles)
	m.Section("EXAMPLES")
	for i, e := range manExamples {
		if i > 0 {
			m.Paragraph()
		}
		m.Fill(e.text)
		m.Example(e.term)
	}
	m.Section("SEE ALSO")
	m.Text("*jq*(1), *tshark*(1), *wireshark*(1), *pcap-filter*(7), *capabilities*(7), *modprobe*(8), *devlink-trap*(8)")
}

// usageMarkup marks up the usage of a session's command, such as "set trunc <len>":
// what is typed as it stands becomes bold.
func usageMarkup(words string) string {
	plain, arg, found := strings.Cut(words, " <")
	if found {
		return "*" + plain + "* <" + arg
	}
	plain, arg, found = strings.Cut(words, " [")
	if found {
		return "*" + plain + "* [" + arg
	}
	return "*" + words + "*"
}
