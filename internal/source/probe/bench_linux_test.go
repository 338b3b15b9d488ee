package probe

import "testing"

// BenchmarkReturns is what a call and its return cost, when all are on one CPU and at the same stack address, as in
// a flood.
func BenchmarkReturns(b *testing.B) {
	const round = 500 // that a ring has
	s, out := fakeSource(), new(unreadCounter)
	c := newCPU(0, 3)
	at := uint64(0)
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		at += 10
		s.sample(c, out, sampleOf(callID, at, 1, 0x1000))
		s.sample(c, out, sampleOf(returnID, at+5, 2, onReturn(0x1000)))
		if n%round == round-1 {
			s.pair(out, len(s.waiting))
		}
	}
}
