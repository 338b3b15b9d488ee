package bpf

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/cilium/ebpf"
)

// A table is the kernel's table of what was not sent, and what of it we have
// seen. There are two counts: when those in use fill, it is the others' turn.
type table struct {
	counts     [2]*ebpf.Map
	seen       [2]ledger // of each
	used       int       // of them
	turn       *ebpf.Variable
	beyond     *ebpf.Map
	seenBeyond others
	program    *ebpf.Program
	cpus       int
	keys       []dropsKey
	values     []dropsTally // of all CPUs for each key
}

// others are how many drops are in no count: of no kind that is known, rejected,
// and neither that nor sent.
type others [dropsOthersOTHERS]uint64

// batch is how many kinds are read at once. It has to be as many as share a hash
// bucket of the kernel's, of which there are as many as kinds.
const batch = 256

func newTable(kernel *ebpf.Collection) (*table, error) {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, err
	}
	t := &table{
		counts: [2]*ebpf.Map{kernel.Maps[dropsMapCounts], kernel.Maps[dropsMapCounts2]}, seen: [2]ledger{{}, {}},
		turn: kernel.Variables[dropsVarTurn], beyond: kernel.Maps[dropsMapBeyond], cpus: cpus,
		keys: make([]dropsKey, batch), values: make([]dropsTally, batch*cpus),
	}
	for _, t.program = range kernel.Programs { // there is one
	}
	return t, nil
}

// read gives each kind of which there are n more than when it was last read.
func (t *table) read(more func(k *dropsKey, n uint64) error) error {
	for i := range t.counts {
		if err := t.readOne(i, more); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) readOne(i int, more func(k *dropsKey, n uint64) error) error {
	var cursor ebpf.MapBatchCursor
	for last := false; !last; {
		n, err := t.counts[i].BatchLookup(&cursor, t.keys, t.values, nil)
		last = errors.Is(err, ebpf.ErrKeyNotExist)
		if err != nil && !last {
			return fmt.Errorf("read the counts of drops: %w", err)
		}
		for j := range n {
			grown := t.seen[i].grown(t.keys[j], sum(t.values[j*t.cpus:(j+1)*t.cpus]))
			if grown == 0 {
				continue
			}
			if err := more(&t.keys[j], grown); err != nil {
				return err
			}
		}
	}
	return nil
}

// makeRoom comes after read. It empties the counts that are not in use any more,
// or else has the program use them if there is room for few more kinds in those
// that are.
func (t *table) makeRoom() error {
	other := 1 - t.used
	if kinds := slices.Collect(maps.Keys(t.seen[other])); len(kinds) > 0 {
		if _, err := t.counts[other].BatchDelete(kinds, nil); err != nil {
			return fmt.Errorf("forget counts of drops: %w", err)
		}
		clear(t.seen[other])
	}
	if uint32(len(t.seen[t.used])) <= t.counts[t.used].MaxEntries()/4*3 {
		return nil
	}
	if err := t.turn.Set(uint32(other)); err != nil {
		return fmt.Errorf("change the counts of drops: %w", err)
	}
	t.used = other
	leaveProgram()
	return nil
}

// readBeyond gives how many more are in no count than when that was last read.
func (t *table) readBeyond() (more others, err error) {
	var total others
	for i := range total {
		var values []dropsTally
		if err := t.beyond.Lookup(uint32(i), &values); err != nil {
			return more, fmt.Errorf("read the count of other drops: %w", err)
		}
		total[i] = sum(values)
	}
	stats, err := t.program.Stats()
	if err != nil {
		return more, fmt.Errorf("read the count of missed drops: %w", err)
	}
	total[dropsOthersKINDLESS] += stats.RecursionMisses
	for i := range total {
		more[i] = total[i] - min(total[i], t.seenBeyond[i])
		t.seenBeyond[i] += more[i]
	}
	return more, nil
}

func sum(values []dropsTally) (n uint64) {
	for i := range values {
		n += values[i].Unsent
	}
	return n
}

// A ledger is how many drops of each kind were accounted for.
type ledger map[dropsKey]uint64

// grown enters a total, and tells by how much it is more than before.
func (l ledger) grown(k dropsKey, total uint64) uint64 {
	n := total - min(total, l[k])
	l[k] += n
	return n
}
