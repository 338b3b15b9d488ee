package pair_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/pair"
)

// A step is what a source does at a time after its beginning, which it was told
// or, if it is late, as soon as it can.
type step struct {
	after time.Duration
	do    func(pipeline.Output)
}

// A feed is a source that follows a plan, and in the end another one.
type feed struct {
	plan, last []step
	err        error // of its own, at the end of the plan
	ended      time.Time
}

func (f *feed) Run(ctx context.Context, out pipeline.Output) error {
	defer func() { f.ended = time.Now() }()
	f.follow(ctx, f.plan, out)
	if f.err == nil {
		<-ctx.Done()
	}
	f.follow(context.Background(), f.last, out)
	return f.err
}

func (f *feed) follow(ctx context.Context, plan []step, out pipeline.Output) {
	began := time.Now()
	for _, s := range plan {
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.after - time.Since(began)):
		}
		s.do(out)
	}
}

func emit(e event.Event) func(pipeline.Output) {
	return func(out pipeline.Output) { out.Emit(&e) }
}

func flush(out pipeline.Output) { out.Flush() }

// freed is the drop of a packet at a place and time, as the source of all reports
// of it; packet as the source of packets does.
func freed(pc uint64, at time.Time) event.Event {
	return event.Event{
		Time: at, KernelTime: true, Count: 1, Individual: true, Reason: "NO_SOCKET",
		Where:  event.Where{Frame: event.Frame{PC: pc}, HasPC: true},
		Packet: event.Packet{Proto: 0x0800, HasProto: true},
		Task:   event.Task{Known: true, CPU: 1, PID: 7, TID: 8},
		Stack:  []event.Frame{{PC: pc}, {PC: 0xff}},
	}
}

func packet(pc uint64, at time.Time) event.Event {
	e := freed(pc, at)
	e.Task, e.Stack = event.Task{}, nil
	e.Packet.Data, e.Packet.HasData = []byte("bytes"), true
	return e
}

func lost(at event.Place, n uint64) event.Event {
	return event.Event{Kind: event.Loss, Count: n, Place: at}
}

// ledger is one of drops that were shown and of losses.
func ledger(shown uint64, losses ...event.Event) event.Ledger {
	l := event.Ledger{Shown: shown}
	for i := range losses {
		l.Add(&losses[i])
	}
	return l
}

// A record is an Output that keeps what it is given.
type record struct {
	mu      sync.Mutex
	got     []event.Event
	at      []time.Time // when it was given
	ledger  event.Ledger
	flushes []time.Time
	slow    time.Duration // the first takes
	stuck   chan struct{} // closed when it begins to, unless it is nil
}

func (r *record) Emit(e *event.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.stuck != nil && len(r.got) == 0 {
		close(r.stuck)
		time.Sleep(r.slow)
	}
	r.ledger.Add(e)
	r.got, r.at = append(r.got, e.Clone()), append(r.at, time.Now())
}

func (r *record) Flush() { r.flushes = append(r.flushes, time.Now()) }

// describe returns the events, a word for each.
func (r *record) describe() (words []string) {
	for _, e := range r.got {
		switch {
		case e.Kind == event.Loss:
			words = append(words, fmt.Sprintf("lost %d %v", e.Count, e.Place))
		case e.TraceOnly:
			words = append(words, fmt.Sprintf("trace-only %x", e.Where.PC))
		case e.Task.Known:
			words = append(words, fmt.Sprintf("packet %x of %d", e.Where.PC, e.Task.TID))
		default:
			words = append(words, fmt.Sprintf("packet %x", e.Where.PC))
		}
	}
	return words
}

// A rig is two feeds and their output in a synctest bubble.
type rig struct {
	packets, all feed
	out          record
	warned       error
	devices      bool
	wait         bool
	began        time.Time
}

// run runs the pair for a time and gives its error.
func (r *rig) run(t *testing.T, d time.Duration) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	s := pair.New(&r.packets, &r.all)
	s.Warn, s.Devices = func(err error) { r.warned = errors.Join(r.warned, err) }, r.devices
	s.Wait = r.wait
	return s.Run(ctx, &r.out)
}

// inTime runs do with a rig whose time begins now.
func inTime(t *testing.T, do func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { do(t, &rig{began: time.Now()}) })
}

// at is a time of the rig.
func (r *rig) at(d time.Duration) time.Time { return r.began.Add(d) }
