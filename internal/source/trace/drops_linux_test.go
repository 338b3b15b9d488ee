package trace

import (
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// TestDrops loses packets in every way there is: each is an event, with the
// kernel's reason, and nothing else is.
func TestDrops(t *testing.T) {
	for _, w := range drops.Ways {
		t.Run(w.Name, func(t *testing.T) {
			const count = 7
			drop := w.Prepare(t, count)
			settle()
			r := run(t, need(t, Options{}), func(e *event.Event) bool {
				return e.Reason == w.Reason() && !ipv6(e) || vmtest.InGuest()
			})
			drop()
			got := make(map[string]int)
			for _, e := range r.end() {
				got[e.Reason]++
			}
			want := map[string]int{w.Reason(): count}
			if w.Silent {
				want = nil
			}
			if len(got) != len(want) || got[w.Reason()] != want[w.Reason()] {
				t.Errorf("drops by reason %v, want %v", got, want)
			}
		})
	}
}

// settle waits until the kernel has freed what another test has left: it takes
// namespaces apart in a thread of its own.
func settle() { time.Sleep(100 * time.Millisecond) }

func ipv6(e *event.Event) bool { return e.Packet.Proto == 0x86dd }
