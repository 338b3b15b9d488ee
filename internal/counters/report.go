package counters

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A Row is a change with what it means.
type Row struct {
	Change
	Known   bool // there is an entry in package knowledge
	Meaning knowledge.Explanation
}

// Rows explains changes.
func Rows(changes []Change) []Row {
	rows := make([]Row, len(changes))
	for i, c := range changes {
		rows[i].Change = c
		rows[i].Meaning, rows[i].Known = knowledge.OfCounter(c.ID(), c.IfName, c.Netns)
	}
	return rows
}

// Matters reports whether a row is worth the attention of a person: its total rose and
// a packet may be lost by that, or its level has reached its limit, at which packets
// that anybody needs may be lost.
func (r *Row) Matters() bool {
	if r.Gauge {
		harmless := r.Known && (r.Meaning.Entry.Loses == knowledge.Never || r.Meaning.Severity == knowledge.Noise)
		return r.Limit > 0 && r.Value >= r.Limit && !harmless
	}
	return r.Delta > 0 && r.Known && r.Meaning.Entry.Loses >= knowledge.Sometimes
}

// A Report is the rows of an interval, and what could not be read at its end.
type Report struct {
	Time     time.Time     // when its end was read
	Interval time.Duration // between the two snapshots
	Rows     []Row         // in the order of the counters
	Failures []Failure

	own uint32 // see Snapshot
}

// NewReport compares two snapshots.
func NewReport(before, after *Snapshot) *Report {
	return reportOf(before, after, Compare(before, after))
}

// Rises is NewReport without totals that did not rise, which takes a fraction of the time.
func Rises(before, after *Snapshot) *Report {
	return reportOf(before, after, compare(before, after, func(c *Change) bool { return c.Gauge || c.Delta > 0 }))
}

// reportOf makes the report of changes between two snapshots, with what they mean.
func reportOf(before, after *Snapshot, changes []Change) *Report {
	return &Report{after.Time, after.Time.Sub(before.Time), Rows(changes), after.Failures, after.Own}
}

// Keep leaves the rows for which keep is true.
func (r *Report) Keep(keep func(*Row) bool) {
	kept := r.Rows[:0]
	for i := range r.Rows {
		if keep(&r.Rows[i]) {
			kept = append(kept, r.Rows[i])
		}
	}
	r.Rows = kept
}

// Columns of a row: where the name begins, and how wide it is unless it is longer.
const (
	nameColumn = 6
	nameWidth  = 35
)

// WriteText writes each row, and below it what it means, once for rows with the same meaning
// that follow each other. All but the longest names fit a terminal.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	if len(r.Rows) > 0 {
		fmt.Fprintf(&b, "%-*s%-*s %9s %10s  %s\n", nameColumn, "LOST?", nameWidth, "COUNTER", "CHANGE", "PER SECOND", "VALUE")
	}
	for i := range r.Rows {
		row := &r.Rows[i]
		row.appendTo(&b, r.Interval, r.own)
		last := i == len(r.Rows)-1 || r.Rows[i+1].Meaning.Cause != row.Meaning.Cause
		if row.Known && last {
			appendProse(&b, row.Meaning.Cause)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// appendTo appends the row of a report made in the network namespace own: on one line, unless
// the name or what is known of its object is too long for that.
func (r *Row) appendTo(b *strings.Builder, interval time.Duration, own uint32) {
	lost, name := "-", r.name(own)
	if r.Known {
		lost = r.Meaning.Entry.Loses.String()
	}
	if utf8.RuneCountInString(name) > nameWidth {
		name += "\n" + strings.Repeat(" ", nameColumn+nameWidth)
	}
	value := fmt.Sprint(r.Value)
	if r.Gauge && r.Limit > 0 {
		value += fmt.Sprintf(" of %d", r.Limit)
	}
	for _, note := range []struct {
		holds bool
		text  string
	}{{r.Reset, " (reset)"}, {r.New, " (new)"}} {
		if note.holds {
			value += note.text
		}
	}
	numbers := fmt.Sprintf(" %9s %10.1f  %s", r.change(), r.Rate(interval), value)
	about := event.Escape(r.About)
	inline := about != "" && nameColumn+nameWidth+utf8.RuneCountInString(numbers+about)+len(" ()") <= event.Columns
	if inline {
		numbers += " (" + about + ")"
	}
	fmt.Fprintf(b, "%-*s%-*s%s\n", nameColumn, lost, nameWidth, name, numbers)
	if !inline {
		appendProse(b, about)
	}
}

// appendProse appends a text below a row.
func appendProse(b *strings.Builder, text string) {
	indent := strings.Repeat(" ", nameColumn)
	b.WriteString(event.Wrap(text, indent, indent, event.Columns))
}

// name is the counter with what it belongs to: "eth0 rx_dropped", "cpu 3 softnet.dropped".
func (r *Row) name(own uint32) string {
	object := r.Object
	if r.Group == Neighbour {
		object += " table" // "arp" alone reads like a network namespace
	}
	var words []string
	for _, w := range []string{r.netns(own), r.IfName, object, r.ID()} {
		if w != "" {
			words = append(words, event.Escape(w))
		}
	}
	return strings.Join(words, " ")
}

// netns names a network namespace other than that of this process: by its name, or else
// by its inode number as the links in /proc have it.
func (r *Row) netns(own uint32) string {
	switch {
	case r.Netns.Name != "":
		return r.Netns.Name + ":"
	case r.Netns.Inode != own && r.Netns.Inode != 0:
		return fmt.Sprintf("net:[%d]:", r.Netns.Inode)
	}
	return ""
}

// change is by how much it rose, or fell, with the sign.
func (r *Row) change() string {
	sign := "+"
	if r.Fell {
		sign = "-"
	}
	return sign + fmt.Sprint(r.Delta)
}

// A rowJSON is a row in JSON.
type rowJSON struct {
	Kind     string  `json:"kind"`
	Time     string  `json:"time"`
	Netns    string  `json:"netns,omitempty"`
	NetnsID  uint32  `json:"netns_inode,omitempty"`
	Group    Group   `json:"group"`
	ID       string  `json:"id"`
	Name     string  `json:"name"`
	IfName   string  `json:"ifname,omitempty"`
	Object   string  `json:"object,omitempty"`
	About    string  `json:"about,omitempty"`
	Value    uint64  `json:"value"`
	Limit    uint64  `json:"limit,omitempty"`
	Gauge    bool    `json:"gauge,omitempty"`
	Change   int64   `json:"change"`
	Rate     float64 `json:"rate"`
	Part     bool    `json:"part,omitempty"`
	Reset    bool    `json:"reset,omitempty"`
	New      bool    `json:"new,omitempty"`
	Entry    string  `json:"entry,omitempty"` // what dropwatch explain knows it by, if not by its ID
	Layer    string  `json:"layer,omitempty"`
	Module   string  `json:"module,omitempty"`
	Class    string  `json:"class,omitempty"`
	Severity string  `json:"severity,omitempty"`
	Lost     string  `json:"lost,omitempty"`
	Unit     string  `json:"unit,omitempty"`
	Meaning  string  `json:"meaning,omitempty"`
}

// WriteJSON writes an object in a line for each row, of kind "counter", and for each
// failure, of kind "failure".
func (r *Report) WriteJSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	for i := range r.Rows {
		if err := encoder.Encode(r.Rows[i].json(r)); err != nil {
			return err
		}
	}
	for i := range r.Failures {
		f := &r.Failures[i]
		err := encoder.Encode(struct {
			Kind    string `json:"kind"`
			Netns   string `json:"netns,omitempty"`
			NetnsID uint32 `json:"netns_inode,omitempty"`
			Group   Group  `json:"group,omitempty"`
			Error   string `json:"error"`
		}{"failure", f.Netns.Name, f.Netns.Inode, f.Group, f.Error()})
		if err != nil {
			return err
		}
	}
	return nil
}

// json is the line of a row. The rate is by second, and negative of a gauge that fell.
func (r *Row) json(report *Report) rowJSON {
	j := rowJSON{
		Kind: "counter", Time: report.Time.Format(time.RFC3339Nano), Netns: r.Netns.Name, NetnsID: r.Netns.Inode,
		Group: r.Group, ID: r.ID(), Name: r.Name, IfName: r.IfName, Object: r.Object, About: r.About,
		Value: r.Value, Limit: r.Limit, Gauge: r.Gauge, Change: int64(r.Delta), Rate: r.Rate(report.Interval),
		Part: r.Part, Reset: r.Reset, New: r.New,
	}
	if r.Fell {
		j.Change, j.Rate = -j.Change, -j.Rate
	}
	if e := r.Meaning.Entry; r.Known {
		j.Layer, j.Module, j.Class = e.Layer.String(), e.Module, r.Meaning.Class.String()
		if e.Name != j.ID {
			j.Entry = e.Name
		}
		j.Severity, j.Lost, j.Unit, j.Meaning = r.Meaning.Severity.String(), e.Loses.String(), e.Unit.String(), r.Meaning.Cause
	}
	return j
}
