package trace

import (
	"context"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
)

// sum is an Output that only counts.
type sum struct{ ledger event.Ledger }

func (s *sum) Emit(e *event.Event) { s.ledger.Add(e) }
func (s *sum) Flush()              {}

// BenchmarkFlood traces drops made as fast as one CPU can: what a drop costs the
// thread that reads, and how many of them are lost.
func BenchmarkFlood(b *testing.B) {
	for name, opts := range map[string]Options{"plain": {}, "others": {Others: true}, "stack": {Stack: true}} {
		b.Run(name, func(b *testing.B) {
			n := newNowhere(b)
			s := need(b, opts)
			ctx, cancel := context.WithCancel(b.Context())
			var out sum
			cpu := make(chan time.Duration)
			go func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				before := threadTime()
				if err := s.Run(ctx, &out); err != nil {
					b.Error(err)
				}
				cpu <- threadTime() - before
			}()
			b.ResetTimer()
			n.frames(b, b.N)
			b.StopTimer()
			cancel()
			b.ReportMetric(float64((<-cpu).Nanoseconds())/float64(b.N), "reader-ns/drop")
			b.ReportMetric(float64(out.ledger.TotalLost())/float64(b.N)*100, "%lost")
			if all := out.ledger.Shown + out.ledger.TotalLost(); all < uint64(b.N) {
				b.Errorf("%d shown or lost, want %d or more", all, b.N)
			}
		})
	}
}

// threadTime is the CPU time of this thread.
func threadTime() time.Duration {
	var u unix.Rusage
	unix.Getrusage(unix.RUSAGE_THREAD, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
