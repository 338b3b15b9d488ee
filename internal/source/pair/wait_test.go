package pair_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/pair"
)

// TestWait has packets wait, and says what is emitted in the end.
func TestWait(t *testing.T) {
	type plan func(r *rig) []step
	of := func(make func(uint64, time.Time) event.Event, after time.Duration, pcs []uint64) plan {
		return func(r *rig) (plan []step) {
			for _, pc := range pcs {
				plan = append(plan, step{after, emit(make(pc, r.began))})
			}
			return append(plan, step{after, flush})
		}
	}
	packets := func(after time.Duration, pcs ...uint64) plan { return of(packet, after, pcs) }
	drops := func(after time.Duration, pcs ...uint64) plan { return of(freed, after, pcs) }
	both := func(first, then plan) plan {
		return func(r *rig) []step { return append(first(r), then(r)...) }
	}
	hardware := func(*rig) []step {
		e := event.Event{Count: 1, Origin: event.Hardware, Where: event.Where{Trap: "ttl"}}
		return []step{{20 * ms, emit(e)}, {20 * ms, flush}}
	}
	skewed := func(after, d time.Duration) plan {
		return func(r *rig) []step { return []step{{after, emit(freed(1, r.at(d)))}, {after, flush}} }
	}
	tests := map[string]struct {
		packets, all plan
		want         []string
		first, last  time.Duration // when they are emitted, up to 50 ms earlier
	}{
		"the drop first":    {packets(20*ms, 1), drops(0, 1), []string{"packet 1 of 8"}, 20 * ms, 20 * ms},
		"the packet first":  {packets(0, 1), drops(100*ms, 1), []string{"packet 1 of 8"}, 100 * ms, 100 * ms},
		"no drop":           {packets(0, 1), drops(0), []string{"packet 1"}, 350 * ms, 350 * ms},
		"the drop too late": {packets(0, 1), drops(time.Second, 1), []string{"packet 1"}, 350 * ms, 350 * ms},
		"their order": {packets(0, 1, 2, 3), drops(100*ms, 3, 2, 1),
			[]string{"packet 1 of 8", "packet 2 of 8", "packet 3 of 8"}, 100 * ms, 100 * ms},
		"behind one that waits": {packets(20*ms, 1, 2), drops(0, 2), []string{"packet 1", "packet 2 of 8"},
			400 * ms, 400 * ms},
		"behind one that gets none": {packets(0, 1, 2), drops(100*ms, 2), []string{"packet 1", "packet 2 of 8"},
			450 * ms, 450 * ms},
		"a device behind one": {both(packets(0, 1), hardware), drops(100*ms, 1),
			[]string{"packet 1 of 8", "packet 0"}, 100 * ms, 100 * ms},
		"a device alone":                          {hardware, drops(0), []string{"packet 0"}, 20 * ms, 20 * ms},
		"other places":                            {packets(0, 1), drops(0, 2), []string{"trace-only 2", "packet 1"}, 350 * ms, 350 * ms},
		"too late to be emitted":                  {packets(time.Second, 1), drops(0, 1), []string{"trace-only 1"}, 350 * ms, 350 * ms},
		"clocks that differ":                      {packets(0, 1), skewed(0, 60*time.Microsecond), []string{"packet 1 of 8"}, 0, 0},
		"clocks that differ much":                 {packets(0, 1), skewed(0, 100*ms), []string{"packet 1 of 8"}, 350 * ms, 350 * ms},
		"clocks that differ much, the drop later": {packets(0, 1), skewed(100*ms, 100*ms), []string{"packet 1 of 8"}, 450 * ms, 450 * ms},
		"clocks that differ too much": {packets(0, 1), skewed(0, 140*ms), []string{"trace-only 1", "packet 1"},
			350 * ms, 350 * ms},
		"two at once and only one":     {packets(0, 1, 1), drops(100*ms, 1), []string{"packet 1", "packet 1 of 8"}, 450 * ms, 450 * ms},
		"two at once of which one has": {packets(20*ms, 1, 1), drops(0, 1), []string{"packet 1 of 8", "packet 1"}, 20 * ms, 350 * ms},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				r.wait, r.packets.plan, r.all.plan = true, tt.packets(r), tt.all(r)
				if err := r.run(t, 3*time.Second); err != nil {
					t.Error(err)
				}
				if got := r.out.describe(); !slices.Equal(got, tt.want) {
					t.Fatalf("got %q, want %q", got, tt.want)
				}
				for i, want := range map[int]time.Duration{0: tt.first, len(tt.want) - 1: tt.last} {
					if at := r.out.at[i].Sub(r.began); at > want || at < want-50*ms {
						t.Errorf("%q emitted after %v, want %v or up to 50 ms less", tt.want[i], at, want)
					}
				}
				if last := r.out.at[len(tt.want)-1]; !slices.Contains(r.out.flushes, last) {
					t.Errorf("flushed at %v, want at once, at %v", r.out.flushes, last)
				}
			})
		})
	}
}

// TestAPacketThatWaitedIsWhole, though its source and that of its drop use their
// memory again.
func TestAPacketThatWaitedIsWhole(t *testing.T) {
	reused := func(e event.Event) func(pipeline.Output) {
		return func(out pipeline.Output) {
			mine := e.Clone()
			out.Emit(&mine)
			clear(mine.Packet.Data)
			clear(mine.Stack)
		}
	}
	inTime(t, func(t *testing.T, r *rig) {
		r.wait = true
		r.packets.plan = []step{{0, reused(packet(1, r.began))}}
		r.all.plan = []step{{100 * ms, reused(freed(1, r.began))}, {100 * ms, reused(freed(2, r.began))}}
		if err := r.run(t, 200*ms); err != nil || len(r.out.got) != 2 {
			t.Fatalf("got %q, %v, want a packet and a drop", r.out.describe(), err)
		}
		want := freed(1, r.began)
		want.Packet = packet(1, r.began).Packet
		if got := r.out.got[0]; !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

// TestWhileDropsComeTheyAreWaitedFor has drops two seconds behind.
func TestWhileDropsComeTheyAreWaitedFor(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.wait = true
		const behind, every, n = 2 * time.Second, 10 * ms, 300
		for i := range n {
			at := time.Duration(i) * every
			r.packets.plan = append(r.packets.plan, step{at, emit(packet(1, r.at(at)))})
			r.all.plan = append(r.all.plan, step{at, emit(freed(2, r.at(at-behind)))}, step{at + behind, emit(freed(1, r.at(at)))})
		}
		slices.SortStableFunc(r.all.plan, func(a, b step) int { return int(a.after - b.after) })
		if err := r.run(t, time.Minute); err != nil {
			t.Error(err)
		}
		count := make(map[string]int)
		for _, word := range r.out.describe() {
			count[word]++
		}
		if want := map[string]int{"packet 1 of 8": n, "trace-only 2": n}; !reflect.DeepEqual(count, want) {
			t.Errorf("got %v, want %v", count, want)
		}
	})
}

// TestNothingWaitsLongerThanTheRun: the drop comes when the packets have ended,
// or never, and losses are reported last.
func TestNothingWaitsLongerThanTheRun(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.wait = true
		r.packets.plan = []step{{90 * ms, emit(packet(1, r.began))}, {90 * ms, emit(packet(2, r.began))}}
		r.packets.last = []step{{0, emit(packet(3, r.began))}}
		r.all.last = []step{{10 * ms, emit(freed(3, r.began))}, {10 * ms, emit(freed(1, r.began))}, {10 * ms, emit(lost(event.InRing, 5))}}
		if err := r.run(t, 100*ms); err != nil {
			t.Error(err)
		}
		want := []string{"packet 1 of 8", "packet 2", "packet 3 of 8", "lost 4 in the kernel's ring"}
		if got := r.out.describe(); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if took := time.Since(r.began); took != 110*ms {
			t.Errorf("ended after %v, want as soon as the sources", took)
		}
	})
}

// TestWithoutTheSourceOfAllNothingWaits, neither what does already nor what comes.
func TestWithoutTheSourceOfAllNothingWaits(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.wait, r.all.err = true, errors.New("broken")
		r.all.plan = []step{{100 * ms, flush}}
		r.packets.plan = []step{{80 * ms, emit(packet(1, r.began))}, {time.Second, emit(packet(2, r.at(time.Second)))}}
		if err := r.run(t, 2*time.Second); err != nil || !errors.Is(r.warned, r.all.err) {
			t.Errorf("ended with %v and warned of %v, want a warning", err, r.warned)
		}
		if got, want := r.out.describe(), []string{"packet 1", "packet 2"}; !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
		if first, second := r.out.at[0].Sub(r.began), r.out.at[1].Sub(r.began); first > 150*ms || second != time.Second {
			t.Errorf("emitted after %v and %v, want at most 150 ms and a second", first, second)
		}
	})
}

// TestWhatWaitsIsBounded has more packets, and more bytes of them, than may
// wait. The drops of those that were emitted early are never emitted.
func TestWhatWaitsIsBounded(t *testing.T) {
	for name, tt := range map[string]struct{ n, size, most int }{
		"packets": {40_000, 60, 1 << 15}, "bytes": {1000, 64 << 10, 512},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out stacks
				began := time.Now()
				at := func(i int) time.Time { return began.Add(time.Duration(i) * 70 * time.Microsecond) }
				packets := runner(func(ctx context.Context, o pipeline.Output) error {
					for i := range tt.n {
						e := packet(1, at(i))
						e.Packet.Data = make([]byte, tt.size)
						o.Emit(&e)
					}
					if waiting := tt.n - int(out.ledger.Shown); waiting != tt.most {
						t.Errorf("%d packets wait, want %d", waiting, tt.most)
					}
					<-ctx.Done()
					return nil
				})
				all := runner(func(ctx context.Context, o pipeline.Output) error {
					synctest.Wait()
					for i := range tt.n {
						e := freed(1, at(i))
						o.Emit(&e)
					}
					<-ctx.Done()
					return nil
				})
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				s := pair.New(packets, all)
				s.Wait = true
				if err := s.Run(ctx, &out); err != nil {
					t.Error(err)
				}
				if want := (event.Ledger{Shown: uint64(tt.n)}); out.ledger != want || out.with != tt.most {
					t.Errorf("ledger %+v, %d with stacks, want %+v and %d", out.ledger, out.with, want, tt.most)
				}
			})
		})
	}
}

// stacks is a count that also counts the drops that have a stack.
type stacks struct {
	count
	with int
}

func (s *stacks) Emit(e *event.Event) {
	if len(e.Stack) > 0 {
		s.with++
	}
	s.count.Emit(e)
}
