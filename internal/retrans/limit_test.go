package retrans

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"dropwatch/internal/event"
)

// TestMemoryIsLimited reads far more connections than may be known, between ever new addresses, each with a
// gap: what is kept stays within the limit, and nothing more is allocated.
func TestMemoryIsLimited(t *testing.T) {
	const limit, flows = 1000, 1_000_000
	a := New(limit, nil)
	h := event.Headers{
		Network: event.IPv4, Transport: event.TCP, TCPFlags: event.ACK, SrcPort: 1, DstPort: 2, Dst: netip.AddrFrom4([4]byte{10}),
	}
	s := Segment{Headers: &h, Len: 50}
	n, src := uint32(0), [4]byte{}
	next := func() {
		n++
		binary.BigEndian.PutUint32(src[:], n)
		h.Src = netip.AddrFrom4(src)
		for h.Seq = 0; h.Seq <= 100; h.Seq += 100 {
			a.Add(&s, time.Unix(int64(n), 0))
		}
	}
	for n < flows {
		next()
	}
	if allocated := testing.AllocsPerRun(limit, next); allocated > 0 {
		t.Errorf("%v allocations for a connection beyond the limit", allocated)
	}
	if a.Evicted() != uint64(n-limit) {
		t.Errorf("%d of %d connections forgotten, want all but %d", a.Evicted(), n, limit)
	}
	linked, ranges := 0, 0
	for f := a.oldest; f != nil; f = f.newer {
		linked++
		ranges += cap(f.halves[0].seen) + cap(f.halves[1].seen)
	}
	if len(a.flows) != limit || linked != limit || ranges > 8*limit || a.traffic.Len() > limit+1 {
		t.Errorf("%d connections in the table and %d in order, %d ranges, %d directions", len(a.flows), linked, ranges, a.traffic.Len())
	}
}
