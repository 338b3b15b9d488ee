package live

import (
	"maps"
	"slices"
	"time"

	"dropwatch/internal/event"
)

// What bounds the memory of a Counter.
const (
	MaxKinds = 1000    // that have a count of their own
	maxFlows = 8000    // of all kinds together
	maxLast  = 8       // events of a kind
	maxBytes = 8 << 20 // of the events of all kinds
	noLimit  = 1 << 30
)

// Other is the name, by each Key, of the kinds that there is no room for.
const Other = "(other)"

// A Counter counts drops by kind, which is what they are by all keys. It is not
// safe for use by several goroutines.
type Counter struct {
	begin  time.Time // of second 0
	second int64     // that is under way
	kinds  map[string]*kind
	other  *kind // nil if there is room for all
	clock  clock
	total  uint64
	flows  int // of all kinds
	recent recent
	buf    []byte
}

// A kind of drops.
type kind struct {
	names   Names
	unowned string // the kind of the same but without an owner, if the owner is only likely
	clock   clock
	total   uint64
	counted bool              // some of them were only counted
	seen    uint64            // those that have a flow
	flows   map[string]uint64 // as far as there was room
	last    recent
}

// NewCounter makes a Counter that begins to count now. A source hands on counts
// once a second from when it began: the seconds of a Counter end half way
// between, so that each has one of these.
func NewCounter(now time.Time) *Counter {
	return &Counter{begin: now.Add(-time.Second / 2), kinds: make(map[string]*kind)}
}

// Begin is when it began to count.
func (c *Counter) Begin() time.Time { return c.begin.Add(time.Second / 2) }

// Total is the number of drops.
func (c *Counter) Total() uint64 { return c.total }

// Events gives those that are still known, the latest last: drops, and losses
// where they happened.
func (c *Counter) Events() []*event.Event { return slices.Clone(c.recent.events) }

// Crowded says whether there were more than [MaxKinds], so that some are in [Other].
func (c *Counter) Crowded() bool { return c.other != nil }

// Add counts a drop that we know of now, and keeps the event. A loss is only kept.
func (c *Counter) Add(e *event.Event, now time.Time) {
	c.recent.add(e, noLimit, maxBytes)
	if e.Kind != event.Drop {
		return
	}
	c.Tick(now)
	c.total += e.Count
	c.clock.add(c.second, e.Count)
	k := c.kind(e)
	k.total += e.Count
	k.clock.add(c.second, e.Count)
	k.counted = k.counted || !e.Single
	if e.Single {
		k.last.add(e, maxLast, noLimit)
		c.countFlow(k, e)
	}
}

// kind finds that of e.
func (c *Counter) kind(e *event.Event) *kind {
	c.buf = appendNames(c.buf[:0], e, &e.Owner)
	k, ok := c.kinds[string(c.buf)]
	switch {
	case ok:
		return k
	case len(c.kinds) == MaxKinds:
		return c.others()
	}
	name := string(c.buf)
	k = &kind{names: splitNames(name)}
	if !certain(&e.Owner) {
		c.buf = appendNames(c.buf[:0], e, &event.Owner{})
		k.unowned = string(c.buf)
	}
	c.kinds[name] = k
	return k
}

func (c *Counter) others() *kind {
	if c.other == nil {
		c.other = &kind{names: Names{Other, Other, Other, Other, Other, Other}}
	}
	return c.other
}

func (c *Counter) countFlow(k *kind, e *event.Event) {
	if e.Packet.Flow == nil {
		return
	}
	c.buf = appendFlow(c.buf[:0], &e.Packet.Flow.Headers)
	if len(c.buf) == 0 {
		return
	}
	k.seen += e.Count
	n, known := k.flows[string(c.buf)]
	if !known {
		if c.flows == maxFlows {
			return
		}
		c.flows++
	}
	if k.flows == nil {
		k.flows = make(map[string]uint64)
	}
	k.flows[string(c.buf)] = n + e.Count
}

// Tick tells the time. When a second is over and there is no more room, kinds
// of which there was no drop for a minute make some.
func (c *Counter) Tick(now time.Time) {
	second := int64(now.Sub(c.begin) / time.Second)
	if second <= c.second {
		return
	}
	c.second = second
	if len(c.kinds) == MaxKinds {
		maps.DeleteFunc(c.kinds, c.retire)
	}
}

// Elapsed is the number of seconds that are over, with which each [History] ends.
func (c *Counter) Elapsed() int64 { return c.second }

// Next is how long it is until the second is over that is under way.
func (c *Counter) Next(now time.Time) time.Duration {
	return time.Second - now.Sub(c.begin)%time.Second
}

// retire makes a kind one of the others if it had no drop for a minute.
func (c *Counter) retire(_ string, k *kind) bool {
	if c.second-k.clock.second <= Seconds {
		return false
	}
	o := c.others()
	o.total += k.total
	o.seen += k.seen
	c.flows -= len(k.flows)
	return true
}

// Clone gives a copy of what was counted until now.
func (c *Counter) Clone() *Counter {
	d := *c
	d.buf = nil
	d.recent = c.recent.clone()
	d.kinds = make(map[string]*kind, len(c.kinds))
	for name, k := range c.kinds {
		d.kinds[name] = k.clone()
	}
	if c.other != nil {
		d.other = c.other.clone()
	}
	return &d
}

func (k *kind) clone() *kind {
	d := *k
	d.flows = maps.Clone(k.flows)
	d.last = k.last.clone()
	return &d
}

// all gives every kind and, if there are any, the others as one.
func (c *Counter) all(yield func(*kind) bool) {
	for _, k := range c.kinds {
		if !yield(k) {
			return
		}
	}
	if c.other != nil {
		yield(c.other)
	}
}
