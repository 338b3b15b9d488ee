package live_test

import (
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/live"
)

// TestPoints: events are counted by point and object, whatever the length of the queue is; drops are not.
func TestPoints(t *testing.T) {
	begin := time.Unix(1_000_000, 0)
	c := live.NewCounter(begin, live.Points)
	for _, of := range []struct {
		name        string
		port, queue uint64
	}{{"tcp_accept_queue", 80, 4}, {"tcp_accept_queue", 80, 5}, {"tcp_accept_queue", 443, 4}, {"udp_queue", 53, 9}} {
		e := event.Event{Kind: event.Point, Time: begin, Count: 1, Individual: true, Point: of.name, Args: []event.Arg{
			{Name: "len", Number: of.queue}, {Name: "port", Number: of.port},
		}}
		if !live.Points.Counts(&e) {
			t.Errorf("%+v is not counted", e)
		}
		c.Add(&e, begin)
	}
	if live.Points.Counts(&event.Event{Kind: event.Drop}) || live.Drops.Counts(&event.Event{Kind: event.Point}) {
		t.Error("points and drops are counted together")
	}
	got := make(map[string]uint64)
	for _, r := range c.Rows(live.GroupOf(live.Location, live.Reason)) {
		got[r.Text(live.Location)+" "+r.Text(live.Reason)] = r.Total
	}
	if len(got) != 3 || got["tcp_accept_queue port 80"] != 2 || got["tcp_accept_queue port 443"] != 1 || got["udp_queue port 53"] != 1 {
		t.Errorf("%v", got)
	}
}
