package bpf

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"

	"dropwatch/internal/bpfprog"
)

// A table reads the counts of the program, which has two tables of counts by key. When the active
// one has little room left, the other becomes active and the full one is emptied. Counts only
// grow: the table remembers the totals that it has read, and returns by how much they grew.
type table struct {
	counts         [2]*ebpf.Map
	totals         [2]index // of each, as they were read
	active         int      // index of the table that the program uses
	activeTable    *ebpf.Variable
	overflow       *ebpf.Map // counts of keys that found no room
	overflowTotals overflow  // as they were read
	skippedTotal   amount    // as it was read
	program        *ebpf.Program
	cpus           int // possible CPUs, each of which has a value for each key
	keys           []dropsKey
	values         []dropsTally // of all CPUs for each of keys
}

// An amount is a number of socket buffers, and of packets on the wire in them.
type amount struct{ packets, segments uint64 }

// A growth is how much the count of a key has grown.
type growth struct {
	key    dropsKey // location, reason, interface and what else the program counts by
	amount amount
}

// An overflow has what is counted without a key, indexed by enum overflow.
type overflow [dropsOverflowOVERFLOWS]amount

// batch is how many keys are read at once: more than are ever in one hash bucket, or the kernel
// fails with ENOSPC. It has as many buckets as keys.
const batch = 256

// newTable returns the table of a loaded program.
func newTable(kernel *ebpf.Collection) (*table, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	t := &table{
		counts: [2]*ebpf.Map{kernel.Maps[dropsMapCounts], kernel.Maps[dropsMapCounts2]}, totals: [2]index{{}, {}},
		activeTable: kernel.Variables[dropsVarActiveTable], overflow: kernel.Maps[dropsMapOverflow], cpus: cpus,
		keys: make([]dropsKey, batch), values: make([]dropsTally, batch*cpus),
	}
	for _, t.program = range kernel.Programs { // there is one
	}
	return t, nil
}

// read calls emit for each key whose count has grown, with the growth since the last call.
func (t *table) read(emit func(k *dropsKey, grown amount)) error {
	for i := range t.counts {
		if err := t.readOne(i, emit); err != nil {
			return err
		}
	}
	return nil
}

// readOne reads one of the two tables.
func (t *table) readOne(i int, emit func(k *dropsKey, grown amount)) error {
	var cursor ebpf.MapBatchCursor
	for last := false; !last; {
		n, err := t.counts[i].BatchLookup(&cursor, t.keys, t.values, nil)
		last = errors.Is(err, ebpf.ErrKeyNotExist)
		if err != nil && !last {
			return fmt.Errorf("read the counts of drops: %w", err)
		}
		for j := range n {
			grown := t.totals[i].update(t.keys[j], sum(t.values[j*t.cpus:(j+1)*t.cpus]))
			if grown.packets > 0 {
				emit(&t.keys[j], grown)
			}
		}
	}
	return nil
}

// makeRoom must be called after read. It empties the table that is not active, of which all was
// read, and makes it the active one if the other is three quarters full.
func (t *table) makeRoom() error {
	other := 1 - t.active
	if keys := slices.Collect(maps.Keys(t.totals[other])); len(keys) > 0 {
		if _, err := t.counts[other].BatchDelete(keys, nil); err != nil {
			return fmt.Errorf("empty the table of counts: %w", err)
		}
		clear(t.totals[other])
	}
	if uint32(len(t.totals[t.active])) <= t.counts[t.active].MaxEntries()/4*3 {
		return nil
	}
	if err := t.activeTable.Set(uint32(other)); err != nil {
		return fmt.Errorf("change the table of counts: %w", err)
	}
	t.active = other
	bpfprog.WaitForProgram()
	return nil
}

// readOverflow returns what was counted without a key since the last call, and for how many packets
// the kernel skipped the program because their CPU was already in it.
func (t *table) readOverflow() (grown overflow, skipped uint64, err error) {
	for i := range grown {
		var values []dropsTally
		if err := t.overflow.Lookup(uint32(i), &values); err != nil {
			return overflow{}, 0, fmt.Errorf("read the counts of drops without a key: %w", err)
		}
		grown[i] = t.overflowTotals[i].update(sum(values))
	}
	stats, err := t.program.Stats()
	if err != nil {
		return grown, 0, fmt.Errorf("read how often the program was skipped: %w", err)
	}
	return grown, t.skippedTotal.update(amount{packets: stats.RecursionMisses}).packets, nil
}

// sum adds up the values of a key of all CPUs.
func sum(values []dropsTally) (a amount) {
	for i := range values {
		a.packets += values[i].Counted
		a.segments += values[i].Counted + values[i].Segments
	}
	return a
}

// update sets a total, and returns by how much it has grown. The program may add to a value while it
// is read, so segments may lag a few behind packets.
func (a *amount) update(total amount) (grown amount) {
	grown = amount{total.packets - min(total.packets, a.packets), total.segments - min(total.segments, a.segments)}
	a.packets, a.segments = a.packets+grown.packets, a.segments+grown.segments
	return grown
}

// An index has the totals of keys.
type index map[dropsKey]amount

// update sets the total of a key, and returns by how much it has grown.
func (x index) update(k dropsKey, total amount) amount {
	a := x[k]
	grown := a.update(total)
	x[k] = a
	return grown
}
