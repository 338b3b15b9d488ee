package correlate

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
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
			if got := q.pop(); got.Packet.Flow.Seq != next || got.Segment.Len != next {
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

// endingDrops need a while to end, in which they must not be woken.
type endingDrops struct {
	script
	t     *testing.T
	ended atomic.Bool
}

func (d *endingDrops) Run(ctx context.Context, out pipeline.Output) error {
	err := d.script.Run(ctx, out)
	d.ended.Store(true)
	time.Sleep(2 * time.Second)
	return err
}

func (*endingDrops) ReadUntil() time.Time { return began.Add(2 * time.Minute) }

func (d *endingDrops) Wake() {
	if d.ended.Load() {
		d.t.Error("woken after their end")
	}
}

// TestDropsAreNotWokenAfterTheirEnd, even if that comes while a rule is looked up.
func TestDropsAreNotWokenAfterTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := headers(50000, 1000, event.ACK)
		byRule := lost(0, data, 100)
		byRule.Stack = []event.Frame{{Symbol: "nft_do_chain"}, {Symbol: "ip_local_deliver"}}
		byRule.Packet.Data, byRule.Packet.HasData = []byte{0x45}, true
		drops := &endingDrops{t: t, script: script{events: []event.Event{byRule}}}
		tcp := &script{events: []event.Event{resent(time.Minute, data, 100), resent(5*time.Minute, data, 100)}}
		looked := 0
		rule := func(*event.Event) (rule, confidence string) {
			looked++
			time.Sleep(time.Second)
			return "", ""
		}
		if got := fates(t, &Source{TCP: tcp, Drops: drops, Rule: rule}, 500*time.Millisecond); len(got) != 2 || looked == 0 {
			t.Errorf("%d events, %d look-ups", len(got), looked)
		}
	})
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
