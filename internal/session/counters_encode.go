package session

import (
	"slices"

	"dropwatch/internal/counters"
)

// A countersEncoder encodes snapshots as records of counters. Its tables are its own, so that
// a restart of those of events leaves them.
type countersEncoder struct {
	encoder                      // its buf is the record that is being made
	record  func([]byte)         // is handed each record, which is valid until it returns
	numbers map[counters.Key]int // of the counters that are there; nil: no snapshot yet
	table   []counters.Counter   // by number, as they were last
	here    []bool               // by number
	absent  int                  // how many are not
	before  counters.Counter     // the new one before
}

// A difference is what one snapshot has other than that before: numbers of counters, and
// indexes in the later snapshot.
type difference struct {
	gone    []int    // numbers
	changed [][2]int // number and index of those of another value, by number
	fresh   []int    // indexes
}

// snapshot encodes a snapshot. It reports false if that is more than a recording holds.
func (x *countersEncoder) snapshot(s *counters.Snapshot) bool {
	if x.numbers == nil || x.absent > len(x.table)/2 || x.tooLarge(maxCounters/2) {
		x.empty()
	}
	diff := x.compare(s.Counters)
	x.putGone(diff.gone)
	x.putChanged(diff.changed, s.Counters)
	for some := range slices.Chunk(diff.fresh, maxParts) {
		x.part(partNew, len(some))
		for _, i := range some {
			x.counter(clipped(s.Counters[i]))
		}
		x.split()
	}
	x.putEnd(s)
	return !x.tooLarge(maxCounters)
}

func (x *countersEncoder) tooLarge(limit int) bool { return x.size+counterCost*len(x.table) > limit }

// empty empties the tables.
func (x *countersEncoder) empty() {
	x.strings, x.size = make(map[string]uint64), 0
	x.numbers, x.table, x.here, x.absent = make(map[counters.Key]int), nil, nil, 0
	x.before = counters.Counter{}
	x.begin(partEmpty)
}

// compare compares a snapshot with the table.
func (x *countersEncoder) compare(all []counters.Counter) (diff difference) {
	seen := make([]bool, len(x.table))
	for i := range all {
		c := clipped(all[i])
		n, known := x.numbers[c.Key]
		if !known || seen[n] || !equalButValue(c, x.table[n]) {
			diff.fresh = append(diff.fresh, i)
			continue
		}
		if seen[n] = true; c.Value != x.table[n].Value {
			diff.changed = append(diff.changed, [2]int{n, i})
		}
	}
	for n, here := range x.here {
		if here && !seen[n] {
			diff.gone = append(diff.gone, n)
		}
	}
	slices.SortFunc(diff.changed, func(a, b [2]int) int { return a[0] - b[0] })
	return diff
}

// equalButValue reports whether two counters are the same one, so that only the value has to be written.
func equalButValue(a, b counters.Counter) bool {
	a.Value = b.Value
	return a == b
}

// clipped is a counter whose texts are not too long.
func clipped(c counters.Counter) counters.Counter {
	for _, s := range []*string{&c.Netns.Name, &c.IfName, &c.Object, &c.Name, &c.About, &c.Hook} {
		*s = clip(*s)
	}
	if c.Bits != 32 {
		c.Bits = 64
	}
	return c
}

// putGone encodes the numbers of counters that are no longer there, and removes them.
func (x *countersEncoder) putGone(numbers []int) {
	for some := range slices.Chunk(numbers, maxParts) {
		x.part(partGone, len(some))
		last := 0
		for _, n := range some {
			x.number(uint64(n - last))
			last = n
			if key := x.table[n].Key; x.numbers[key] == n {
				delete(x.numbers, key)
			}
			x.here[n] = false
			x.absent++
		}
		x.split()
	}
}

// putChanged encodes by how much values differ.
func (x *countersEncoder) putChanged(changed [][2]int, all []counters.Counter) {
	for some := range slices.Chunk(changed, maxParts) {
		x.part(partChanged, len(some))
		last := 0
		for _, c := range some {
			n, value := c[0], all[c[1]].Value
			x.number(uint64(n - last))
			x.signed(int64(value - x.table[n].Value))
			x.table[n].Value, last = value, n
		}
		x.split()
	}
}

// counter encodes a new counter and enters it in the table.
func (x *countersEncoder) counter(c counters.Counter) {
	set := bitsOf(&c, &x.before)
	x.number(set)
	if set&hasNetns != 0 {
		x.number(uint64(c.Netns.Inode))
		x.text(c.Netns.Name)
	}
	x.textIf(set&hasGroup, string(c.Group))
	x.textIf(set&hasIfName, c.IfName)
	x.textIf(set&hasObject, c.Object)
	x.text(c.Name)
	x.number(c.Value)
	x.numberIf(set&hasLimit, c.Limit)
	x.numberIf(set&hasInode, c.Inode)
	x.numberIf(set&hasSharing, uint64(c.Sharing))
	x.textIf(set&hasAbout, c.About)
	x.textIf(set&hasHook, c.Hook)
	x.before = c
	x.numbers[c.Key] = len(x.table)
	x.table, x.here = append(x.table, c), append(x.here, true)
}

// bitsOf returns what is encoded of a new counter: not what it has in common with that before.
func bitsOf(c, before *counters.Counter) (set uint64) {
	for i, holds := range []bool{
		c.Netns != before.Netns, c.Group != before.Group, c.IfName != before.IfName, c.Object != before.Object,
		c.Limit != 0, c.Inode != 0, c.Sharing != 0, c.About != "", c.Hook != "", c.Gauge, c.Part, c.Sparse, c.Bits == 32,
	} {
		if holds {
			set |= 1 << i
		}
	}
	return set
}

// textIf and numberIf write what the bit of a counter says that it has.
func (x *countersEncoder) textIf(set uint64, s string) {
	if set != 0 {
		x.text(s)
	}
}

func (x *countersEncoder) numberIf(set, n uint64) {
	if set != 0 {
		x.number(n)
	}
}

// putEnd encodes what a snapshot has besides counters, and ends its last record.
func (x *countersEncoder) putEnd(s *counters.Snapshot) {
	failures := s.Failures[:min(len(s.Failures), maxFailures)]
	x.begin(partEnd)
	x.time(s.Time)
	x.number(uint64(max(s.Took, 0)))
	x.number(uint64(s.Own))
	x.number(uint64(len(failures)))
	for _, f := range failures {
		err, permission := recorded(f.Err), uint64(0)
		if err.permission {
			permission = 1
		}
		x.number(uint64(f.Netns.Inode))
		x.text(clip(f.Netns.Name))
		x.text(string(f.Group))
		x.text(clip(err.text))
		x.number(permission)
	}
	x.buf[0] = 1
	x.endRecord()
}

// begin begins a part, and the record if it is the first. A record begins with a 1 if it is
// the last of a snapshot.
func (x *countersEncoder) begin(part uint64) {
	if len(x.buf) == 0 {
		x.buf = append(x.buf, 0)
	}
	x.number(part)
}

// part begins a part of n counters.
func (x *countersEncoder) part(part uint64, n int) {
	x.begin(part)
	x.number(uint64(n))
}

// split ends the record if it is large.
func (x *countersEncoder) split() {
	if len(x.buf) >= enough/2 {
		x.endRecord()
	}
}

// endRecord hands a whole record to the frame, and empties the buffer.
func (x *countersEncoder) endRecord() {
	x.record(x.buf)
	x.buf = x.buf[:0]
}
