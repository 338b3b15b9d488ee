package capture

import (
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// TestByKind: only drops skip what the kernel has tested.
func TestByKind(t *testing.T) {
	no := func(*event.Event) bool { return false }
	yes := func(*event.Event) bool { return true }
	stage := byKind([]pipeline.Stage{yes, yes}, []pipeline.Stage{yes, no})
	for kind, want := range map[event.Kind]bool{event.Drop: true, event.Retransmit: false, event.Reset: false} {
		if got := stage(&event.Event{Kind: kind}); got != want {
			t.Errorf("%v: %t, want %t", kind, got, want)
		}
	}
}
