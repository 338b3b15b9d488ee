package diagnose

import (
	"cmp"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"unicode/utf8"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// Rows of a part of the report at most.
const (
	maxFlowLines = 3
	maxInFull    = 5 // findings, before those with few drops have a line
)

// WriteText writes the report for a terminal: the findings, the noise in a line, what
// remains unexplained, faults that last, what dropwatch failed to see, and the verdict last.
func (d *Diagnosis) WriteText(w io.Writer) error {
	var b strings.Builder
	d.appendRecording(&b)
	d.appendFindings(&b)
	d.appendNoise(&b)
	d.appendUnexplained(&b)
	d.appendRaised(&b)
	d.appendStates(&b)
	d.appendUndecided(&b)
	b.WriteString(d.Ledger.Report()) // what dropwatch itself could not show
	b.WriteString(d.verdictLine())   // never broken: the last line is for scripts as well
	_, err := io.WriteString(w, b.String())
	return err
}

// appendRecording says whose counters and settings these are.
func (d *Diagnosis) appendRecording(b *strings.Builder) {
	if r := d.Recording; r != nil && r.Counters {
		fmt.Fprintf(b, "host %s, Linux %s, from %s to %s:\ncounters, settings, rules and sockets are of that host at that time\n\n",
			event.Escape(r.Host), event.Escape(r.Kernel), r.From.Local().Format("Jan _2 2006 15:04:05"), r.Until.Local().Format("15:04:05"))
	}
}

// appendFindings appends those that matter most in full, and the others on a line each.
func (d *Diagnosis) appendFindings(b *strings.Builder) {
	brief := 0
	for i := range d.Findings {
		f := &d.Findings[i]
		if i < maxInFull || f.Severity() == knowledge.Harm || f.Count*100 >= d.Drops {
			f.appendTo(b)
			continue
		}
		where := f.where()
		if where != "" {
			where = ", " + where
		}
		fmt.Fprintf(b, "%d. %s  %s%s\n", f.Rank, event.Escape(f.ID), f.amount(), where)
		brief++
	}
	if brief > 0 {
		b.WriteString("   less than 1 % of the drops each: --json shows them in full\n\n")
	}
}

// appendTo appends a finding: what, why, the evidence, whose, and what to do.
func (f *Finding) appendTo(b *strings.Builder) {
	p := new(paragraph)
	p.prose("why", f.Meaning.Cause)
	f.appendEvidence(p)
	p.appendRemedy(&f.Meaning)
	b.WriteString(f.headline())
	p.appendTo(b)
	b.WriteByte('\n')
}

// appendEvidence appends what is known beside why, and what to do.
func (f *Finding) appendEvidence(p *paragraph) {
	p.prose("evidence", strings.Join(f.Evidence, "; "))
	p.prose("usually", strings.Join(f.Meaning.Usual, "; "))
	p.prose("drops", f.parts())
	p.prose("pattern", f.pattern())
	p.prose("where", f.where())
	f.appendArgs(p)
	f.appendPoints(p)
	if f.Rule.Text != "" {
		p.prose("rule", string(f.Rule.Confidence)+" "+event.Escape(f.Rule.Text))
	}
	p.prose("ICMP lost", f.answerLost())
	f.appendResent(p)
	p.field("owner", f.owner())
	f.appendFlows(p)
	f.appendFrames(p)
	f.appendFollowed(p)
	p.prose("sender", f.sender())
	p.field("conntrack", f.connection())
	var agree []string
	for i := range f.Counters {
		agree = append(agree, fmt.Sprintf("%s +%d", f.Counters[i].ID(), f.Counters[i].Delta))
	}
	p.prose("counters", strings.Join(agree, ", "))
	f.appendQueues(p)
	f.appendObjects(p)
	f.appendSettings(p)
}

// headline is what the finding is about, and its class: on a line of its own if both do not
// fit one.
func (f *Finding) headline() string {
	what, class := fmt.Sprintf("%d. %s  %s", f.Rank, event.Escape(f.ID), f.extent()), ""
	if f.Meaning.Entry != nil {
		class = "  (" + classOf(&f.Meaning) + ")"
	}
	if utf8.RuneCountInString(what+class) > width {
		return what + "\n " + class + "\n"
	}
	return what + class + "\n"
}

// extent is the number of drops, their rate, and their part of all: "12 drops, 1.2/s, 40 % of all drops".
func (f *Finding) extent() string {
	text := f.amount()
	if f.Rate > 0 {
		text += fmt.Sprintf(", %.1f/s", f.Rate)
	}
	if f.Share > 0 && f.Unseen == 0 {
		text += fmt.Sprintf(", %.0f %% of all drops", 100*f.Share)
	}
	return text
}

// classOf is what kind of loss it is: "hardware, nic, error, harm".
func classOf(x *knowledge.Explanation) string {
	return fmt.Sprintf("%v, %s, %v, %v", x.Entry.Layer, x.Entry.Module, x.Class, x.Severity)
}

// amount is the number of drops, with that of the packets on the wire if it differs.
func (f *Finding) amount() string {
	switch {
	case f.Resent != nil:
		return f.resentAmount()
	case f.ByCounter() && f.Meaning.Entry.Fault && f.Meaning.Entry.Unit == knowledge.Calls:
		return event.Plural(f.Count, "failure") + " counted"
	case f.ByCounter():
		return fmt.Sprintf("%d counted by the kernel, no drop seen", f.Count)
	case f.Unseen > 0:
		return fmt.Sprintf("%s and %d more counted by the kernel", event.Plural(f.Count, "drop"), f.Unseen)
	case f.Segments > f.Count:
		return fmt.Sprintf("%s (%d packets on the wire)", event.Plural(f.Count, "drop"), f.Segments)
	}
	return event.Plural(f.Count, "drop")
}

// Columns of a terminal, and where the texts of a finding begin.
const (
	width  = event.Columns
	column = 13

	remarkIndent = "   " // of the second and later lines of a paragraph beside the findings
)

// appendRemark appends a paragraph about what is no finding, with its label.
func appendRemark(b *strings.Builder, label, text string) {
	b.WriteString(event.Wrap(text, label+": ", remarkIndent, width))
}

// where says in a line at which location, interface and network namespace it was; empty if none is known.
func (f *Finding) where() string {
	var words []string
	if f.Location != "" && f.Location != f.ID {
		words = append(words, "at "+event.Escape(f.Location))
	}
	if f.IfName != "" {
		words = append(words, "interface "+event.Quote(f.IfName)+f.role)
	}
	if len(f.Namespaces) > 0 {
		words = append(words, f.namespaces())
	} else if netns := describeNetns(f.Netns, f.InNetns); netns != "" {
		words = append(words, netns)
	}
	return strings.Join(words, ", ")
}

// appendArgs appends what the source read at all drops, but for the type of the route,
// which the cause says, and the routes.
func (f *Finding) appendArgs(p *paragraph) {
	var values []string
	for _, a := range f.Args {
		switch {
		case a.Name == "route":
		case a.Text != "":
			values = append(values, event.Escape(a.Name)+" "+event.Quote(a.Text))
		default:
			values = append(values, fmt.Sprintf("%s %d%s", event.Escape(a.Name), a.Number, units[a.Name]))
		}
	}
	if f.Egress != "" {
		values = append(values, "to leave by interface "+event.Quote(f.Egress))
	}
	p.prose("values", strings.Join(values, ", "))
	label := "route"
	if len(f.Routes) > 1 {
		label = "one of"
	}
	for _, r := range f.Routes {
		p.prose(label, event.Escape(r.String()))
		label = ""
	}
	p.prose("route", f.nextHop())
}

// units are those of what sources read, where the name does not say them.
var units = map[string]string{"rmem": " bytes", "rcvbuf": " bytes"}

// owner says whose packets they were; empty if that is not known.
func (f *Finding) owner() string {
	text := f.Owner.AppendTo(nil)
	if len(text) == 0 {
		return ""
	}
	if f.OwnerCount < f.Count {
		return fmt.Sprintf("%s, %d of %s", text, f.OwnerCount, event.Plural(f.Count, "drop"))
	}
	return string(text)
}

// appendFlows adds a line for each of the largest flows, and how many others there are.
func (f *Finding) appendFlows(p *paragraph) {
	label := "flows"
	if f.Reported < f.Count && len(f.Flows) > 0 {
		p.field(label, fmt.Sprintf("of %d that were reported with their packets:", f.Reported))
		label = ""
	}
	for i, flow := range f.Flows {
		if i == maxFlowLines {
			p.field("", fmt.Sprintf("and %d more", len(f.Flows)-i))
			break
		}
		p.field(label, fmt.Sprintf("%s  %d", strings.TrimSpace(flow.Flow.String()+" "+flow.Flags), flow.Count))
		label = ""
	}
}

// answerLost says by which rule the ICMP errors were lost, and where, if that is elsewhere.
func (f *Finding) answerLost() string {
	r := &f.AnswerLost
	by := "by " + string(r.Confidence) + " "
	switch r.Confidence {
	case Exactly:
		by = "by "
	case Likely:
		by = "likely by "
	}
	text := by + event.Escape(r.Text)
	switch where := describeNetns(f.answerIn, event.Process{}); {
	case r.Text == "":
		return ""
	case where != "":
		text += " in " + where
	}
	return text
}

// connection is what connection tracking knows of the first flow.
func (f *Finding) connection() string {
	switch f.Conntrack.State {
	case "":
		return ""
	case noConnection:
		return "no entry for the first flow"
	}
	return f.Conntrack.String()
}

// maxObjects is how many queues, buffers and sockets a finding lists.
const maxObjects = 5

// appendObjects appends each socket that accepts packets to the port, each queue or buffer that is
// full, and each socket that dropped.
func (f *Finding) appendObjects(p *paragraph) {
	label := "about"
	for i, line := range f.listening() {
		if i == maxObjects {
			p.field(label, fmt.Sprintf("and %d more", len(f.Listeners)-i))
			break
		}
		p.prose(label, line)
		label = ""
	}
	for i := range f.Objects[:min(len(f.Objects), maxObjects)] {
		o := &f.Objects[i]
		if o.ID() == queueDrops {
			p.prose(label, queueText(o))
			label = ""
			continue
		}
		value := level(o)
		if !o.Gauge {
			value = fmt.Sprintf("+%d", o.Delta)
		}
		p.field(label, fmt.Sprintf("%s: %s %s", event.Escape(cmp.Or(o.Object, o.IfName)), event.Escape(o.Name), value))
		label = ""
	}
	if rest := len(f.Objects) - maxObjects; rest > 0 {
		p.field("", fmt.Sprintf("and %d more", rest))
	}
}

// appendSettings appends each with its value and where that was set, and what is known
// of it: once of an interface's and that of all which follows.
func (f *Finding) appendSettings(p *paragraph) {
	label := "settings"
	for i, s := range f.Settings {
		text := event.Escape(s.Name + " = " + s.Value)
		if s.Origin != "" {
			text += ", set by " + event.Escape(s.Origin)
		}
		p.field(label, text)
		switch {
		case s.NotTheLimit != "":
			p.prose("", s.NotTheLimit)
		case i+1 < len(f.Settings) && f.Settings[i+1].About == s.About && f.Settings[i+1].NotTheLimit == "":
		case s.About != nil:
			p.prose("", s.About.Loses+" "+s.About.Advice)
		}
		label = ""
	}
}

// String is the flow for a person: "udp 10.0.0.1:53 > 10.0.0.2:40000".
func (f Flow) String() string {
	if !f.Src.IsValid() {
		return "ethertype " + f.Protocol
	}
	return fmt.Sprintf("%s %s > %s", f.Protocol, endpoint(f.Src), endpoint(f.Dst))
}

// endpoint is an address, with the port unless that is 0.
func endpoint(a netip.AddrPort) string {
	if a.Port() == 0 {
		return a.Addr().String()
	}
	return a.String()
}
