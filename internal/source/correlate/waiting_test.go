package correlate

import (
	"testing"
	"time"

	"dropwatch/internal/event"
)

// TestQueueKeepsOrder while it grows and wraps, and shares no memory with what it was given.
func TestQueueKeepsOrder(t *testing.T) {
	var q queue
	e := resent(0, headers(50000, 0, 0), 1)
	next, came := uint32(0), uint32(0)
	for round := range 300 {
		for range 7 + round%5 {
			e.Packet.Flow.Seq, e.Segment.Len = came, came
			q.push(&e)
			came++
		}
		for range 6 {
			var got event.Event
			if q.pop(&got); got.Packet.Flow.Seq != next || got.Segment.Len != next {
				t.Fatalf("got %d, want %d", got.Packet.Flow.Seq, next)
			}
			next++
		}
	}
	if q.n != int(came-next) || len(q.ring) < q.n {
		t.Errorf("%d wait, want %d, room for %d", q.n, came-next, len(q.ring))
	}
}

// TestWaitingNeedsNoMemory once there is room.
func TestWaitingNeedsNoMemory(t *testing.T) {
	s := &Source{Drops: new(script), out: new(discard), ticking: true}
	e := resent(time.Minute, headers(50000, 1000, event.ACK), 100)
	pass := func() {
		for range 50 {
			s.wait(&e)
		}
		s.release(func(*event.Event) bool { return true }, s.emit)
	}
	pass()
	if n := testing.AllocsPerRun(20, pass); n > 0 {
		t.Errorf("%v allocations for 50 events", n)
	}
}

// A discard is an output that keeps nothing.
type discard struct{}

func (discard) Emit(*event.Event) {}
func (discard) Flush()            {}

// TestDropsOfAnotherEventStay: what was emitted with the stack of a drop does not overwrite it later.
func TestDropsOfAnotherEventStay(t *testing.T) {
	var got list
	s := &Source{Drops: new(script), out: &got, ticking: true}
	drop := lost(0, headers(50000, 1000, event.ACK), 100)
	drop.Stack = []event.Frame{{PC: 1}, {PC: 2}}
	s.drop(&drop)
	again := resent(time.Minute, headers(50000, 1000, event.ACK), 100)
	other := event.Event{Kind: event.Reset, Stack: []event.Frame{{PC: 7}, {PC: 8}}}
	for _, e := range []*event.Event{&again, &other, &again} {
		s.wait(e)
		s.release(func(*event.Event) bool { return true }, s.emit)
	}
	if len(got) != 3 || len(got[2].Stack) != 2 || got[2].Stack[0].PC != 1 || got[2].Stack[1].PC != 2 {
		t.Errorf("%+v", got)
	}
}

func BenchmarkWait(b *testing.B) {
	s := &Source{Drops: new(script), out: new(discard), ticking: true}
	e := resent(time.Minute, headers(50000, 1000, event.ACK), 100)
	for i := 0; i < b.N; i += 1000 {
		for range 1000 {
			s.wait(&e)
		}
		s.release(func(*event.Event) bool { return true }, s.emit)
	}
}
