package event

import (
	"cmp"
	"slices"
	"strconv"
	"time"
	"unsafe"
)

// An Incident is what a Finding is about: a time in which events were too many, by an alert, or a cause that a diagnosis
// found. Reason, Port, Netns and Owner of the event are those of the cause, of an alert the first. What others chose is
// not escaped.
type Incident struct {
	Alert      string        // its name; empty: it is of a diagnosis
	Expression string        // of an alert: events that match it count; empty: all drops
	Over       bool          // it ended at the Time of the event; otherwise it began then. A diagnosis is always over
	Begun      time.Time     // when it began
	Lasted     time.Duration // of one that is over
	Events     uint64        // within Window or, of one that is over, until its end; of retransmissions, segments
	Noun       string        // what Events are, for [Plural]: "drop", "retransmitted segment"
	Threshold  uint64        // of an alert: events within Window that are too many
	Window     time.Duration // of an alert: at least a second
	Unreported uint64        // of an alert: incidents before it that were not reported

	ID       string // of the cause: a reason, a function, a counter; empty if none was found
	Location string // the function or trap that dropped; empty if that is not known
	Severity string // harm, maybe or noise; empty without an ID
	Cause    string // in a sentence or two; empty without an ID
	Fix      string // with the commands that do it, if there are any

	// Detail is what else is known of the cause, which nobody changes any more; nil: nothing, as in old recordings.
	Detail *Detail
}

// A Detail is the rest of what a diagnosis knows of a cause.
type Detail struct {
	Rank                 uint64   // among the findings of a diagnosis, from 1, the worst first; 0 of noise, and of an alert
	Layer, Module, Class string   // as dropwatch explain has them; empty if nothing is known of the cause
	Rule, RuleConfidence string   // the firewall's that dropped, and how sure that is; empty if none is known
	Facts                []Fact   // of the report of a diagnosis, in its order
	Check, Apply         []string // commands: that show more, and that fix it
}

// A Fact is a line of the report of a diagnosis: what it is called, "flows", and its text, which is escaped.
type Fact struct{ Name, Text string }

// State is begin or end.
func (i *Incident) State() string {
	if i.Over {
		return "end"
	}
	return "begin"
}

// IsDiagnosis reports whether it is of a diagnosis, and not of an alert.
func (i *Incident) IsDiagnosis() bool { return i.Alert == "" }

// AppendTo appends the incident for a person, escaped: "alert dns: 120 drops within 10s: NO_SOCKET: No socket listens.", or
// "finding 1, harm: 120 drops within 10s: NO_SOCKET: No socket listens.".
func (i *Incident) AppendTo(b []byte) []byte {
	b = append(append(b, i.title()...), ": "...)
	events := Plural(i.Events, Escape(cmp.Or(i.Noun, "event")))
	switch {
	case i.IsDiagnosis():
		b = append(b, events+" within "+Duration(i.Lasted.Round(time.Millisecond))...)
	case i.Over:
		b = append(b, "over after "+Duration(i.Lasted.Round(time.Second))+", "+events...)
	default:
		b = append(b, events+" within "+Duration(i.Window)...)
	}
	if i.Unreported > 0 {
		b = append(b, ", after "+Plural(i.Unreported, "incident")+" without a report"...)
	}
	for _, text := range []string{i.ID, i.Cause} {
		if text != "" {
			b = append(append(b, ": "...), Escape(text)...)
		}
	}
	return b
}

// title is what AppendTo begins with.
func (i *Incident) title() string {
	if !i.IsDiagnosis() {
		return "alert " + Escape(i.Alert)
	}
	title := "finding"
	if i.Detail != nil && i.Detail.Rank > 0 {
		title += " " + strconv.FormatUint(i.Detail.Rank, 10)
	}
	if i.Severity != "" {
		title += ", " + Escape(i.Severity)
	}
	return title
}

// Texts returns where its texts are, in the order of recordings.
func (i *Incident) Texts() []*string {
	return []*string{&i.Alert, &i.Expression, &i.Noun, &i.ID, &i.Location, &i.Severity, &i.Cause, &i.Fix}
}

// size is about how many bytes a copy takes.
func (i *Incident) size() int {
	size := int(unsafe.Sizeof(*i))
	for _, text := range i.Texts() {
		size += len(*text)
	}
	if i.Detail != nil {
		size += i.Detail.size()
	}
	return size
}

// Texts returns where its texts are that are no lists, in the order of recordings.
func (d *Detail) Texts() []*string {
	return []*string{&d.Layer, &d.Module, &d.Class, &d.Rule, &d.RuleConfidence}
}

// size is about how many bytes a copy takes, if it had lists of its own.
func (d *Detail) size() int {
	size := int(unsafe.Sizeof(*d))
	for _, text := range d.Texts() {
		size += len(*text)
	}
	for _, f := range d.Facts {
		size += int(unsafe.Sizeof(f)) + len(f.Name) + len(f.Text)
	}
	for _, command := range slices.Concat(d.Check, d.Apply) {
		size += int(unsafe.Sizeof(command)) + len(command)
	}
	return size
}
