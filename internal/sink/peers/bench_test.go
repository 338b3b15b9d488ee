package peers_test

import (
	"io"
	"net/netip"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/peers"
)

// BenchmarkWrite is what a retransmission costs, of as many connections, to 200 peers, as are sent again in a second
// when 20,000 are.
func BenchmarkWrite(b *testing.B) {
	s := peers.New(io.Discard, peers.Options{Begin: begin, Connections: ended})
	events := make([]event.Event, 20_000)
	for i := range events {
		events[i] = resent(event.FastRetransmit, netip.AddrFrom4([4]byte{198, 51, 100, byte(i % 200)}).String(), 1)
		events[i].Packet.Flow.SrcPort = uint16(10_000 + i)
	}
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		if err := s.Write(&events[i%len(events)]); err != nil {
			b.Fatal(err)
		}
	}
}

// TestWriteAllocatesNothing of connections that are known, by what a table may count them.
func TestWriteAllocatesNothing(t *testing.T) {
	for _, text := range []string{"peer", "net/24", "port", "iface"} {
		var by peers.By
		if err := by.Set(text); err != nil {
			t.Fatal(err)
		}
		s := peers.New(io.Discard, peers.Options{By: by, Begin: begin, Connections: ended})
		e := resent(event.FastRetransmit, "198.51.100.7", 1)
		if n := testing.AllocsPerRun(100, func() { s.Write(&e) }); n > 0 {
			t.Errorf("by %s: %v allocations", text, n)
		}
	}
}
