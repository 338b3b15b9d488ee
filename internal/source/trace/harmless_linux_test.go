package trace

import (
	"os"
	"slices"
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/stage/harmless"
	"dropwatch/internal/stage/resolve"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/kallsyms"
)

// TestOrderlyClose: only the stack trace distinguishes a FIN from data that nobody reads.
func TestOrderlyClose(t *testing.T) {
	const count = 50
	for name, why := range map[string]string{"orderly close": harmless.OrderlyClose, "data for a connection that nobody accepts": ""} {
		t.Run(name, func(t *testing.T) {
			i := slices.IndexFunc(drops.FreeScenarios, func(f drops.FreeScenario) bool { return f.Name == name })
			free := drops.FreeScenarios[i].Prepare(t, count)
			awaitQuiet()
			if got := freed(t, free, count); got[why] != count || len(got) != 1 {
				t.Errorf("%v, want %d %q", got, count, why)
			}
		})
	}
}

// freed counts what the purge of TCP sockets frees, by why nothing was lost by it, once it has
// freed so many.
func freed(t *testing.T, free func(), count uint64) map[string]int {
	t.Helper()
	var symbols kallsyms.Live
	if err := symbols.Load(); err != nil {
		t.Fatal(err)
	}
	var at []condition.Span
	for _, name := range harmless.ByStack {
		found, _ := symbols.Function(name)
		for _, r := range found {
			at = append(at, condition.Span{Lo: r.Start, Hi: r.End - 1})
		}
	}
	names, why := resolve.Symbols(resolve.Options{Lookup: symbols.Lookup}), harmless.Stage(nil)
	got := make(map[string]int)
	r := sourcetest.Run(t, need(t, Options{StackAt: at}), func(e *event.Event) bool {
		names(e)
		why(e)
		if s := e.Where.Symbol; (s == "sk_stream_kill_queues" || s == "tcp_disconnect") &&
			(e.Task.PID == uint32(os.Getpid()) || vmtest.InGuest()) {
			got[e.Harmless]++
			return true
		}
		return false
	})
	free()
	r.Await(count)
	r.End()
	return got
}
