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
			s = s.add(base+uint32(start), base+uint32(start+n), &mark{})
			for i := start; i < start+n; i++ {
				seen[i] = true
			}
			if r.IntN(10) == 0 {
				ack := r.IntN(size / 4)
				s = s.acknowledge(base + uint32(ack))
				for i := range ack { // a range that was acknowledged in part is kept
					seen[i] = s.overlaps(base+uint32(i), base+uint32(i+1))
				}
			}
			for i, want := range seen {
				if got := s.overlaps(base+uint32(i), base+uint32(i+1)); got != want {
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

// TestRefillsAreLimited forgets the oldest, and joins what touches.
func TestRefillsAreLimited(t *testing.T) {
	var r refills
	for i := range uint32(10 * maxRefills) {
		r = r.add(100*i, 100*i+5, &mark{At: int64(i)})
		r = r.add(100*i+5, 100*i+10, &mark{At: -1})
	}
	if len(r) != maxRefills || cap(r) > 2*maxRefills {
		t.Errorf("%d ranges, of %d, want %d", len(r), cap(r), maxRefills)
	}
	for i, f := range r {
		if n := uint32(9*maxRefills + i); f.Start != 100*n || f.End != 100*n+10 || f.First.At != int64(n) {
			t.Errorf("range %d is %v", i, f)
		}
	}
}

func TestSpansAreLimited(t *testing.T) {
	var s spans
	for i := range uint32(10 * maxSpans) {
		s = s.add(10*i, 10*i+5, &mark{At: int64(i)})
	}
	if len(s) != maxSpans || cap(s) > 2*maxSpans {
		t.Errorf("%d spans, of %d, want %d", len(s), cap(s), maxSpans)
	}
	if m := s.behind(5); m == nil || m.At != 9*maxSpans+1 {
		t.Errorf("the lowest gap is of %v, want that of the second span", m)
	}
	if m := s.behind(10*10*maxSpans - 10); m == nil || m.At != 10*maxSpans-1 {
		t.Errorf("the highest gap is of %v, want the last", m)
	}
	if m := s.behind(10 * 10 * maxSpans); m != nil {
		t.Errorf("a gap behind all that was seen, of %v", m)
	}
	const last = 10*10*maxSpans - 10
	if !s.overlaps(5, 10) || s.overlaps(last-5, last) || !s.overlaps(last-5, last+1) {
		t.Errorf("the lowest gaps do not count as seen: %v", s[:2])
	}
}
