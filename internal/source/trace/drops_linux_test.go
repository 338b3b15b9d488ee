package trace

import (
	"maps"
	"os"
	"testing"
	"time"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// TestDrops loses packets in every scenario: each is an event, with the
// kernel's reason, and nothing else is. They are dropped at once, by this test.
func TestDrops(t *testing.T) {
	for _, w := range drops.Scenarios {
		t.Run(w.Name, func(t *testing.T) {
			const count = 7
			drop := w.Prepare(t, count)
			awaitQuiet()
			r := sourcetest.Run(t, need(t, Options{Filter: ignoreOthers(t, w.Reason())}), func(e *event.Event) bool {
				return e.Task.PID == uint32(os.Getpid()) || vmtest.InGuest()
			})
			drop()
			if !w.Silent {
				r.Await(count)
			}
			got := make(map[string]int)
			for _, e := range r.End() {
				got[e.Reason]++
			}
			want := map[string]int{w.Reason(): count}
			if w.Silent {
				want = nil
			}
			if !maps.Equal(got, want) || r.Ledger.TotalLost() != 0 {
				t.Errorf("drops by reason %v, want %v; %d lost", got, want, r.Ledger.TotalLost())
			}
		})
	}
}

// awaitQuiet waits until the kernel has freed what another test has left: it takes
// namespaces apart in a thread of its own.
func awaitQuiet() { time.Sleep(100 * time.Millisecond) }

// ignoreOthers returns a filter against drops by other programs, of which a guest has none.
func ignoreOthers(t *testing.T, reason string) (filter string) {
	t.Helper()
	if vmtest.InGuest() {
		return ""
	}
	lookup, err := Reasons()
	if err != nil {
		vmtest.SkipOrFail(t, err)
	}
	numbers, _ := lookup(reason)
	return Expression(condition.NewTest(condition.Test{Field: condition.Reason, Spans: numbers}))
}
