package line_test

import (
	"io"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/line"
)

// drops are events as the sources make them, after all stages.
func drops() map[string]event.Event {
	trace := udp()
	trace.Packet, trace.Port = event.Packet{Proto: 0x800, HasProto: true}, event.Port{}
	trace.Where.Frame = event.Frame{PC: pc, Lookup: event.Found, Symbol: "udp_queue_rcv_one_skb", Offset: 0x1a2}
	trace.Task = event.Task{Known: true, CPU: 3, PID: 1234, TID: 1234, Comm: "ping"}
	tunnel := udp()
	tunnel.Packet.Flow.Tunnel = event.Tunnel{Kind: event.VXLAN, ID: 42, HasID: true}
	tunnel.Packet.Flow.Inner = ip6(event.UDP, 17, ports)
	owned := udp()
	owned.Owner, owned.Netns = nginx(), event.Netns{Inode: 7, Name: "blue"}
	owned.Owner.Pod = event.Pod{Namespace: "shop", Name: "web-0"}
	again := retransmit()
	again.Segment.Fate = event.NotLostHere
	return map[string]event.Event{"packet": udp(), "trace": trace, "tunnel": tunnel, "owned": owned, "retransmit": again}
}

func BenchmarkWrite(b *testing.B) {
	for name, e := range drops() {
		b.Run(name, func(b *testing.B) {
			s := line.New(io.Discard, line.Options{Color: true})
			b.ReportAllocs()
			for b.Loop() {
				if err := s.Write(&e); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	opts := line.Options{Stack: true, Hex: true, Task: true}
	for name, e := range drops() {
		s := line.New(io.Discard, opts)
		write := func() {
			if err := s.Write(&e); err != nil {
				t.Fatal(err)
			}
		}
		for range 1000 { // until the buffer has grown
			write()
		}
		if n := testing.AllocsPerRun(1000, write); n != 0 {
			t.Errorf("%s: %v allocations, want none", name, n)
		}
	}
}
