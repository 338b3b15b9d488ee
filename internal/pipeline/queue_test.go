package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A valve is a sink that blocks while it is shut, and then may fail.
type valve struct {
	mu     sync.Mutex
	wrote  []event.Event
	ledger event.Ledger
	ends   int
	flush  int
	err    error
}

func (v *valve) Write(e *event.Event) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.err != nil {
		return v.err
	}
	if e.Kind == event.End {
		v.ledger = *e.Ledger
		v.ends++
	}
	v.wrote = append(v.wrote, e.Clone())
	return nil
}

func (v *valve) Flush() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.flush++
	return v.err
}

// big is a drop of which some thousand fill a queue.
func big(n int) event.Event {
	e := event.Event{Count: 1, Individual: true, Reason: fmt.Sprint(n), Segments: uint64(n)}
	e.Packet.Data, e.Packet.HasData = slices.Repeat([]byte{byte(n)}, 8<<10), true
	e.Packet.Flow, e.Owner.Socket = &event.Flow{}, &event.Socket{Cookie: uint64(n)}
	e.Packet.Flow.SrcPort = uint16(n)
	e.Stack = []event.Frame{{PC: uint64(n)}}
	return e
}

// TestQueueAccounts runs drops into a sink that blocks for a while: the source never
// waits, what the sink gets is whole and in order, and what found the queue full is
// in the ledger and in a loss.
func TestQueueAccounts(t *testing.T) {
	for name, blocks := range map[string]bool{"blocks": true, "takes all": false} {
		n := 10_000
		if !blocks {
			n = 2000 // that fit the queue, however slow the sink
		}
		t.Run(name, func(t *testing.T) {
			var to valve
			events := make([]event.Event, n)
			for i := range events {
				events[i] = big(i)
				events[i].TraceOnly = i%2 == 0
				if i%10 == 0 {
					events[i].Harmless = "closed in order"
				}
			}
			events = append(events, event.Event{Kind: event.Loss, Place: event.InRing, Count: 7})
			if blocks {
				to.mu.Lock()
			}
			source := &afterwards{script: script{events: events, flushes: 1}, do: func() {
				if blocks {
					to.mu.Unlock()
				}
			}}
			p := pipeline.Pipeline{Source: source, Sink: pipeline.NewQueue(&to, nil)}
			ledger, err := p.Run(t.Context())
			if err != nil || to.ends != 1 || to.flush == 0 {
				t.Fatalf("error %v, %d ends, %d flushes", err, to.ends, to.flush)
			}
			checkQueued(t, &to, ledger)
			if lost := ledger.Lost[event.InSink]; (lost > 0) != blocks || ledger.Total() != uint64(n)+7 || ledger.Lost[event.InRing] != 7 {
				t.Errorf("ledger %+v", ledger)
			}
		})
	}
}

// An afterwards does something when its events are out.
type afterwards struct {
	script
	do func()
}

func (a *afterwards) Run(ctx context.Context, out pipeline.Output) error {
	defer a.do()
	return a.script.Run(ctx, out)
}

// checkQueued compares what a sink got with a ledger.
func checkQueued(t *testing.T, to *valve, want event.Ledger) {
	t.Helper()
	var got event.Ledger
	last := -1
	for i := range to.wrote {
		e := &to.wrote[i]
		if e.Kind == event.Drop {
			n := int(e.Segments)
			if n <= last || e.Packet.Data[100] != byte(n) || e.Stack[0].PC != uint64(n) || e.Packet.Flow.SrcPort != uint16(n) ||
				e.Owner.Socket.Cookie != uint64(n) {
				t.Fatalf("drop %d follows %d: %+v", n, last, e)
			}
			last = n
		}
		got.Add(e)
	}
	if got != want || to.ledger != want {
		t.Errorf("events %+v\nend %+v\nwant %+v", got, to.ledger, want)
	}
}

// TestQueueDoesNotWaitForEver for a sink that blocks at the end.
func TestQueueDoesNotWaitForEver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		abort := make(chan struct{})
		to := &stuck{until: make(chan struct{})}
		p := pipeline.Pipeline{Source: &script{events: []event.Event{drop(1, "A")}}, Sink: pipeline.NewQueue(to, abort)}
		ended := make(chan error)
		go func() {
			_, err := p.Run(t.Context())
			ended <- err
		}()
		synctest.Wait()
		select {
		case err := <-ended:
			t.Fatalf("ended without its last events: %v", err)
		default:
		}
		close(abort)
		if err := <-ended; !errors.Is(err, pipeline.ErrBlocked) {
			t.Errorf("error %v", err)
		}
		close(to.until)
	})
}

// TestQueueAfterALateEnd: a sink that does not block gets all, also if the source has stopped only after abort.
func TestQueueAfterALateEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		abort := make(chan struct{})
		close(abort)
		to := &valve{}
		slow := pipeline.NewQueue(slowSink{to}, abort)
		p := pipeline.Pipeline{Source: &script{events: []event.Event{drop(1, "A"), drop(1, "A")}}, Sink: slow}
		if _, err := p.Run(t.Context()); err != nil || to.ledger.Shown != 2 {
			t.Errorf("%v, the ledger has %+v", err, to.ledger)
		}
	})
}

// A slowSink takes a moment for each event.
type slowSink struct{ *valve }

func (s slowSink) Write(e *event.Event) error {
	time.Sleep(10 * time.Millisecond)
	return s.valve.Write(e)
}

type stuck struct{ until chan struct{} }

func (s *stuck) Write(*event.Event) error { <-s.until; return nil }
func (s *stuck) Flush() error             { return nil }

func TestQueueReportsAnError(t *testing.T) {
	to := valve{err: errBroken}
	q := pipeline.NewQueue(&to, nil)
	e := drop(1, "A")
	var err error
	for range 1_000_000 {
		if err = errors.Join(q.Write(&e), q.Flush()); err != nil {
			break
		}
	}
	if !errors.Is(err, errBroken) {
		t.Errorf("error %v", err)
	}
	end := event.Event{Kind: event.End, Ledger: new(event.Ledger)}
	if err := errors.Join(q.Write(&end), q.Flush()); !errors.Is(err, errBroken) {
		t.Errorf("at the end: error %v", err)
	}
}

func BenchmarkQueue(b *testing.B) {
	q := pipeline.NewQueue(discard{}, nil)
	e := big(1)
	e.Packet.Data = e.Packet.Data[:256]
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := q.Write(&e); err != nil {
			b.Fatal(err)
		}
		if i%64 == 0 {
			if err := q.Flush(); err != nil {
				b.Fatal(err)
			}
		}
	}
}

type discard struct{}

func (discard) Write(*event.Event) error { return nil }
func (discard) Flush() error             { return nil }

// TestQueueLeavesNothing: when a source is quiet after a flush, the sink has got all and was flushed, in whichever order
// events, flushes and what the sink does came before. The End does not wait for ever either.
func TestQueueLeavesNothing(t *testing.T) {
	for seed := range uint64(100) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			to := &pausing{random: rand.New(rand.NewPCG(seed, 1))}
			q := pipeline.NewQueue(to, nil)
			wrote, event8K := 0, big(1)
			for range 5 { // fewer than fill the queue
				for range 1 + random.IntN(2)*random.IntN(700) { // a few, or more than wake the sink without a flush
					wrote++
					check(t, q.Write(&event8K))
				}
				if random.IntN(2) == 0 {
					check(t, q.Flush())
				}
				time.Sleep(time.Duration(random.IntN(3)) * time.Millisecond)
			}
			check(t, q.Flush())
			time.Sleep(time.Hour)
			if lost := q.Lost(); to.flushed != wrote || lost != (event.Ledger{}) {
				t.Errorf("seed %d: %d of %d are flushed, lost %+v", seed, to.flushed, wrote, lost)
			}
			end := event.Event{Kind: event.End, Ledger: new(event.Ledger)}
			check(t, errors.Join(q.Write(&end), q.Flush()))
		})
	}
}

// A pausing is a sink that takes a moment now and then, and counts.
type pausing struct {
	random         *rand.Rand
	wrote, flushed int
}

func (p *pausing) pause() { time.Sleep(time.Duration(p.random.IntN(100)/98) * time.Millisecond) }

func (p *pausing) Write(*event.Event) error { p.pause(); p.wrote++; return nil }
func (p *pausing) Flush() error             { p.pause(); p.flushed = p.wrote; return nil }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
