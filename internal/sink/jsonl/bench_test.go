package jsonl_test

import (
	"io"
	"testing"

	"dropwatch/internal/sink/jsonl"
)

// write returns the work that a typical drop makes: TCP, with place, reason and owner.
func write(tb testing.TB) func() {
	tb.Helper()
	s := jsonl.New(io.Discard, jsonl.Options{})
	e := tcp()
	e.Netns, e.Owner = owned().Netns, owned().Owner
	return func() {
		e.Time = e.Time.Add(1000)
		if err := s.Write(&e); err != nil {
			tb.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	drop := write(b)
	b.ReportAllocs()
	for b.Loop() {
		drop()
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	drop := write(t)
	for range 1000 {
		drop() // until the buffer has its size
	}
	if n := testing.AllocsPerRun(1000, drop); n != 0 {
		t.Errorf("%v allocations for a drop, want none", n)
	}
}
