package counters

import "time"

// A Change is a counter at the end of an interval, with what became of it.
type Change struct {
	Counter
	Delta uint64 // of a total, by how much it rose; of a gauge, its distance from before
	Fell  bool   // of a gauge: Delta is downwards
	Reset bool   // a total began again at 0 in between: Delta is what it counted since
	New   bool   // the object was made in between: Delta is all that it counted
}

// Rate is the change by second.
func (c *Change) Rate(interval time.Duration) float64 {
	if interval <= 0 {
		return 0
	}
	return float64(c.Delta) / interval.Seconds()
}

// wrapped is how near to its end a 32-bit total must have been, and how near to 0 it
// must be now, for a value below the one before to be a wrap and no reset: a quarter
// of its range.
const wrapped = 1 << 30

// Compare returns every counter of the later snapshot, in its order. A total below
// what it was before has wrapped or was reset, as by a driver that was loaded again.
// Counters of a group that the earlier snapshot could not read have no change.
func Compare(before, after *Snapshot) []Change {
	return compare(before, after, func(*Change) bool { return true })
}

// compare is Compare of the changes for which keep is true.
func compare(before, after *Snapshot, keep func(*Change) bool) (changes []Change) {
	earlier, unread := earlier{all: before.Counters}, before.unread()
	for i := range after.Counters {
		c := Change{Counter: after.Counters[i]}
		switch was := earlier.find(c.unnamed()); {
		case was != nil:
			c.since(was.Value)
		case !unread[failed{c.Netns, c.Group}] && !unread[failed{c.Netns, ""}]:
			c.Delta, c.New = c.Value, !c.Sparse
		}
		if keep(&c) {
			changes = append(changes, c)
		}
	}
	return changes
}

// earlier finds the counters of a snapshot. Those of the next one are nearly all in the same
// order, so that there is no index before one is missed.
type earlier struct {
	all   []Counter   // of the snapshot, which is not changed
	next  int         // where the next one is expected
	index map[Key]int // of those that were not found in order; nil: none was missed
}

// find returns the counter with a key that is unnamed, nil if there is none.
func (e *earlier) find(k Key) *Counter {
	if e.next < len(e.all) && e.all[e.next].unnamed() == k {
		e.next++
		return &e.all[e.next-1]
	}
	if e.index == nil {
		e.index = make(map[Key]int, len(e.all)-e.next)
		for i := e.next; i < len(e.all); i++ {
			e.index[e.all[i].unnamed()] = i
		}
	}
	i, ok := e.index[k]
	if !ok {
		return nil
	}
	e.next = i + 1
	return &e.all[i]
}

// unnamed is the key without the name of the network namespace, which that may get later.
func (k Key) unnamed() Key {
	if k.Netns.Inode != 0 {
		k.Netns.Name = ""
	}
	return k
}

// since sets the change from an earlier value.
func (c *Change) since(was uint64) {
	switch {
	case c.Value >= was:
		c.Delta = c.Value - was
	case c.Gauge:
		c.Delta, c.Fell = was-c.Value, true
	case c.Bits == 32 && was>>32 == 0 && was >= 1<<32-wrapped && c.Value < wrapped:
		c.Delta = 1<<32 - was + c.Value
	default:
		c.Delta, c.Reset = c.Value, true
	}
}
