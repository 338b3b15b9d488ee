package pair_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
)

// A world is how packets are freed and what becomes known of them.
type world struct {
	spacing              time.Duration // between drops, on average; half at least
	places               int
	traceOnly            float64       // share that the source of packets cannot show
	packetsLose, allLose float64       // shares
	late                 float64       // share of packets that come after their time
	skew                 time.Duration // between the clocks, at most
}

// truth plans both sources for n freed packets, and gives their numbers that
// the sources can show.
func (w world) truth(r *rig, rnd *rand.Rand, n int) (packets, all map[time.Time]bool) {
	packets, all = make(map[time.Time]bool), make(map[time.Time]bool)
	upTo := func(d time.Duration) time.Duration { return time.Duration(rnd.Int64N(int64(d) + 1)) }
	now, lostPackets, lostDrops := time.Duration(0), uint64(0), uint64(0)
	for range n {
		now += w.spacing/2 + upTo(w.spacing)
		at, pc := r.at(now), uint64(rnd.IntN(w.places))
		if rnd.Float64() < w.allLose {
			lostDrops++
		} else {
			all[at] = true
			r.all.plan = append(r.all.plan, step{now + upTo(100*ms), emit(freed(pc, at.Add(upTo(w.skew))))})
		}
		if rnd.Float64() < w.traceOnly {
			continue
		}
		if rnd.Float64() < w.packetsLose {
			lostPackets++
			continue
		}
		packets[at] = true
		delay := upTo(200 * ms)
		if rnd.Float64() < w.late {
			delay = time.Second + upTo(5*time.Second)
		}
		r.packets.plan = append(r.packets.plan, step{now + delay, emit(packet(pc, at))})
	}
	for _, f := range []*feed{&r.packets, &r.all} {
		slices.SortStableFunc(f.plan, func(a, b step) int { return int(a.after - b.after) })
	}
	if lostPackets > 0 {
		r.packets.last = []step{{0, emit(lost(event.InQueue, lostPackets))}}
	}
	if lostDrops > 0 {
		r.all.last = []step{{0, emit(lost(event.InRing, lostDrops))}}
	}
	return packets, all
}

// TestRandom frees packets at random, and compares what is emitted with them.
func TestRandom(t *testing.T) {
	const n = 300
	worlds := map[string]world{
		"sparse":               {spacing: 400 * ms, places: 3, traceOnly: 0.3},
		"sparse, both lose":    {spacing: 400 * ms, places: 3, traceOnly: 0.3, packetsLose: 0.3, allLose: 0.3},
		"sparse, late":         {spacing: 400 * ms, places: 3, traceOnly: 0.3, packetsLose: 0.1, late: 0.3},
		"clocks apart":         {spacing: 400 * ms, places: 1, traceOnly: 0.3, packetsLose: 0.1, skew: 20 * ms},
		"dense":                {spacing: 20 * time.Microsecond, places: 2, traceOnly: 0.3, packetsLose: 0.3},
		"dense, clocks apart":  {spacing: 20 * time.Microsecond, places: 2, traceOnly: 0.3, packetsLose: 0.3, skew: time.Millisecond},
		"dense, both lose":     {spacing: 20 * time.Microsecond, places: 2, traceOnly: 0.3, packetsLose: 0.3, allLose: 0.3},
		"everything at a time": {spacing: ms, places: 2, traceOnly: 0.3, packetsLose: 0.3, allLose: 0.1, late: 0.3, skew: ms},
	}
	for name, w := range worlds {
		t.Run(name, func(t *testing.T) {
			for seed := range uint64(30) {
				synctest.Test(t, func(t *testing.T) {
					r := &rig{began: time.Now(), wait: seed%2 == 1}
					packets, all := w.truth(r, rand.New(rand.NewPCG(seed, 1)), n)
					if err := r.run(t, time.Hour); err != nil || r.warned != nil {
						t.Errorf("ended with %v, warned of %v", err, r.warned)
					}
					if l := &r.out.ledger; l.Total() != n {
						t.Errorf("seed %d: %d shown and %d lost, want %d in all", seed, l.Shown, l.TotalLost(), n)
					}
					if w.spacing > 100*ms && w.skew == 0 {
						once(t, r, packets, all, w)
					}
					if w.spacing > 100*ms && r.wait {
						enriched(t, r, all, w)
					}
				})
			}
		})
	}
}

// once checks what is emitted, if no two drops can be taken for each other:
// none twice, none invented, and all that came in time.
func once(t *testing.T, r *rig, packets, all map[time.Time]bool, w world) {
	t.Helper()
	given := make(map[time.Time]bool)
	for _, e := range r.out.got {
		if e.Kind != event.Drop {
			continue
		}
		source := packets
		if e.TraceOnly {
			source = all
		}
		if at := e.Time.Local(); !source[at] || given[at] {
			t.Errorf("emitted twice, or never: %v, trace-only %t", at, e.TraceOnly)
		} else {
			given[at] = true
			if e.TraceOnly && packets[at] && w.late == 0 {
				t.Errorf("the packet of %v came, and was not shown", at)
			}
		}
	}
	for at := range all {
		if !given[at] {
			t.Errorf("the drop of %v is missing", at)
		}
	}
	for at := range packets {
		if !given[at] {
			t.Errorf("the packet of %v is missing", at)
		}
	}
}

// enriched checks that those packets have a task and a stack whose drop came,
// and that packets that came in the order of time kept it.
func enriched(t *testing.T, r *rig, all map[time.Time]bool, w world) {
	t.Helper()
	var last time.Time
	for _, e := range r.out.got {
		if e.Kind != event.Drop || e.TraceOnly {
			continue
		}
		if at := e.Time.Local(); e.Task.Known != all[at] || len(e.Stack) > 0 != all[at] {
			t.Errorf("the packet of %v has the task %+v and the stack %v, its drop came: %t", at, e.Task, e.Stack, all[at])
		}
		if w.late == 0 && e.Time.Before(last) {
			t.Errorf("the packet of %v was overtaken", e.Time)
		}
		last = e.Time
	}
}
