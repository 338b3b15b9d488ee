package tally_test

import (
	"fmt"
	"slices"
	"testing"

	"dropwatch/internal/tally"
)

// other is the overflow key of all.
func other(string) string { return "other" }

// counts returns the entries in order, as text.
func counts[V any](t *tally.Tally[string, V]) (lines []string) {
	for e := range t.All {
		lines = append(lines, fmt.Sprintf("%s %d %v", e.Key, e.Count, e.Value))
	}
	return lines
}

func want(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestAdd(t *testing.T) {
	c := tally.New[string, int](2, other)
	for i, key := range []string{"a", "b", "a", "c", "d", "b", "c"} {
		e, isNew := c.Add(key, 10)
		if isNew != (e.Value == 0) {
			t.Errorf("add %d of %s: new %v, but the entry has the value %d", i, key, isNew, e.Value)
		}
		e.Value++
	}
	want(t, counts(c), "a 20 2", "b 20 2", "other 30 3")
	if c.Len() != 3 || !c.Full() || c.Overflow() != 30 {
		t.Errorf("%d entries, full %v, %d more", c.Len(), c.Full(), c.Overflow())
	}
	if e := c.Find("a"); e == nil || e.Count != 20 || c.Find("c") != nil {
		t.Errorf("found a as %+v and c as %+v", e, c.Find("c"))
	}
}

func TestWithoutOverflowKey(t *testing.T) {
	c := tally.New[string, int](1, nil)
	c.Add("a", 1)
	if e, isNew := c.Add("b", 5); e != nil || isNew {
		t.Errorf("entry %+v, new %v, without room", e, isNew)
	}
	want(t, counts(c), "a 1 0")
	if c.Overflow() != 5 {
		t.Errorf("%d had no room, want 5", c.Overflow())
	}
}

func TestReset(t *testing.T) {
	c := tally.New[string, int](1, other)
	c.Add("a", 1)
	c.Add("b", 1)
	c.Reset()
	if c.Len() != 0 || c.Full() || c.Overflow() != 0 || c.Find("other") != nil {
		t.Errorf("left: %q, %d without room", counts(c), c.Overflow())
	}
	c.Add("b", 2)
	c.Add("c", 3)
	want(t, counts(c), "b 2 0", "other 3 0")
}

func TestFold(t *testing.T) {
	c := tally.New[string, int](3, other)
	for i, key := range []string{"a", "b", "c", "d"} {
		e, _ := c.Add(key, uint64(i+1))
		e.Value = 10 * (i + 1)
	}
	small := func(e *tally.Entry[string, int]) bool { return e.Count < 3 }
	sum := func(to, from *int) { *to += *from }
	c.Fold(small, sum)
	want(t, counts(c), "c 3 30", "other 7 70")
	if c.Full() || c.Overflow() != 7 {
		t.Errorf("full %v, %d without room, want 7", c.Full(), c.Overflow())
	}
	c.Add("a", 1)
	c.Add("e", 1)
	c.Add("f", 1)
	want(t, counts(c), "c 3 30", "other 8 70", "a 1 0", "e 1 0")
	c.Fold(small, sum)
	want(t, counts(c), "c 3 30", "other 10 70")
}

func TestFoldFirst(t *testing.T) {
	c := tally.New[string, int](2, other)
	c.Add("a", 1)
	c.Add("b", 9)
	c.Fold(func(e *tally.Entry[string, int]) bool { return e.Key == "a" }, func(to, from *int) {})
	want(t, counts(c), "other 1 0", "b 9 0")
}

func TestClone(t *testing.T) {
	c := tally.New[string, []int](1, other)
	e, _ := c.Add("a", 1)
	e.Value = []int{1}
	c.Add("b", 1)
	d := c.Clone(slices.Clone)
	e.Value[0] = 2
	c.Add("a", 1)
	c.Add("b", 1)
	want(t, counts(d), "a 1 [1]", "other 1 []")
	d.Add("a", 5)
	d.Add("c", 5)
	want(t, counts(d), "a 6 [1]", "other 6 []")
	want(t, counts(c), "a 2 [2]", "other 2 []")
	if c.Overflow() != 2 || d.Overflow() != 6 {
		t.Errorf("%d and %d without room", c.Overflow(), d.Overflow())
	}
}

// TestMemory: no allocation for a known key, nor for one that has no room.
func TestMemory(t *testing.T) {
	c := tally.New[string, int](1, other)
	c.Add("a", 1)
	c.Add("b", 1)
	if n := testing.AllocsPerRun(100, func() { c.Add("a", 1); c.Add("x", 1) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkAdd(b *testing.B) {
	type key struct {
		pc     uint64
		reason string
	}
	c := tally.New[key, [4]uint64](4096, nil)
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		c.Add(key{i % 64, "NO_SOCKET"}, 1)
	}
}
