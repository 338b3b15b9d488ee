package perf

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"dropwatch/internal/perf/perftest"
)

func TestLostCount(t *testing.T) {
	rec := perftest.Lost(77)
	if LostCount(rec) != 77 || LostCount(rec[:len(rec)-1]) != 0 {
		t.Errorf("lost %d, of a short record %d", LostCount(rec), LostCount(rec[:len(rec)-1]))
	}
}

// newKernel returns an empty ring of a size.
func newKernel(size int) (*perftest.Kernel, *Ring) {
	k := &perftest.Kernel{Data: make([]byte, size)}
	r := NewRing(k.Data, &k.Head, &k.Tail)
	return k, &r
}

// TestRingWraps sends records of all sizes round and round.
func TestRingWraps(t *testing.T) {
	k, r := newKernel(4096)
	for i := range 2000 {
		want := perftest.Record(uint32(i), bytes.Repeat([]byte{byte(i)}, i%300))
		if !k.Write(want) {
			t.Fatalf("no room for record %d", i)
		}
		r.ReadHead()
		if got := r.Next(); !bytes.Equal(got, want) {
			t.Fatalf("record %d is %x, want %x", i, got, want)
		}
		if got := r.Next(); got != nil {
			t.Fatalf("%x after record %d", got, i)
		}
	}
}

// TestEach: records are passed in their order until no more are wanted, and the room of these alone is given back.
func TestEach(t *testing.T) {
	k, r := newKernel(4096)
	for i := range 5 {
		k.Write(perftest.Record(uint32(i), nil))
	}
	var got []uint32
	use := func(rec []byte) { got = append(got, RecordType(rec)) }
	n := r.Each(func() bool { return len(got) < 3 }, use)
	if n != 3 || !slices.Equal(got, []uint32{0, 1, 2}) || k.Tail != 3*HeaderLen || r.Empty() {
		t.Errorf("%d records %v, tail %d", n, got, k.Tail)
	}
	n = r.Each(func() bool { return true }, use)
	if n != 2 || len(got) != 5 || k.Tail != k.Head || !r.Empty() {
		t.Errorf("%d records more: %v, tail %d of %d", n, got, k.Tail, k.Head)
	}
}

func TestRingGivesRoomBackWhileItIsRead(t *testing.T) {
	k, r := newKernel(4096)
	for k.Write(perftest.Record(1, make([]byte, 56))) {
	}
	r.ReadHead()
	for range 16 {
		r.Next()
	}
	if k.Tail == 0 || k.Tail > r.at {
		t.Errorf("tail %d after reading %d bytes", k.Tail, r.at)
	}
	r.Release()
	if k.Tail != r.at {
		t.Errorf("tail %d, want %d", k.Tail, r.at)
	}
}

func TestRingSkip(t *testing.T) {
	k, r := newKernel(4096)
	if r.Skip() {
		t.Error("something in an empty ring")
	}
	k.Write(perftest.Record(1, nil))
	if !r.Skip() || r.Skip() || k.Tail != k.Head {
		t.Errorf("head %d, tail %d", k.Head, k.Tail)
	}
}

func TestRingOfImpossibleSizes(t *testing.T) {
	for _, size := range []uint16{0, 7, 9, 12, 24, 65528} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			k, r := newKernel(4096)
			rec := perftest.Record(1, make([]byte, 8))
			binary.NativeEndian.PutUint16(rec[6:], size)
			k.Write(rec)
			r.ReadHead()
			if got := r.Next(); got != nil || r.at != r.end {
				t.Errorf("%x, %d of %d read", got, r.at, r.end)
			}
			good := perftest.Record(2, nil)
			k.Write(good)
			r.ReadHead()
			if got := r.Next(); !bytes.Equal(got, good) {
				t.Errorf("%x after it, want %x", got, good)
			}
		})
	}
}
