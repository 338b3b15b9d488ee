package top

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/live"
)

// A more is a text that can be longer than the screen: the details of a row, or the
// help.
type more struct {
	group live.Group
	names live.Names // of the row, by the keys of group
	text  []string
	top   int // the first line on the screen

	wanted question                       // whose finding the text lacks; zero: none
	drops  []*event.Event                 // that it is to be made of
	found  map[question]*diagnose.Finding // those that were asked for; nil: there is none yet
}

// A question is of which drops the text shows the finding: those with a cause, in a network
// namespace, at an interface.
type question struct {
	cause  *knowledge.Entry
	netns  event.Netns
	ifname string
}

// press handles a key that scrolls. Room is the number of lines on the screen.
func (m *more) press(key string, room int) {
	switch key {
	case "up", "k":
		m.top--
	case "down", "j", "enter":
		m.top++
	case "pgup", "ctrl+b":
		m.top -= room
	case "pgdown", "ctrl+f":
		m.top += room
	case "home", "g":
		m.top = 0
	case "end", "G":
		m.top = len(m.text)
	}
	m.scroll(room)
}

// scroll keeps the first line within the text.
func (m *more) scroll(room int) { m.top = max(0, min(m.top, len(m.text)-room)) }

// lines returns the lines that are on the screen.
func (m *more) lines(room int) []string {
	m.scroll(room)
	return m.text[m.top:min(len(m.text), m.top+room)]
}

// wrap breaks lines that have more than width columns, and indents what follows.
func (m *more) wrap(width int) {
	var text []string
	for _, line := range m.text {
		if ansi.StringWidth(line) > width {
			line = ansi.Wrap(line, max(1, width-len(indent)), "")
		}
		text = append(text, strings.Split(strings.ReplaceAll(line, "\n", "\n"+indent), "\n")...)
	}
	m.text = text
}

// indent is before the continuation of a line.
const indent = "    "

// describe makes the text about a row for a screen of width columns. End is the
// second at which the history ends.
func (m *more) describe(s *Sink, d *live.Detail, end int64, width int) {
	m.text, m.wanted = nil, question{}
	for _, k := range s.view.subject.Keys {
		if m.group.Has(k) {
			m.add("%-*v %s", labelWidth, k, d.Text(k))
		}
	}
	if !m.group.Has(live.Netns) && len(d.Netns) > 0 {
		m.add("%-*v %s", labelWidth, live.Netns, strings.Join(d.Netns, ", "))
	}
	m.add("%-*s %d a second, %d in all", labelWidth, s.view.noun+"s", d.History.Rate(), d.Total)
	if d.Sampled {
		m.add("%-*s %s", labelWidth, "", "samples only: more may be in the row without an owner")
	}
	m.add("%-*s %s", labelWidth, "minute", sparkline(&d.History, end, sparkFit(width-labelWidth-1)))
	m.rtt(d)
	m.explain(d, width)
	m.flows(s.view, d)
	m.packets(&s.opts, d)
	m.stack(d)
}

// labelWidth is the width of the labels before the first lines.
const labelWidth = 10

// add adds one line.
func (m *more) add(format string, args ...any) { m.text = append(m.text, fmt.Sprintf(format, args...)) }

// begin begins a section of the text.
func (m *more) begin(title string) { m.text = append(m.text, "", styled(bold, title)) }

// rtt adds the last round-trip time that is known of the connections.
func (m *more) rtt(d *live.Detail) {
	for _, e := range d.Last {
		if s := e.Segment; s != nil && s.RTT > 0 {
			m.add("%-*s %v", labelWidth, "rtt", time.Duration(s.RTT)*time.Microsecond)
			return
		}
	}
}

// explain adds cause, check and fix by the evidence of the latest event, or of the
// example if drops were only counted.
func (m *more) explain(d *live.Detail, width int) {
	e := d.Example
	if len(d.Last) > 0 {
		e = d.Last[0]
	}
	if e == nil {
		return
	}
	x, known := explain(e)
	if !known {
		m.check(checkPeer(e))
		return
	}
	n := x.Entry
	q, wanted := questionOf(e, n)
	f, asked := m.found[q]
	if wanted && !asked {
		m.wanted, m.drops = q, q.dropsOf(d.Last)
	}
	if f != nil && f.Meaning.Entry == n { // with what the host says
		x = f.Meaning
	}
	m.begin(fmt.Sprintf("cause (%v, %s, %v, %v)", n.Layer, n.Module, x.Class, x.Severity))
	m.paragraph(x.Cause, width)
	if len(x.Usual) > 0 {
		m.paragraph("Usually: "+strings.Join(x.Usual, "; "), width)
	}
	if f != nil {
		m.culprit(ruleOf(e, f), f, width)
		m.settings(f.Settings, width)
	}
	m.check(checks(&x, e))
	if x.Fix != "" {
		m.begin("fix")
		m.paragraph(x.Fix, width)
		m.text = append(m.text, x.Apply...)
	}
}

// questionOf returns what is asked about the drop behind an event, with its cause; false if there is none.
func questionOf(e *event.Event, cause *knowledge.Entry) (question, bool) {
	drop, ok := e.Dropped()
	return question{cause, drop.Netns, drop.Port.IfName}, ok
}

// check adds commands that show more.
func (m *more) check(commands []string) {
	if len(commands) > 0 {
		m.begin("check")
		m.text = append(m.text, commands...)
	}
}

// ruleOf returns the rule by which a segment was dropped, if its source knew it, or else that of the finding.
func ruleOf(e *event.Event, f *diagnose.Finding) diagnose.Rule {
	if s := e.Segment; s != nil && s.Drop.Rule != "" {
		return diagnose.Rule{Text: s.Drop.Rule, Confidence: diagnose.Confidence(s.Drop.RuleConfidence)}
	}
	return f.Rule
}

// culprit adds the rule of a firewall, or the routes, that dropped.
func (m *more) culprit(rule diagnose.Rule, f *diagnose.Finding, width int) {
	if rule.Text != "" {
		m.begin("rule")
		m.paragraph(string(rule.Confidence)+" "+event.Escape(rule.Text), width)
	}
	for i, r := range f.Routes {
		if i == 0 {
			m.begin("route")
		}
		m.add("%s", event.Escape(r.String()))
	}
}

// settings adds those that decide the drops, as they were when the details were opened.
func (m *more) settings(all []diagnose.Setting, width int) {
	for i, s := range all {
		if i == 0 {
			m.begin("settings")
		}
		text := s.Name + " = " + s.Value
		if s.Origin != "" {
			text += "  (" + s.Origin + ")"
		}
		m.add("%s", event.Escape(text))
		switch {
		case s.NotTheLimit != "":
			m.paragraph(s.NotTheLimit, width)
		case s.About != nil:
			m.paragraph(s.About.Loses+" "+s.About.Advice, width)
		}
	}
}

// paragraph adds text, broken between words. Commands are not broken: they can be
// copied.
func (m *more) paragraph(text string, width int) {
	m.text = append(m.text, strings.Split(ansi.Wordwrap(text, max(width, 1), ""), "\n")...)
}

// maxFlows is how many flows are listed, so that the sections below stay within
// reach.
const maxFlows = 10

// flows adds the flows with the most events.
func (m *more) flows(w *view, d *live.Detail) {
	if d.Seen == 0 {
		return
	}
	m.begin("flows of the " + event.Plural(d.Seen, w.noun) + " reported with their packets")
	rest := d.Seen
	for _, f := range d.Flows[:min(len(d.Flows), maxFlows)] {
		m.add("%8d  %s", f.Count, f.Name)
		rest -= f.Count
	}
	if rest > 0 {
		m.add("%8d  of other flows", rest)
	}
}

// packets adds the last packets, each as watch prints it.
func (m *more) packets(o *Options, d *live.Detail) {
	m.begin("last packets, the latest first")
	for _, e := range d.Last {
		m.text = append(m.text, o.Format(e))
	}
	if len(d.Last) == 0 {
		m.add("none: these drops were only counted")
	}
}

// stack adds the stack trace of the latest drop that has one.
func (m *more) stack(d *live.Detail) {
	for _, e := range d.Last {
		if len(e.Stack) == 0 {
			continue
		}
		m.begin("kernel stack trace of the latest drop")
		for i := range e.Stack {
			m.text = append(m.text, "  "+string(e.Stack[i].AppendTo(nil)))
		}
		return
	}
}
