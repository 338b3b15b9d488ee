package pcapng_test

import (
	"io"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/pcapng"
)

// drops returns the work that one drop on either of two interfaces makes.
func drops(tb testing.TB) func() {
	tb.Helper()
	s, err := pcapng.New(io.Discard, pcapng.Options{})
	if err != nil {
		tb.Fatal(err)
	}
	one, other := udp("eth0"), udp("eth1")
	one.Stack = traceOnly().Stack
	other.Owner.Process, other.Netns = event.Process{PID: 812, Comm: "nginx"}, event.Netns{Inode: 7, Name: "blue"}
	return func() {
		one, other = other, one
		if err := s.Write(&one); err != nil {
			tb.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	drop := drops(b)
	b.ReportAllocs()
	for b.Loop() {
		drop()
	}
}

func TestWriteDoesNotAllocate(t *testing.T) {
	drop := drops(t)
	for range 5000 {
		drop() // until the buffer has its size
	}
	if n := testing.AllocsPerRun(5000, drop); n != 0 {
		t.Errorf("%v allocations for a drop, want none", n)
	}
}
