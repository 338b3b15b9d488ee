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
	b.WriteString(f.headline())
	f.prose(b, "why", f.Meaning.Cause)
	f.prose(b, "usually", strings.Join(f.Meaning.Usual, "; "))
	f.prose(b, "drops", f.parts())
	f.prose(b, "pattern", f.pattern())
	f.prose(b, "where", f.where())
	f.appendArgs(b)
	f.appendPoints(b)
	if f.Rule.Text != "" {
		f.prose(b, "rule", string(f.Rule.Confidence)+" "+event.Escape(f.Rule.Text))
	}
	f.prose(b, "ICMP lost", f.answerLost())
	f.appendResent(b)
	f.field(b, "owner", f.owner())
	f.appendFlows(b)
	f.appendFollowed(b)
	f.prose(b, "sender", f.sender())
	f.field(b, "conntrack", f.connection())
	var agree []string
	for i := range f.Counters {
		agree = append(agree, fmt.Sprintf("%s +%d", f.Counters[i].ID(), f.Counters[i].Delta))
	}
	f.prose(b, "counters", strings.Join(agree, ", "))
	f.appendObjects(b)
	f.appendSettings(b)
	f.fields(b, "check", f.Meaning.Check)
	if len(unentered(f.Meaning.Check)) > 0 {
		f.field(b, "", "# PID: of a process in that network namespace, as lsns -t net shows")
	}
	f.prose(b, "fix", f.Meaning.Fix)
	f.fields(b, "", f.Meaning.Apply)
	b.WriteByte('\n')
}

// headline is what the finding is about, and its class: on a line of its own if both do not
// fit one.
func (f *Finding) headline() string {
	what, class := fmt.Sprintf("%d. %s  %s", f.Rank, event.Escape(f.ID), f.amount()), ""
	if f.Rate > 0 {
		what += fmt.Sprintf(", %.1f/s", f.Rate)
	}
	if f.Share > 0 && f.Unseen == 0 {
		what += fmt.Sprintf(", %.0f %% of all drops", 100*f.Share)
	}
	if f.Meaning.Entry != nil {
		class = "  (" + classOf(&f.Meaning) + ")"
	}
	if utf8.RuneCountInString(what+class) > width {
		return what + "\n " + class + "\n"
	}
	return what + class + "\n"
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

// field appends a line with a label, unless there is nothing to say. The text is
// escaped by whoever made it.
func (*Finding) field(b *strings.Builder, label, text string) {
	if text != "" {
		fmt.Fprintf(b, "   %-9s %s\n", label, text)
	}
}

// Columns of a terminal, and where the texts of a finding begin.
const (
	width  = event.Columns
	column = 13

	remarkIndent = "   " // of the second and later lines of a paragraph beside the findings
)

// prose appends a text with a label, broken between words at the width of a terminal.
// Commands are not broken, to be copied.
func (*Finding) prose(b *strings.Builder, label, text string) {
	b.WriteString(event.Wrap(text, fmt.Sprintf("   %-9s ", label), strings.Repeat(" ", column), width))
}

// appendRemark appends a paragraph about what is no finding, with its label.
func appendRemark(b *strings.Builder, label, text string) {
	b.WriteString(event.Wrap(text, label+": ", remarkIndent, width))
}

// fields appends several, the first with the label.
func (f *Finding) fields(b *strings.Builder, label string, lines []string) {
	for _, line := range lines {
		f.field(b, label, event.Escape(line))
		label = ""
	}
}

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
func (f *Finding) appendArgs(b *strings.Builder) {
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
	f.prose(b, "values", strings.Join(values, ", "))
	label := "route"
	if len(f.Routes) > 1 {
		label = "one of"
	}
	for _, r := range f.Routes {
		f.prose(b, label, event.Escape(r.String()))
		label = ""
	}
	f.prose(b, "route", f.nextHop())
}

// units are those of what sources read, where the name does not say them.
var units = map[string]string{"rmem": " bytes", "rcvbuf": " bytes"}

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

func (f *Finding) appendFlows(b *strings.Builder) {
	label := "flows"
	if f.Reported < f.Count && len(f.Flows) > 0 {
		f.field(b, label, fmt.Sprintf("of %d that were reported with their packets:", f.Reported))
		label = ""
	}
	for i, flow := range f.Flows {
		if i == maxFlowLines {
			f.field(b, "", fmt.Sprintf("and %d more", len(f.Flows)-i))
			break
		}
		f.field(b, label, fmt.Sprintf("%s  %d", strings.TrimSpace(flow.Flow.String()+" "+flow.Flags), flow.Count))
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
func (f *Finding) appendObjects(b *strings.Builder) {
	label := "about"
	for i, line := range f.listening() {
		if i == maxObjects {
			f.field(b, label, fmt.Sprintf("and %d more", len(f.Listeners)-i))
			break
		}
		f.prose(b, label, line)
		label = ""
	}
	for i := range f.Objects[:min(len(f.Objects), maxObjects)] {
		o := &f.Objects[i]
		if o.ID() == queueDrops {
			f.prose(b, label, queueText(o))
			label = ""
			continue
		}
		value := level(o)
		if !o.Gauge {
			value = fmt.Sprintf("+%d", o.Delta)
		}
		f.field(b, label, fmt.Sprintf("%s: %s %s", event.Escape(cmp.Or(o.Object, o.IfName)), event.Escape(o.Name), value))
		label = ""
	}
	if rest := len(f.Objects) - maxObjects; rest > 0 {
		f.field(b, "", fmt.Sprintf("and %d more", rest))
	}
}

// appendSettings appends each with its value and where that was set, and what is known
// of it.
func (f *Finding) appendSettings(b *strings.Builder) {
	label := "settings"
	for _, s := range f.Settings {
		text := event.Escape(s.Name + " = " + s.Value)
		if s.Origin != "" {
			text += ", set by " + event.Escape(s.Origin)
		}
		f.field(b, label, text)
		switch {
		case s.NotTheLimit != "":
			f.prose(b, "", s.NotTheLimit)
		case s.About != nil:
			f.prose(b, "", s.About.Loses+" "+s.About.Advice)
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
