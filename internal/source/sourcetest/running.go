package sourcetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// endTime is how long a source may take to give what it has at its end, on a
// slow guest too.
const endTime = 2 * time.Second

// A Running is a source whose Run has begun. It is an Output that keeps some of
// the drops, and the ledger of all.
type Running struct {
	Keep func(*event.Event) bool  // which drops
	Then func(*event.Event) error // what else is to be done with any event; nil is nothing

	Done   chan error // gets what Run returns
	Kept   []event.Event
	At     []time.Time // when they came
	Ledger event.Ledger

	t       testing.TB
	stop    context.CancelFunc
	mu      sync.Mutex // of what Emit and Flush write, until Done
	flushed time.Time  // last
}

// Run begins to run a source until [Running.End] or the end of the test.
func Run(t testing.TB, s pipeline.Source, keep func(*event.Event) bool) *Running {
	t.Helper()
	return RunWith(t, s, &Running{Keep: keep})
}

// RunWith is [Run] with more to be done.
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

// Emit is pipeline.Output's.
func (r *Running) Emit(e *event.Event) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Ledger.Add(e)
	if e.Kind == event.Drop && r.Keep(e) {
		r.Kept, r.At = append(r.Kept, e.Clone()), append(r.At, time.Now())
	}
	if r.Then != nil {
		return r.Then(e)
	}
	return nil
}

// Flush is pipeline.Output's.
func (r *Running) Flush() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.flushed = time.Now()
	return nil
}

// Await waits until so many packets were kept, but not for ever. A source may
// leave unread at its end what it had no time for.
func (r *Running) Await(packets uint64) {
	for range 1000 {
		r.mu.Lock()
		n, _ := Total(r.Kept)
		r.mu.Unlock()
		if n >= packets {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Settle waits until none of the runs has kept anything more for a while, but not
// for ever.
func Settle(runs ...*Running) {
	const while = 30
	for i, quiet, last := 0, 0, uint64(0); i < 1000 && quiet < while; i++ {
		var all uint64
		for _, r := range runs {
			r.mu.Lock()
			n, _ := Total(r.Kept)
			r.mu.Unlock()
			all += n
		}
		if quiet++; all != last {
			quiet, last = 0, all
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// End stops the run, within its time, and gives what was kept.
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

// Total is the number of packets, and of those that are events by themselves.
func Total(events []event.Event) (packets, single uint64) {
	for i := range events {
		packets += events[i].Count
		if events[i].Single {
			single++
		}
	}
	return packets, single
}

var _ pipeline.Output = (*Running)(nil)
