package retrans

import (
	"math/rand/v2"
	"testing"
)

// TestSpans compares spans with a set of single numbers, around where they wrap.
func TestSpans(t *testing.T) {
	const base, size = uint32(0xffffff80), 256
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var s spans
		var seen [size]bool
		for range 30 {
			start, n := r.IntN(size-20), 1+r.IntN(20)
			s = s.add(base+uint32(start), base+uint32(start+n), 0)
			for i := start; i < start+n; i++ {
				seen[i] = true
			}
			if r.IntN(10) == 0 {
				ack := r.IntN(size / 4)
				s = s.acknowledge(base + uint32(ack))
				for i := range ack { // a range that was acknowledged in part is kept
					seen[i] = s.has(base+uint32(i), base+uint32(i+1))
				}
			}
			for i, want := range seen {
				if got := s.has(base+uint32(i), base+uint32(i+1)); got != want {
					t.Fatalf("%v has %d: %v, want %v", s, i, got, want)
				}
			}
			for i := 1; i < len(s); i++ {
				if !before(s[i-1].End, s[i].Start) {
					t.Fatalf("%v touch", s)
				}
			}
		}
	}
}

func TestSpansAreLimited(t *testing.T) {
	var s spans
	for i := range uint32(10 * maxSpans) {
		s = s.add(10*i, 10*i+5, int64(i))
	}
	if len(s) != maxSpans || cap(s) > 2*maxSpans {
		t.Errorf("%d spans, of %d, want %d", len(s), cap(s), maxSpans)
	}
	if since, ok := s.gapSince(5); !ok || since != 9*maxSpans+1 {
		t.Errorf("the lowest gap is of %d, %v, want that of the second span", since, ok)
	}
	if since, ok := s.gapSince(10*10*maxSpans - 10); !ok || since != 10*maxSpans-1 {
		t.Errorf("the highest gap is of %d, %v, want the last", since, ok)
	}
	if _, ok := s.gapSince(10 * 10 * maxSpans); ok {
		t.Error("a gap behind all that was seen")
	}
	if !s.has(0, 10) || s.has(10*10*maxSpans-10, 10*10*maxSpans-1) {
		t.Errorf("the lowest gaps do not count as seen: %v", s[:2])
	}
}
