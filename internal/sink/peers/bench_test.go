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
	const connections, to = 20_000, 200
	s := peers.New(io.Discard, peers.Options{Begin: begin, Connections: ended})
	var all [to]netip.Addr
	for i := range all {
		all[i] = netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
	}
	e := resent(event.FastRetransmit, "198.51.100.7", 1)
	write := func(i int) {
		n := i * 7919 % connections
		e.Packet.Flow.SrcPort, e.Packet.Flow.Dst, e.Owner.Socket.Cookie = uint16(10_000+n), all[n%to], uint64(n)
		if err := s.Write(&e); err != nil {
			b.Fatal(err)
		}
	}
	for i := range connections {
		write(i)
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		write(i)
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
