package sourcetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// endTime is how long a source may take to emit what is left when its context ends, also in a
// slow guest and on a machine that does much else.
const endTime = 20 * time.Second

// maxWait is how long a test waits for drops. It only bounds the time of a test that fails.
const maxWait = time.Minute

// A Running is a source whose Run has begun. It is an Output that keeps some of
// the drops, or of what TCP did, and the ledger of all.
type Running struct {
	Keep func(*event.Event) bool // reports whether to keep a drop, what TCP did, or what a point saw
	Then func(*event.Event)      // called with every event, unless it is nil

	Done   chan error    // receives the error of Run
	Kept   []event.Event // copies of the drops
	At     []time.Time   // when each of Kept came
	Ledger event.Ledger  // of all events

	t       testing.TB
	stop    context.CancelFunc
	mu      sync.Mutex // protects what Emit and Flush write, until Done
	flushed time.Time  // when Flush was last called
}

// Run starts a source, which runs until [Running.End] or the end of the test.
func Run(t testing.TB, s pipeline.Source, keep func(*event.Event) bool) *Running {
	t.Helper()
	return RunWith(t, s, &Running{Keep: keep})
}

// RunWith is [Run] with a Running that the caller has filled.
func RunWith(t testing.TB, s pipeline.Source, r *Running) *Running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r.t, r.stop, r.Done = t, cancel, make(chan error, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.Done <- s.Run(ctx, r)
	}()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return r
}

// Emit implements pipeline.Output.
func (r *Running) Emit(e *event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Ledger.Add(e)
	if (e.Kind == event.Drop || e.Kind.IsTCP() || e.Kind == event.Point) && r.Keep(e) {
		r.Kept, r.At = append(r.Kept, e.Clone()), append(r.At, time.Now())
	}
	if r.Then != nil {
		r.Then(e)
	}
}

// Flush implements pipeline.Output.
func (r *Running) Flush() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flushed = time.Now()
}

// Await waits until so many packets were kept, for maxWait at most. Tests wait before
// [Running.End] because a source may leave events unread when it ends: on a machine that does not run it
// for a second, all of them.
func (r *Running) Await(packets uint64) {
	r.AwaitEnough(func(kept []event.Event, _ *event.Ledger) bool {
		n, _ := Total(kept)
		return n >= packets
	})
}

// AwaitEnough is [Running.Await] until what was kept, and what the ledger has, is enough.
func (r *Running) AwaitEnough(enough func(kept []event.Event, ledger *event.Ledger) bool) {
	for end := time.Now().Add(maxWait); !r.has(enough) && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
}

// has reports whether enough was emitted until now.
func (r *Running) has(enough func(kept []event.Event, ledger *event.Ledger) bool) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return enough(r.Kept, &r.Ledger)
}

// Packets returns how many packets were kept so far.
func (r *Running) Packets() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	n, _ := Total(r.Kept)
	return n
}

// AwaitIdle waits until no run has kept another drop for 300 ms, for some ten seconds at most.
func AwaitIdle(runs ...*Running) {
	const while = 30
	for i, quiet, last := 0, 0, uint64(0); i < 1000 && quiet < while; i++ {
		var all uint64
		for _, r := range runs {
			all += r.Packets()
		}
		if quiet++; all != last {
			quiet, last = 0, all
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// End stops the run, which has endTime for it, and returns what was kept.
func (r *Running) End() []event.Event {
	r.t.Helper()
	begin := time.Now()
	r.stop()
	err := <-r.Done
	if d := r.flushed.Sub(begin); d < 0 || d > endTime {
		r.t.Errorf("flushed %v after the end, want within %v", d, endTime)
	}
	if err != nil {
		r.t.Error(err)
	}
	return r.Kept
}

// Total returns how many packets the events stand for, and how many of these are individual.
func Total(events []event.Event) (packets, individual uint64) {
	for i := range events {
		packets += events[i].Count
		if events[i].Individual {
			individual++
		}
	}
	return packets, individual
}

var _ pipeline.Output = (*Running)(nil)
