package table

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/point"
	"dropwatch/internal/tally"
)

// A pointTally counts events of kind Point by their points. The zero value is empty and ready to use.
type pointTally struct {
	rows *tally.Tally[string, pointRow] // by the name of the point; nil: no event was added
}

// A pointRow is what is known of a point beside how often it was reached.
type pointRow struct {
	last    []event.Arg // the values of the last event
	printed uint64      // how many of the events were in the tables of intervals
}

// A pointEntry is a row with its name and its count.
type pointEntry = tally.Entry[string, pointRow]

// add counts an event.
func (t *pointTally) add(e *event.Event) {
	if t.rows == nil {
		t.rows = tally.New[string, pointRow](maxRows, func(string) string { return event.AnyPoint })
	}
	r, _ := t.rows.Add(e.Point, e.Count)
	r.Value.last = append(r.Value.last[:0], e.Args...)
}

// all returns the rows, the largest first. Equal ones are in the order of their names.
func (t *pointTally) all() (rows []*pointEntry) {
	if t.rows == nil {
		return nil
	}
	for r := range t.rows.All {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b *pointEntry) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Key, b.Key))
	})
	return rows
}

// appendPoints appends how often each point was reached in the run, and what the last event says.
func (s *Sink) appendPoints() {
	rows := s.points.all()
	if len(rows) == 0 {
		return
	}
	table := []line{{cells: cells{"events", "", "point"}}}
	for _, r := range rows {
		table = append(table, line{cells: cells{fmt.Sprint(r.Count), "", event.Escape(r.Key)}, below: s.says(r)})
	}
	s.buf = appendLines(s.buf, table, s.width())
}

// endPoints appends the table of a run of points alone, of so many seconds, and its ledger.
func (s *Sink) endPoints(c *event.PointCounts, took float64) {
	s.appendColored(s.bold, fmt.Sprintf("%s in %.1f s\n", event.Plural(c.Shown, "point event"), took))
	s.appendPoints()
	s.buf = fmt.Appendf(s.buf, "total %d: %d shown, %d lost", c.Shown+c.Lost+c.Rejected, c.Shown, c.Lost)
	if c.Rejected > 0 {
		s.buf = fmt.Appendf(s.buf, ", %d filtered", c.Rejected)
	}
	s.buf = append(s.buf, '\n')
}

// says returns what the last event of a row says: the sentence of its point, or else its values.
func (s *Sink) says(r *pointEntry) string {
	p := s.pointOf(r.Key)
	if p.Says == "" {
		return event.Escape(valuesOf(r.Value.last))
	}
	return event.Escape(p.Text(func(name string) (string, bool) {
		i := slices.IndexFunc(r.Value.last, func(a event.Arg) bool { return a.Name == name })
		if i < 0 {
			return "", false
		}
		return valueOf(&r.Value.last[i]), true
	}))
}

// pointOf returns the point of a name; one that says nothing if it is not known.
func (s *Sink) pointOf(name string) (p point.Point) {
	if s.opts.Point != nil {
		p, _ = s.opts.Point(name)
	}
	return p
}

// valuesOf writes values as lines do: "qlen 4 limit 3".
func valuesOf(args []event.Arg) string {
	all := make([]string, len(args))
	for i := range args {
		all[i] = args[i].Name + " " + valueOf(&args[i])
	}
	return strings.Join(all, " ")
}

func valueOf(a *event.Arg) string { return cmp.Or(a.Text, fmt.Sprint(a.Number)) }

// pointsOfInterval returns how often points were reached since the last table: ", 3 tcp_accept_queue"; empty if none was.
func (s *Sink) pointsOfInterval() string {
	var b strings.Builder
	for _, r := range s.points.all() {
		if n := r.Count - r.Value.printed; n > 0 {
			fmt.Fprintf(&b, ", %d %s", n, event.Escape(r.Key))
		}
		r.Value.printed = r.Count
	}
	return b.String()
}
