package top

import (
	"fmt"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/live"
)

// BenchmarkSecond is what the screen costs every second, with as many kinds of
// drops as there can be.
func BenchmarkSecond(b *testing.B) {
	for _, kinds := range []int{16, live.MaxKinds} {
		b.Run(fmt.Sprint(kinds), func(b *testing.B) {
			v := newScreen(New(Options{}))
			for i := range kinds {
				e := drop(fmt.Sprintf("udp_queue_rcv_one_skb_%d+0x1a2/0x5c0", i), "NO_SOCKET", "eth0", uint64(i+1))
				if err := v.sink.Write(&e); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				v.refresh()
				v.lines()
			}
		})
	}
}

// BenchmarkWrite is what an event costs.
func BenchmarkWrite(b *testing.B) {
	s := New(Options{})
	var events [64]event.Event
	for i := range events {
		events[i] = packet(fmt.Sprintf("udp_queue_rcv_one_skb_%d+0x1a2/0x5c0", i), "NO_SOCKET", "eth0", uint16(i))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if err := s.Write(&events[i%len(events)]); err != nil {
			b.Fatal(err)
		}
	}
}
