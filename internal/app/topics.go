package app

import (
	"strings"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/event"
)

// A proseTopic is a section of the manual page that `dropwatch help NAME` prints as
// well, so that there is only one text of it. All parts but name and help may be
// empty.
type proseTopic struct {
	name, help string
	intro      string
	list       []entry
	bullets    []string
	outro      string
	example    string // lines that are not wrapped
}

// proseTopics are in the order of the manual page.
var proseTopics = []proseTopic{
	{name: "sources", help: "where drops come from: bpf, netdm, trace", intro: manSources, list: manSourceList},
	outputsTopic(),
	{
		name: "follow", help: "what became of packets that were not dropped: watch --follow",
		intro: manFollow, list: manFollowList, outro: manFollowLimits,
	},
	{
		name: "points", help: "what the kernel knew where it drops: watch --point",
		intro: manPoints, list: manPointsList, outro: manPointsEnd, example: manPointsExample,
	},
	{name: "owners", help: "how the owner of a packet is found and written", intro: manOwners, list: manOwnerList},
	{name: "ledger", help: "the account at the end of a run", intro: manLedger, list: manLedgerList, outro: manLedgerLimits},
	{name: "privileges", help: "the capabilities that each part needs", intro: manPrivilegesIntro, list: manPrivileges},
	{name: "differences", help: "what differs from the C dropwatch and dwdump", intro: manDifferencesIntro, bullets: manDifferences},
}

// outputsTopic explains --output. Types and options come from the table that is parsed by.
func outputsTopic() proseTopic {
	t := proseTopic{name: "outputs", help: "where drops can be written, with --output", intro: manOutputs, outro: manOutputsEnd}
	for _, output := range capture.OutputTypes() {
		text := output.Help
		for i, option := range output.Options() {
			separator := ", "
			if i == 0 {
				separator = " Options: "
			}
			text += separator + "*" + option.Usage() + "*"
		}
		t.list = append(t.list, entry{output.Usage(), strings.TrimSuffix(text, ".") + "."})
	}
	for _, option := range capture.OutputOptions() {
		t.list = append(t.list, entry{option.Usage(), option.Help})
	}
	return t
}

// addTopic adds a topic to the manual page.
func addTopic(m *cli.Page, t proseTopic) {
	m.Text(t.intro)
	addList(m, t.list)
	for _, b := range t.bullets {
		m.Bullet(b)
	}
	if t.outro != "" {
		m.Paragraph()
		m.Text(t.outro)
	}
	if t.example != "" {
		m.Example(t.example)
	}
}

// addList adds a list of terms with their explanations.
func addList(m *cli.Page, entries []entry) {
	for _, e := range entries {
		m.Item("*"+e.term+"*", e.text)
	}
}

// text returns the topic for a terminal of 80 columns, without markup.
func (t proseTopic) text() string {
	var b strings.Builder
	paragraph := func(indent, text string) {
		for i, p := range strings.Split(strings.TrimSpace(text), "\n\n") {
			if i > 0 {
				b.WriteByte('\n')
			}
			appendWrapped(&b, indent, strings.ReplaceAll(p, "*", ""))
		}
	}
	paragraph("", t.intro)
	for _, e := range t.list {
		b.WriteString("\n" + e.term + "\n")
		paragraph("    ", e.text)
	}
	for _, text := range t.bullets {
		b.WriteByte('\n')
		paragraph("", "- "+text)
	}
	if t.outro != "" {
		b.WriteByte('\n')
		paragraph("", t.outro)
	}
	if t.example != "" {
		b.WriteString("\n    " + strings.ReplaceAll(t.example, "\n", "\n    ") + "\n")
	}
	return b.String()
}

// appendWrapped appends text, wrapped at 80 columns. Each line begins with indent.
func appendWrapped(b *strings.Builder, indent, text string) { appendHanging(b, indent, indent, text) }

// appendHanging is appendWrapped with another beginning of the first line.
func appendHanging(b *strings.Builder, first, indent, text string) {
	b.WriteString(event.Wrap(text, first, indent, event.Columns))
}
