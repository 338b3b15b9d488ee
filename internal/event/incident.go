package event

import (
	"cmp"
	"time"
	"unsafe"
)

// An Incident is a time in which events were too many, by an alert: what a Finding is about. Reason, Port, Netns and
// Owner of the event are those of its first cause. What others chose is not escaped.
type Incident struct {
	Alert      string        // its name
	Expression string        // events that match it count; empty: all drops
	Over       bool          // it ended at the Time of the event; otherwise it began then
	Begun      time.Time     // when it began
	Lasted     time.Duration // of one that is over
	Events     uint64        // within Window or, of one that is over, until its end; of retransmissions, segments
	Noun       string        // what Events are, for [Plural]: "drop", "retransmitted segment"
	Threshold  uint64        // events within Window that are too many
	Window     time.Duration // at least a second
	Unreported uint64        // incidents before it that were not reported

	ID       string // of the first cause: a reason, a function, a counter; empty if none was found
	Location string // the function or trap that dropped; empty if that is not known
	Severity string // harm, maybe or noise; empty without an ID
	Cause    string
	Fix      string // with the commands that do it, if there are any
}

// State is begin or end.
func (i *Incident) State() string {
	if i.Over {
		return "end"
	}
	return "begin"
}

// AppendTo appends the incident for a person, escaped: "alert dns: 120 drops within 10s: NO_SOCKET: No socket listens.".
func (i *Incident) AppendTo(b []byte) []byte {
	b = append(append(append(b, "alert "...), Escape(i.Alert)...), ": "...)
	events := Plural(i.Events, Escape(cmp.Or(i.Noun, "event")))
	if i.Over {
		b = append(b, "over after "+Duration(i.Lasted.Round(time.Second))+", "+events...)
	} else {
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
	return size
}
