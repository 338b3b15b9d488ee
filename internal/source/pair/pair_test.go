package pair_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/pair"
)

const ms = time.Millisecond

// TestMatch has each source emit some events of one place, and says what comes of
// it in the end.
func TestMatch(t *testing.T) {
	type events func(at func(time.Duration) time.Time) []event.Event
	one := func(make func(uint64, time.Time) event.Event, pcs ...uint64) events {
		return func(at func(time.Duration) time.Time) (es []event.Event) {
			for _, pc := range pcs {
				es = append(es, make(pc, at(0)))
			}
			return es
		}
	}
	later := func(make func(uint64, time.Time) event.Event, d time.Duration) events {
		return func(at func(time.Duration) time.Time) []event.Event { return []event.Event{make(1, at(d))} }
	}
	with := func(make func(uint64, time.Time) event.Event, change func(*event.Packet)) events {
		return func(at func(time.Duration) time.Time) []event.Event {
			e := make(1, at(0))
			change(&e.Packet)
			return []event.Event{e}
		}
	}
	noProto := func(p *event.Packet) { p.Proto, p.HasProto = 0, false }
	tests := map[string]struct {
		packetsAfter, allAfter time.Duration
		packets, all           events
		want                   []string
	}{
		"the packet first":              {0, 100 * ms, one(packet, 1), one(freed, 1), []string{"packet 1"}},
		"the drop first":                {100 * ms, 0, one(packet, 1), one(freed, 1), []string{"packet 1 of 8"}},
		"no packet":                     {0, 0, one(packet), one(freed, 1), []string{"trace-only 1"}},
		"no drop":                       {0, 0, one(packet, 1), one(freed), []string{"packet 1"}},
		"other places":                  {0, ms, one(packet, 1), one(freed, 2), []string{"packet 1", "trace-only 2"}},
		"three":                         {0, ms, one(packet, 1, 2), one(freed, 2, 3, 1), []string{"packet 1", "packet 2", "trace-only 3"}},
		"two at once":                   {ms, 0, one(packet, 1), one(freed, 1, 1), []string{"packet 1 of 8", "trace-only 1"}},
		"clocks that differ":            {ms, 0, later(packet, 60*time.Microsecond), one(freed, 1), []string{"packet 1 of 8"}},
		"clocks that differ much":       {ms, 0, later(packet, 100*ms), one(freed, 1), []string{"packet 1"}},
		"clocks that differ much, back": {0, ms, one(packet, 1), later(freed, 100*ms), []string{"packet 1"}},
		"different times":               {ms, 0, later(packet, 140*ms), one(freed, 1), []string{"packet 1", "trace-only 1"}},
		"late":                          {time.Second, 0, one(packet, 1), one(freed, 1), []string{"trace-only 1"}},
		"late and one too many":         {time.Second, 0, one(packet, 1, 1), one(freed, 1), []string{"trace-only 1", "packet 1"}},
		"late, and clocks that differ":  {time.Second, 0, one(packet, 1), later(freed, 50*ms), []string{"trace-only 1"}},
		"late, of an earlier time":      {time.Second, 0, one(packet, 1), later(freed, 140*ms), []string{"trace-only 1", "packet 1"}},
		"protocol not given":            {ms, 0, with(packet, noProto), one(freed, 1), []string{"packet 1 of 8"}},
		"protocol not known":            {0, ms, one(packet, 1), with(freed, noProto), []string{"packet 1"}},
		"another protocol": {
			0, ms, one(packet, 1), with(freed, func(p *event.Packet) { p.Proto = 0x86dd }), []string{"packet 1", "trace-only 1"},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				for _, e := range tt.packets(r.at) {
					r.packets.plan = append(r.packets.plan, step{tt.packetsAfter, emit(e)})
				}
				for _, e := range tt.all(r.at) {
					r.all.plan = append(r.all.plan, step{tt.allAfter, emit(e)})
				}
				if err := r.run(t, 3*time.Second); err != nil {
					t.Error(err)
				}
				if got := r.out.describe(); !slices.Equal(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestATraceOnlyDropIsWhole(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.all.plan = []step{{0, emit(freed(1, r.at(-ms)))}}
		if err := r.run(t, time.Second); err != nil || len(r.out.got) != 1 {
			t.Fatalf("got %q, %v, want one drop", r.out.describe(), err)
		}
		want := freed(1, r.at(-ms))
		want.TraceOnly = true
		if got := r.out.got[0]; !got.Time.Equal(want.Time) {
			t.Errorf("at %v, want %v", got.Time, want.Time)
		} else if want.Time = got.Time; !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
		if after := r.out.at[0].Sub(r.began); after < 300*ms || after > 400*ms {
			t.Errorf("emitted after %v, want 300 to 400 ms", after)
		}
		if !slices.Contains(r.out.flushes, r.out.at[0]) {
			t.Errorf("flushed at %v, want at once", r.out.flushes)
		}
	})
}

func TestAPacketHasTheStackOfItsDrop(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.all.plan = []step{{0, emit(freed(1, r.began))}}
		r.packets.plan = []step{{ms, emit(packet(1, r.began))}}
		if err := r.run(t, time.Second); err != nil || len(r.out.got) != 1 {
			t.Fatalf("got %q, %v, want one drop", r.out.describe(), err)
		}
		want := freed(1, r.began)
		want.Packet = packet(1, r.began).Packet
		if got := r.out.got[0]; !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestWhatIsNotAPacketOfTheKernelPasses(t *testing.T) {
	hardware := event.Event{Count: 1, Individual: true, Origin: event.Hardware, Where: event.Where{Trap: "ttl"}}
	rejected := event.Event{Kind: event.Rejected, Count: 3}
	inTime(t, func(t *testing.T, r *rig) {
		r.packets.plan = []step{{0, emit(hardware)}, {0, emit(lost(event.LostSummary, 2))}}
		r.all.plan = []step{{0, emit(rejected)}, {0, emit(lost(event.InRing, 4))}}
		if err := r.run(t, time.Second); err != nil {
			t.Error(err)
		}
		want := ledger(1, lost(event.LostSummary, 2), rejected, lost(event.InRing, 4))
		if r.out.ledger != want {
			t.Errorf("ledger %+v, want %+v", r.out.ledger, want)
		}
	})
}

// TestWhilePacketsComeTheyAreWaitedFor has packets three seconds behind, of
// which every other was lost.
func TestWhilePacketsComeTheyAreWaitedFor(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		const behind, every, n = 3 * time.Second, 10 * ms, 500
		for i := range n {
			at := time.Duration(i) * every
			r.all.plan = append(r.all.plan, step{at, emit(freed(1, r.at(at)))})
			r.packets.plan = append(r.packets.plan, step{at, emit(packet(2, r.at(at-behind)))})
			if i%2 == 0 {
				r.packets.plan = append(r.packets.plan, step{at + behind, emit(packet(1, r.at(at)))})
			}
		}
		slices.SortStableFunc(r.packets.plan, func(a, b step) int { return int(a.after - b.after) })
		if err := r.run(t, time.Minute); err != nil {
			t.Error(err)
		}
		count := make(map[string]int)
		for _, word := range r.out.describe() {
			count[word]++
		}
		if want := map[string]int{"packet 1 of 8": n / 2, "trace-only 1": n / 2, "packet 2": n}; !reflect.DeepEqual(count, want) {
			t.Errorf("got %v, want %v", count, want)
		}
	})
}

// TestWhilePacketsComeTraceOnlyDropsAreShown does not wait until they pause.
func TestWhilePacketsComeTraceOnlyDropsAreShown(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.all.plan = []step{{0, emit(freed(1, r.began))}}
		for at := time.Duration(0); at < time.Second; at += 10 * ms {
			r.packets.plan = append(r.packets.plan, step{at, emit(packet(2, r.at(at)))})
		}
		if err := r.run(t, time.Second); err != nil {
			t.Error(err)
		}
		i := slices.Index(r.out.describe(), "trace-only 1")
		if i < 0 || r.out.at[i].Sub(r.began) < 300*ms || r.out.at[i].Sub(r.began) > 400*ms {
			t.Errorf("got %q, want the trace-only drop after 300 to 400 ms", r.out.describe())
		}
	})
}

// TestAStallIsNobodysFault has an output that is stuck for a while, during which
// no packet can be emitted. It takes real time: who waits for a mutex keeps a
// bubble's time from passing.
func TestAStallIsNobodysFault(t *testing.T) {
	r := &rig{began: time.Now()}
	r.out.slow, r.out.stuck = 500*ms, make(chan struct{})
	stuck := func(pipeline.Output) { <-r.out.stuck }
	r.packets.plan = []step{{0, emit(packet(1, r.began))}, {0, emit(packet(2, r.at(10*ms)))}}
	r.all.plan = []step{{0, stuck}, {0, emit(freed(1, r.began))}, {0, emit(freed(2, r.at(10*ms)))}}
	if err := r.run(t, 2*time.Second); err != nil {
		t.Error(err)
	}
	if got, want := r.out.describe(), []string{"packet 1", "packet 2"}; len(got) != 2 || got[0] != want[0] ||
		!strings.HasPrefix(got[1], want[1]) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestLosses(t *testing.T) {
	errBroken := errors.New("broken")
	tests := map[string]struct {
		packets, all []event.Event // losses
		shown        int           // packets that the source of all says nothing of
		after        int           // and more of them, after it has ended
		devices      bool
		allErr       error
		want         event.Ledger
	}{
		"of packets": {packets: []event.Event{lost(event.AtSocket, 5), lost(event.InQueue, 6), lost(event.Unread, 7),
			lost(event.Undecoded, 1)}},
		"of all": {
			all:  []event.Event{lost(event.InRing, 5), lost(event.InRing, 2), lost(event.Unread, 3)},
			want: ledger(0, lost(event.InRing, 7), lost(event.Unread, 3)),
		},
		"of all, some of it shown": {
			all: []event.Event{lost(event.InRing, 5), lost(event.Unread, 1)}, shown: 2,
			want: ledger(2, lost(event.InRing, 4)),
		},
		"of all, all of it shown": {all: []event.Event{lost(event.InRing, 3)}, shown: 3, want: event.Ledger{Shown: 3}},
		"of packets, which may be of devices": {
			packets: []event.Event{lost(event.InQueue, 6)}, all: []event.Event{lost(event.InRing, 1)}, devices: true,
			want: ledger(0, lost(event.InQueue, 6), lost(event.InRing, 1)),
		},
		"all fails": {
			packets: []event.Event{lost(event.AtSocket, 2), lost(event.AtSocket, 4)}, all: []event.Event{lost(event.InRing, 3)},
			allErr: errBroken, shown: 1, after: 4,
			want: ledger(5, lost(event.AtSocket, 6), lost(event.InRing, 2)),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			inTime(t, func(t *testing.T, r *rig) {
				r.devices, r.all.err = tt.devices, tt.allErr
				for i := range tt.shown {
					r.packets.plan = append(r.packets.plan, step{0, emit(packet(uint64(i), r.began))})
				}
				for i := range tt.after {
					r.packets.plan = append(r.packets.plan, step{150 * ms, emit(packet(uint64(i), r.at(150*ms)))})
				}
				for i, e := range tt.packets { // before the source of all fails, and after
					r.packets.plan = append(r.packets.plan, step{time.Duration(i) * 200 * ms, emit(e)})
				}
				for _, e := range tt.all {
					r.all.plan = append(r.all.plan, step{100 * ms, emit(e)})
				}
				if err := r.run(t, time.Second); err != nil {
					t.Error(err)
				}
				if r.out.ledger != tt.want {
					t.Errorf("ledger %+v, want %+v", r.out.ledger, tt.want)
				}
				if !errors.Is(r.warned, tt.allErr) || tt.allErr == nil && r.warned != nil {
					t.Errorf("warned of %v, want %v", r.warned, tt.allErr)
				}
			})
		})
	}
}

func TestWithoutTheSourceOfAllItGoesOn(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.all.plan = []step{{0, emit(freed(1, r.began))}, {0, emit(freed(2, r.began))}}
		r.all.err = errors.New("broken")
		r.packets.plan = []step{
			{ms, emit(packet(1, r.began))},
			{time.Second, emit(lost(event.AtSocket, 2))},
			{time.Second, emit(packet(3, r.at(time.Second)))},
		}
		if err := r.run(t, 2*time.Second); err != nil || !errors.Is(r.warned, r.all.err) {
			t.Errorf("ended with %v and warned of %v, want a warning", err, r.warned)
		}
		if got, want := r.out.describe(), []string{"packet 1 of 8", "trace-only 2", "lost 2 at dropwatch's socket",
			"packet 3"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// TestPacketsEndFirst: both have something to say at the end, and the source of
// all knows of the last packet.
func TestPacketsEndFirst(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.packets.last = []step{{20 * ms, emit(packet(1, r.at(time.Second)))}}
		r.all.last = []step{{20 * ms, emit(freed(1, r.at(time.Second)))}, {20 * ms, emit(freed(2, r.at(time.Second)))}}
		if err := r.run(t, time.Second); err != nil {
			t.Error(err)
		}
		if got, want := r.out.describe(), []string{"packet 1", "trace-only 2"}; !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if took := time.Since(r.at(time.Second)); took != 40*ms {
			t.Errorf("the end took %v, want what both take", took)
		}
		if !r.packets.ended.Before(r.all.ended) {
			t.Errorf("packets ended at %v, all at %v", r.packets.ended, r.all.ended)
		}
	})
}

func TestAFailureOfPacketsEndsTheRun(t *testing.T) {
	inTime(t, func(t *testing.T, r *rig) {
		r.packets.plan = []step{{10 * ms, flush}}
		r.packets.err = errors.New("switched off")
		r.all.plan = []step{{0, emit(freed(1, r.began))}}
		if err := r.run(t, time.Minute); !errors.Is(err, r.packets.err) {
			t.Errorf("error %v, want %v", err, r.packets.err)
		}
		if got, want := r.out.describe(), []string{"trace-only 1"}; !slices.Equal(got, want) || time.Since(r.began) > time.Second {
			t.Errorf("got %q after %v, want %q at once", got, time.Since(r.began), want)
		}
	})
}

// TestStoppedByAnother: the source of all has reported everything until it ended.
func TestStoppedByAnother(t *testing.T) {
	cause := errors.New("switched off")
	for name, allErr := range map[string]error{"both work": nil, "the source of all has failed": errors.New("gone")} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			packets := sourceFunc(func(context.Context, pipeline.Output) error {
				time.Sleep(5 * time.Second)
				return &pipeline.StoppedError{Since: began, Err: cause}
			})
			all := sourceFunc(func(ctx context.Context, _ pipeline.Output) error {
				<-ctx.Done()
				return allErr
			})
			err := pair.New(packets, all).Run(t.Context(), &record{})
			stopped, ok := errors.AsType[*pipeline.StoppedError](err)
			want := began.Add(5 * time.Second)
			if allErr != nil {
				want = began
			}
			if !ok || !errors.Is(err, cause) || !stopped.Since.Equal(want) {
				t.Errorf("%s: %#v, want one since %v", name, err, want)
			}
		})
	}
}

type sourceFunc func(context.Context, pipeline.Output) error

func (f sourceFunc) Run(ctx context.Context, out pipeline.Output) error { return f(ctx, out) }
