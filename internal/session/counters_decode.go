package session

import (
	"math"

	"dropwatch/internal/counters"
)

// A countersDecoder decodes the records of snapshots, whose tables it keeps.
type countersDecoder struct {
	decoder                    // its b is what of a snapshot was not decoded yet
	pending []byte             // records of a snapshot whose last one is still to come
	table   []counters.Counter // by number
	here    []bool             // by number
	before  counters.Counter   // the new one before
	last    counters.Snapshot  // the last whole one, without its counters
}

// add adds a record. It reports true if that is the last of a snapshot, which is then in the
// table unless the decoding failed.
func (d *countersDecoder) add(record []byte) bool {
	if len(record) == 0 || record[0] > 1 {
		d.fail(errRange)
		return false
	}
	if len(d.pending)+len(record) > maxCounters {
		d.fail(errTables)
		return false
	}
	d.pending = append(d.pending, record[1:]...)
	if record[0] == 0 {
		return false
	}
	d.b, d.pending = d.pending, d.pending[:0]
	ended := false
	for len(d.b) > 0 && !ended && d.err == nil {
		ended = d.part()
	}
	if !ended || len(d.b) > 0 {
		d.fail(errShort)
	}
	if d.size+counterCost*len(d.table) > maxCounters {
		d.fail(errTables)
	}
	return d.err == nil
}

// part decodes a part of a snapshot. It reports true if that is the end.
func (d *countersDecoder) part() (ended bool) {
	switch kind := d.number(partEnd); kind {
	case partEmpty:
		d.strings, d.size, d.table, d.here, d.before = nil, 0, nil, nil, counters.Counter{}
	case partGone, partChanged:
		n := 0
		for range d.number(maxParts) {
			if n += int(d.number(uint64(len(d.table)))); d.err != nil || n >= len(d.table) || !d.here[n] {
				d.fail(errReference)
				return false
			}
			if kind == partGone {
				d.here[n] = false
			} else {
				d.table[n].Value += uint64(d.signed())
			}
		}
	case partNew:
		for range d.number(maxParts) {
			d.counter()
		}
	case partEnd:
		d.end()
		return true
	default:
		d.fail(errRange)
	}
	return false
}

// counter decodes a new counter.
func (d *countersDecoder) counter() {
	set := d.number(allBits)
	b := &d.before
	c := counters.Counter{Key: b.Key, Bits: 64}
	if set&hasNetns != 0 {
		c.Netns.Inode, c.Netns.Name = uint32(d.number(math.MaxUint32)), d.shortText()
	}
	c.Group = counters.Group(d.textIf(set&hasGroup, string(b.Group)))
	c.IfName, c.Object = d.textIf(set&hasIfName, b.IfName), d.textIf(set&hasObject, b.Object)
	c.Name, c.Value = d.shortText(), d.number(math.MaxUint64)
	c.Limit, c.Inode = d.numberIf(set&hasLimit, math.MaxUint64), d.numberIf(set&hasInode, math.MaxUint64)
	c.Sharing = uint32(d.numberIf(set&hasSharing, math.MaxUint32))
	c.About, c.Hook = d.textIf(set&hasAbout, ""), d.textIf(set&hasHook, "")
	c.Gauge, c.Part, c.Sparse = set&isGauge != 0, set&isPart != 0, set&isSparse != 0
	if set&is32Bits != 0 {
		c.Bits = 32
	}
	d.expanded += uint64(len(c.Netns.Name) + len(c.Group) + len(c.IfName) + len(c.Object) + len(c.Name) + len(c.About) + len(c.Hook))
	if d.err == nil {
		d.before, d.table, d.here = c, append(d.table, c), append(d.here, true)
	}
}

// textIf reads a text if a bit is set, as countersEncoder.textIf writes it; without, it is otherwise.
func (d *countersDecoder) textIf(set uint64, otherwise string) string {
	if set == 0 {
		return otherwise
	}
	return d.shortText()
}

// shortText reads a text that is no longer than a counter's may be.
func (d *countersDecoder) shortText() string {
	s := d.text()
	if len(s) > maxText {
		d.fail(errRange)
	}
	return s
}

// numberIf reads a number if a bit is set, otherwise it is 0. One above highest is a failure.
func (d *countersDecoder) numberIf(set, highest uint64) uint64 {
	if set == 0 {
		return 0
	}
	return d.number(highest)
}

// end decodes what a snapshot has besides counters.
func (d *countersDecoder) end() {
	s := counters.Snapshot{Time: d.time(), Took: d.duration(), Own: uint32(d.number(math.MaxUint32))}
	for range d.number(maxFailures) {
		var f counters.Failure
		f.Netns.Inode, f.Netns.Name = uint32(d.number(math.MaxUint32)), d.shortText()
		f.Group = counters.Group(d.shortText())
		f.Err = &recordedError{text: d.shortText(), permission: d.number(1) == 1}
		s.Failures = append(s.Failures, f)
	}
	d.last = s
}

// snapshot returns the last whole snapshot.
func (d *countersDecoder) snapshot() *counters.Snapshot {
	s := d.last
	for n := range d.table {
		if d.here[n] {
			s.Counters = append(s.Counters, d.table[n])
		}
	}
	counters.Sort(s.Counters)
	return &s
}
