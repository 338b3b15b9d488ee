package live

import (
	"maps"
	"slices"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/tally"
)

// These bound the memory of a Counter, whatever events there are.
const (
	MaxKinds = 1000    // kinds that have a count of their own
	maxFlows = 8000    // flows of all kinds together
	maxLast  = 8       // events of each kind
	maxBytes = 8 << 20 // the events of all kinds, in bytes
	noLimit  = 1 << 30
)

// Other is the name, by each Key, of all kinds for which there was no room.
const Other = "(other)"

// A Counter counts the events of a [Subject] by kind: what they are by all keys. It keeps the
// events that are added, which must not change. It is not safe for concurrent use.
type Counter struct {
	subject *Subject  // what is counted, by what
	begin   time.Time // of second 0
	second  int64     // the current second
	kinds   *tally.Tally[kindKey, *kind]
	clock   clock
	total   uint64 // events since begin
	flows   int    // the number of flows of all kinds
	recent  recent // of all kinds
	buf     []byte // the name of a flow, before it is known to be a new one
}

// An entry is a kind with its key and its count.
type entry = tally.Entry[kindKey, *kind]

// A kind is what is known about events of one kind, besides their number.
type kind struct {
	names   Names        // by which it is shown
	example *event.Event // the first one; nil for Other
	clock   clock
	counted bool              // some of them were counted and not reported individually
	seen    uint64            // those that have a flow
	flows   map[string]uint64 // those by flow, as far as there was room
	last    recent
}

// NewCounter returns a Counter of a subject that begins now. A source reports counts once a
// second from when it began: the seconds of a Counter end half way between, so that
// each has exactly one such report.
func NewCounter(now time.Time, subject *Subject) *Counter {
	return &Counter{
		subject: subject, begin: now.Add(-time.Second / 2), kinds: tally.New[kindKey, *kind](MaxKinds, kindKey.overflow),
	}
}

// Subject returns what it counts.
func (c *Counter) Subject() *Subject { return c.subject }

// Begin returns when it began to count.
func (c *Counter) Begin() time.Time { return c.begin.Add(time.Second / 2) }

// Total returns the number of all that was counted since then.
func (c *Counter) Total() uint64 { return c.total }

// Events returns the events that are still kept, the latest last: those counted, and losses
// among them. The slice is the caller's, the events are not.
func (c *Counter) Events() []*event.Event { return slices.Clone(c.recent.events) }

// Crowded reports whether there were more than [MaxKinds], so that some are in
// [Other].
func (c *Counter) Crowded() bool { return c.kinds.Overflow() > 0 }

// Add counts an event of the subject at the given time, which must not go back, and keeps it.
// Another, such as a loss, is only kept.
func (c *Counter) Add(e *event.Event, now time.Time) {
	c.recent.add(e, noLimit, maxBytes)
	if !c.subject.Counts(e) {
		return
	}
	c.Tick(now)
	n := c.subject.weight(e)
	c.total += n
	c.clock.add(c.second, n)
	k := c.kind(e, n)
	k.clock.add(c.second, n)
	k.counted = k.counted || !e.Individual
	if e.Individual {
		k.last.add(e, maxLast, noLimit)
		c.countFlow(k, e, n)
	}
}

// kind adds n to the kind of e, and returns the kind.
func (c *Counter) kind(e *event.Event, n uint64) *kind {
	k, isNew := c.kinds.Add(keyOf(e), n)
	if isNew {
		k.Value = &kind{names: c.subject.namesOf(&k.Key, e)}
		if !k.Key.other {
			k.Value.example = e
		}
	}
	return k.Value
}

// countFlow adds n to the flow of an event, unless there is no room for another flow.
func (c *Counter) countFlow(k *kind, e *event.Event, n uint64) {
	if e.Packet.Flow == nil {
		return
	}
	c.buf = appendFlow(c.buf[:0], &e.Packet.Flow.Headers)
	if len(c.buf) == 0 {
		return
	}
	k.seen += n
	before, known := k.flows[string(c.buf)]
	if !known {
		if c.flows == maxFlows {
			return
		}
		c.flows++
	}
	if k.flows == nil {
		k.flows = make(map[string]uint64)
	}
	k.flows[string(c.buf)] = before + n
}

// Tick sets the time. When a second has ended and all room is taken, kinds without
// an event for a minute are merged into [Other].
func (c *Counter) Tick(now time.Time) {
	second := int64(now.Sub(c.begin) / time.Second)
	if second <= c.second {
		return
	}
	c.second = second
	if c.kinds.Full() {
		c.kinds.Fold(c.idle, c.merge)
	}
}

// Elapsed returns the number of seconds that have ended. Each [History] ends with
// the last of them.
func (c *Counter) Elapsed() int64 { return c.second }

// Next returns how long it is until the current second ends.
func (c *Counter) Next(now time.Time) time.Duration {
	return time.Second - now.Sub(c.begin)%time.Second
}

// idle reports whether a kind had no event for a minute.
func (c *Counter) idle(e *entry) bool { return c.second-e.Value.clock.second > Seconds }

// merge makes an idle kind part of Other. Nothing of it is in the last minute, so
// only its total counts.
func (c *Counter) merge(to, from **kind) {
	if *to == nil {
		*to = &kind{names: c.subject.namesOf(&kindKey{other: true}, nil)}
	}
	(*to).seen += (*from).seen
	c.flows -= len((*from).flows)
}

// Clone returns an independent copy, which shares only the events.
func (c *Counter) Clone() *Counter {
	d := *c
	d.buf = nil
	d.recent = c.recent.clone()
	d.kinds = c.kinds.Clone((*kind).clone)
	return &d
}

// clone copies what further events would change.
func (k *kind) clone() *kind {
	d := *k
	d.flows = maps.Clone(k.flows)
	d.last = k.last.clone()
	return &d
}
