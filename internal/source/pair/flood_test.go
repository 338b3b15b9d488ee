package pair_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/pair"
)

// A count is an Output that only counts.
type count struct{ ledger event.Ledger }

func (c *count) Emit(e *event.Event) { c.ledger.Add(e) }
func (c *count) Flush()              {}

// A runner is a source that is a function of what it emits to.
type runner func(ctx context.Context, out pipeline.Output) error

func (f runner) Run(ctx context.Context, out pipeline.Output) error { return f(ctx, out) }

// TestAFloodIsBounded has more drops at once than may wait. Packets that come
// after their drops were emitted early are never emitted as well.
func TestAFloodIsBounded(t *testing.T) {
	const n, most, shown = 200_000, 1 << 16, 100_000
	synctest.Test(t, func(t *testing.T) {
		var out count
		began := time.Now()
		at := func(i int) time.Time { return began.Add(time.Duration(i) * time.Microsecond) }
		all := func(ctx context.Context, o pipeline.Output) error {
			for i := range n {
				e := freed(1, at(i))
				o.Emit(&e)
			}
			if waiting := n - out.ledger.TraceOnly; waiting > most {
				t.Errorf("%d drops are waiting, want at most %d", waiting, most)
			}
			<-ctx.Done()
			return nil
		}
		packets := func(ctx context.Context, o pipeline.Output) error {
			synctest.Wait()
			for i := n - shown; i < n; i++ {
				e := packet(1, at(i))
				o.Emit(&e)
			}
			<-ctx.Done()
			return nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := pair.New(runner(packets), runner(all)).Run(ctx, &out); err != nil {
			t.Error(err)
		}
		if want := (event.Ledger{Shown: n, TraceOnly: n - most}); out.ledger != want {
			t.Errorf("ledger %+v, want %+v", out.ledger, want)
		}
	})
}

// BenchmarkPair is of a flood at one place: a packet and its drop, of which the
// one comes first that batches of so many drops make it be.
func BenchmarkPair(b *testing.B) {
	for name, bench := range map[string]struct {
		batch int // drops, 100 ms apart from their packets
		stack int
		blind bool // no packet comes
		wait  bool // packets do
	}{
		"packet-first":                {batch: 10_000},
		"packet-first-waits-20-calls": {batch: 10_000, stack: 20, wait: true},
		"drop-first":                  {batch: -10_000},
		"drop-first-20-calls":         {batch: -10_000, stack: 20},
		"drop-alone":                  {batch: 10_000, blind: true},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			var out count
			began := time.Now()
			p, d := packet(1, began), freed(1, began)
			d.Stack = make([]event.Frame, bench.stack)
			outs := make(chan pipeline.Output)
			take := runner(func(ctx context.Context, o pipeline.Output) error {
				outs <- o
				<-ctx.Done()
				return nil
			})
			ctx, cancel := context.WithCancel(b.Context())
			ended := make(chan error)
			source := pair.New(take, runner(func(ctx context.Context, o pipeline.Output) error {
				packets := <-outs
				first, second, e1, e2 := packets, o, &p, &d
				if bench.batch < 0 {
					first, second, e1, e2 = o, packets, &d, &p
				}
				emit := func(o pipeline.Output, e *event.Event, from, to int) {
					for i := from; i < to && !(bench.blind && e == &p); i++ {
						e.Time = began.Add(time.Duration(i) * 10 * time.Microsecond)
						o.Emit(e)
					}
				}
				batch := max(bench.batch, -bench.batch)
				b.ResetTimer()
				for i := 0; i < b.N; i += batch {
					emit(first, e1, i, min(i+batch, b.N))
					emit(second, e2, i, min(i+batch, b.N))
				}
				b.StopTimer()
				cancel()
				return nil
			}))
			source.Wait = bench.wait
			go func() { ended <- source.Run(ctx, &out) }()
			if err := <-ended; err != nil {
				b.Error(err)
			}
			if out.ledger.Total() != uint64(b.N) {
				b.Errorf("%d shown, want %d", out.ledger.Total(), b.N)
			}
		})
	}
}
