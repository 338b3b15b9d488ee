package table_test

import (
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/point"
	"dropwatch/internal/sink/table"
)

// pointTable returns the table of a run of some events, that ended after 2 seconds.
func pointTable(t *testing.T, o table.Options, events ...event.Event) string {
	t.Helper()
	var b strings.Builder
	o.Begin = time.Unix(1_000_000, 0)
	s := table.New(&b, o)
	var ledger event.Ledger
	for i := range events {
		events[i].Time = o.Begin
		ledger.Add(&events[i])
		if err := s.Write(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	ledger.Points.Lost = 4
	if err := s.Write(&event.Event{Kind: event.End, Time: o.Begin.Add(2 * time.Second), Ledger: &ledger}); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// atPoint is an event at a point with these values.
func atPoint(name string, args ...event.Arg) event.Event {
	return event.Event{Kind: event.Point, Count: 1, Point: name, Args: args}
}

// TestPoints: the table has each point with what its last event says, and its values if the point is not known.
func TestPoints(t *testing.T) {
	arg := func(name string, n uint64) event.Arg { return event.Arg{Name: name, Number: n} }
	events := []event.Event{
		atPoint("tcp_accept_queue", arg("qlen", 4), arg("limit", 3), arg("port", 80)),
		atPoint("tcp_accept_queue", arg("qlen", 5), arg("limit", 3), arg("port", 443)),
		atPoint("own\x1b", arg("len", 0), event.Arg{Name: "dev", Text: "eth\x1b0"}),
	}
	const rows = `  events    point
       2    tcp_accept_queue
            SYN refused on port 443: accept queue 5 of 3
       1    own\x1b
            len 0 dev eth\x1b0
`
	want := "3 point events in 2.0 s\n" + rows + "total 7: 3 shown, 4 lost\n"
	if got := pointTable(t, table.Options{Point: point.Lookup, OnlyPoints: true}, events...); got != want {
		t.Errorf("points alone:\n%s\nwant\n%s", got, want)
	}
	want = "no drops in 2.0 s\nbeside the drops: 3 point events\n" + rows + "total 0: 0 shown, 0 lost\nlost 4 point events\n"
	if got := pointTable(t, table.Options{Point: point.Lookup}, events...); got != want {
		t.Errorf("beside drops:\n%s\nwant\n%s", got, want)
	}
}
