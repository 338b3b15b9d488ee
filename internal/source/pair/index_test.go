package pair

import (
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
)

// A model is an index that searches everything.
type model []*entry[int]

func (m model) nearest(precision int, t key) (distance int64) {
	distance = 1 << shifts[precision]
	for _, e := range m {
		if d := max(e.at-t.at, t.at-e.at); !e.matched && e.pc == t.pc && (e.proto == t.proto || e.proto == 0 || t.proto == 0) {
			distance = min(distance, d)
		}
	}
	return distance
}

// TestIndex does at random what can be done with an index, and with the model.
func TestIndex(t *testing.T) {
	for seed := range uint64(20) {
		rnd := rand.New(rand.NewPCG(seed, 2))
		b, m, now := newIndex[int](), model{}, int64(0)
		protos := []uint16{0, 0x0800, 0x86dd}
		for range 5000 {
			now += rnd.Int64N(20_000)
			u := key{pc: uint64(rnd.IntN(40)), at: now - rnd.Int64N(100_000), proto: protos[rnd.IntN(3)]}
			switch rnd.IntN(4) {
			case 0, 1:
				b.add(u)
				m = append(m, &entry[int]{key: u})
			case 2:
				older := now - int64(20*time.Millisecond)
				b.forget(b.last, older, 600)
				for len(m) > 0 && (m[0].matched || m[0].at < older || len(m) >= 600) {
					m = m[1:]
				}
			case 3:
				precision := rnd.IntN(precisions)
				e, want := b.nearest(precision, u), m.nearest(precision, u)
				if e == nil && want < 1<<shifts[precision] || e != nil && e.distance(u) != want {
					t.Fatalf("seed %d: nearest to %+v is %+v, want one %d ns away", seed, u, e, want)
				}
				if e != nil {
					i := slices.IndexFunc(m, func(o *entry[int]) bool { return o.key == e.key && !o.matched })
					e.matched, m[i].matched = true, true
				}
			}
			if b.len() != uint64(len(m)) {
				t.Fatalf("seed %d: holds %d, want %d", seed, b.len(), len(m))
			}
		}
	}
}

type nothing struct{ last event.Event }

func (n *nothing) Emit(e *event.Event) { n.last = e.Clone() }
func (*nothing) Flush()                {}

// TestRoom: what is old enough is forgotten, and its room used again, for a
// shorter stack too.
func TestRoom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		out := &nothing{}
		m := newMatcher(out)
		e := event.Event{Count: 1, Where: event.Where{HasPC: true}, Stack: make([]event.Frame, 3)}
		for i := range 3 * firstRoom {
			if i == 2*firstRoom {
				e.Stack = e.Stack[:1]
			}
			e.Time, e.Where.PC = time.Unix(int64(i)*11, 0), 1
			(*dropOutput)(m).Emit(&e)
			e.Where.PC = 2
			(*packetOutput)(m).Emit(&e)
			time.Sleep(2 * grace)
			synctest.Wait()
			if last := out.last; !last.TraceOnly || !last.Time.Equal(e.Time) || len(last.Stack) != len(e.Stack) {
				t.Fatalf("emitted %+v, want the drop of %v with a stack of %d", last, e.Time, len(e.Stack))
			}
		}
		if len(m.drops.ring) != firstRoom || len(m.packets.ring) != firstRoom {
			t.Errorf("room for %d drops and %d packets, want %d", len(m.drops.ring), len(m.packets.ring), firstRoom)
		}
	})
}

// TestRoomIsBounded has a flood of drops and of packets that do not match.
func TestRoomIsBounded(t *testing.T) {
	m := newMatcher(&nothing{})
	e := event.Event{Count: 1, Where: event.Where{HasPC: true}}
	for i := range 2 * maxRemembered {
		e.Time, e.Where.PC = time.Unix(0, int64(i)), 1
		(*dropOutput)(m).Emit(&e)
		e.Where.PC = 2
		(*packetOutput)(m).Emit(&e)
	}
	if len(m.drops.ring) != maxRemembered || len(m.packets.ring) != maxRemembered {
		t.Errorf("room for %d drops and %d packets, want %d", len(m.drops.ring), len(m.packets.ring), maxRemembered)
	}
	if m.unmatched != 2*maxRemembered {
		t.Errorf("%d packets without a drop, want %d", m.unmatched, 2*maxRemembered)
	}
}
