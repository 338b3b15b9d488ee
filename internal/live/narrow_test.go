package live_test

import (
	"fmt"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/live"
)

// history counts drops of two kinds in two seconds.
func history() *live.Counter {
	c := live.NewCounter(begin, live.Drops)
	other := packet("g", 7, at(0))
	other.Reason = "S"
	add(c, at(0), packet("f", 1, at(0)), drop("f", "R", 100), other)
	add(c, at(1), packet("f", 2, at(1)), event.Event{Kind: event.Loss, Count: 1})
	c.Tick(at(2))
	return c
}

func TestNarrow(t *testing.T) {
	c := history()
	d := c.Narrow(func(e *event.Event) bool { return e.Reason == "R" })
	equal(t, "rows", rows(d, all), []string{`1/s 102 ["f" "R" "-" "-" "-" "-"]`})
	sum := d.Sum()
	if d.Total() != 102 || sum.History.Rate() != 1 || sum.History[58] != 101 || d.Elapsed() != c.Elapsed() {
		t.Errorf("%d drops, history %v, %d s", d.Total(), sum.History, d.Elapsed())
	}
	if got := len(d.Events()); got != 4 { // two packets, a count and the loss
		t.Errorf("%d events, want 4", got)
	}
	if got := d.Detail(0, live.Names{}); len(got.Flows) != 2 || got.Seen != 2 {
		t.Errorf("flows %v", got.Flows)
	}
	before := fmt.Sprint(rows(c, all), c.Sum())
	add(d, at(2), packet("f", 3, at(2)))
	if got := fmt.Sprint(rows(c, all), c.Sum()); got != before {
		t.Errorf("the original has changed: %s, want %s", got, before)
	}
	d.Tick(at(3))
	if sum := d.Sum(); sum.History.Rate() != 1 || sum.Total != 103 {
		t.Errorf("later: %d drops, history %v", sum.Total, sum.History)
	}
}

// TestNarrowOthers: kinds that there is no room for do not match.
func TestNarrowOthers(t *testing.T) {
	c := live.NewCounter(begin, live.Drops)
	for i := range live.MaxKinds + 5 {
		add(c, begin, drop(fmt.Sprint("f", i), "R", 1))
	}
	if d := c.Narrow(func(*event.Event) bool { return true }); d.Total() != live.MaxKinds || d.Crowded() {
		t.Errorf("%d drops, crowded %v", d.Total(), d.Crowded())
	}
}

func TestRecount(t *testing.T) {
	c := history()
	d := c.Recount(func(e *event.Event) bool { return e.Packet.Flow != nil && e.Packet.Flow.SrcPort < 7 })
	equal(t, "rows", rows(d, all), []string{`1/s 2 ["f" "R" "-" "-" "-" "-"]`})
	if sum := d.Sum(); sum.History.Rate() != 1 || sum.History[58] != 1 || d.Elapsed() != c.Elapsed() {
		t.Errorf("history %v, %d s", sum.History, d.Elapsed())
	}
}
