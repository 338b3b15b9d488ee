package jsonl

import (
	"cmp"
	"slices"

	"dropwatch/internal/event"
	"dropwatch/internal/tally"
)

// A pointTally counts events at points by the name of the point, those beyond maxRows of them as event.AnyPoint.
type pointTally struct {
	rows *tally.Tally[string, pointRow]
}

// A pointRow is what is known of a point beside its name and the number of its events.
type pointRow struct {
	last    []event.Arg // what the last event read
	written uint64      // events that earlier summaries have stated
}

// A pointEntry is a row with its name and its count.
type pointEntry = tally.Entry[string, pointRow]

func newPointTally() pointTally {
	return pointTally{tally.New[string, pointRow](maxRows, func(string) string { return event.AnyPoint })}
}

// add counts an event.
func (t *pointTally) add(e *event.Event) {
	r, _ := t.rows.Add(e.Point, e.Count)
	r.Value.last = append(r.Value.last[:0], e.Args...)
}

// grown returns the rows that have events since the last summary, most events first.
func (t *pointTally) grown() (rows []*pointEntry) {
	for r := range t.rows.All {
		if r.Count > r.Value.written {
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b *pointEntry) int {
		return cmp.Compare(b.Count-b.Value.written, a.Count-a.Value.written)
	})
	return rows
}

// appendPointRows appends an array with a row for each point; nothing if there are none.
func appendPointRows(b []byte, rows []*pointEntry) []byte {
	if len(rows) == 0 {
		return b
	}
	b = begin(b, "points", '[')
	for _, r := range rows {
		b = appendNumber(append(b, '{'), "count", r.Count-r.Value.written)
		b = appendNumber(b, "total", r.Count)
		b = end(appendPoint(b, r.Key, r.Value.last), '}')
	}
	return end(b, ']')
}
