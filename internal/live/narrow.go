package live

import (
	"time"

	"dropwatch/internal/event"
)

// Narrow returns a Counter of the kinds whose example matches, with everything that
// was counted of them. It is exact only if match depends on nothing in which events
// of one kind differ, such as their packets. Other never matches.
func (c *Counter) Narrow(match func(*event.Event) bool) *Counter {
	d := c.fresh()
	for e := range c.kinds.All {
		k := e.Value
		if k.example == nil || !match(k.example) {
			continue
		}
		to, _ := d.kinds.Add(e.Key, e.Count)
		to.Value = k.clone()
		d.total += e.Count
		d.flows += len(k.flows)
		d.clock.merge(&to.Value.clock, c.second)
	}
	for _, e := range c.recent.events {
		if !c.subject.Counts(e) || match(e) {
			d.recent.add(e, noLimit, maxBytes)
		}
	}
	return d
}

// Recount returns a Counter of the events that match and are still
// kept, each counted in the second of its own time: less than was counted, and
// right for any match.
func (c *Counter) Recount(match func(*event.Event) bool) *Counter {
	d := c.fresh()
	d.second = 0
	for _, e := range c.recent.events {
		if !c.subject.Counts(e) || match(e) {
			d.Add(e, e.Time)
		}
	}
	d.Tick(c.begin.Add(time.Duration(c.second) * time.Second))
	return d
}

// fresh returns an empty Counter with the same seconds.
func (c *Counter) fresh() *Counter {
	d := NewCounter(c.Begin(), c.subject)
	d.second = c.second
	return d
}
