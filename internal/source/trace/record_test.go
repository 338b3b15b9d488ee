package trace

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"
	"testing"
	"time"

	"dropwatch/internal/event"
)

// scratch is where events go that nobody looks at.
var scratch event.Event

var native = binary.NativeEndian

// newRecord encodes a record. Its size is rounded up, as the kernel does.
func newRecord(typ uint32, body []byte) []byte {
	size := (headerLen + len(body) + 7) &^ 7
	b := native.AppendUint32(nil, typ)
	b = native.AppendUint16(b, 0)
	b = native.AppendUint16(b, uint16(size))
	b = append(b, body...)
	return append(b, make([]byte, size-len(b))...)
}

// newSample encodes a sample from task 100, thread 101. A nil chain means that there is none.
func newSample(at uint64, raw []byte, chain ...uint64) []byte {
	b := native.AppendUint32(nil, 100)
	b = native.AppendUint32(b, 101)
	b = native.AppendUint64(b, at)
	if chain != nil {
		b = native.AppendUint64(b, uint64(len(chain)))
		for _, pc := range chain {
			b = native.AppendUint64(b, pc)
		}
	}
	b = native.AppendUint32(b, uint32(len(raw)))
	return newRecord(recordSample, append(b, raw...))
}

// sampleOf decodes a sample of a drop.
func sampleOf(d *decoder, rec []byte, cpu uint32, e *event.Event) bool {
	s, ok := d.parse(rec)
	return ok && d.drop(&s, cpu, e)
}

func newLost(n uint64) []byte {
	return newRecord(recordLost, native.AppendUint64(native.AppendUint64(nil, 1), n))
}

// newDrop encodes the event's own fields as a kernel does.
func newDrop(l *layout, pc uint64, proto uint16, reason uint32) []byte {
	raw := make([]byte, l.size)
	native.PutUint16(raw[l.event.offset:], uint16(l.id))
	native.PutUint64(raw[l.location.offset:], pc)
	native.PutUint16(raw[l.protocol.offset:], proto)
	if l.reason.size > 0 {
		native.PutUint32(raw[l.reason.offset:], reason)
	}
	return raw
}

func TestSamples(t *testing.T) {
	for kernel := range kernels {
		t.Run(kernel, func(t *testing.T) {
			d := decoder{layout: layoutOf(t, kernel), wall: 1e9}
			var e event.Event
			rec := newSample(5e9+7, newDrop(&d.layout, 0xffffffff81234567, 0x800, 3))
			if !sampleOf(&d, rec, 9, &e) {
				t.Fatal("not decoded")
			}
			if !e.Time.Equal(time.Unix(6, 7)) || !e.KernelTime || e.Count != 1 || !e.Individual || e.Kind != event.Drop {
				t.Errorf("%+v", e)
			}
			if e.Where.PC != 0xffffffff81234567 || !e.Where.HasPC || e.Packet.Proto != 0x800 || !e.Packet.HasProto {
				t.Errorf("at %+v of %+v", e.Where, e.Packet)
			}
			if want := (event.Task{Known: true, CPU: 9, PID: 100, TID: 101}); e.Task != want {
				t.Errorf("task %+v, want %+v", e.Task, want)
			}
			want := "NO_SOCKET"
			if kernel == "5.10" {
				want = ""
			}
			if e.Reason != want {
				t.Errorf("reason %q, want %q", e.Reason, want)
			}
		})
	}
}

func TestNoProtocolYet(t *testing.T) {
	d := decoder{layout: layoutOf(t, "6.18")}
	var e event.Event
	if !sampleOf(&d, newSample(1, newDrop(&d.layout, 1, 0, 3)), 0, &e) || e.Packet.HasProto {
		t.Errorf("packet %+v", e.Packet)
	}
}

func TestCallChains(t *testing.T) {
	const kernelMark, userMark = ^uint64(127), ^uint64(511)
	tests := map[string]struct{ chain, want []uint64 }{
		"empty":                            {[]uint64{}, nil},
		"begins before the location":       {[]uint64{kernelMark, 1, 2, 0x42, 3, 4}, []uint64{0x42, 3, 4}},
		"does not have the location":       {[]uint64{kernelMark, 1, 2}, []uint64{1, 2}},
		"other marks between":              {[]uint64{kernelMark, 0x42, userMark, 5}, []uint64{0x42, 5}},
		"an address just below a mark":     {[]uint64{0x42, contextMarks - 1, contextMarks}, []uint64{0x42, contextMarks - 1}},
		"the location twice, as in a loop": {[]uint64{0x42, 1, 0x42}, []uint64{0x42, 1, 0x42}},
	}
	d := decoder{layout: layoutOf(t, "6.18"), stacks: true}
	for name, tt := range tests {
		var e event.Event
		if !sampleOf(&d, newSample(1, newDrop(&d.layout, 0x42, 1, 3), tt.chain...), 0, &e) {
			t.Errorf("%s: not decoded", name)
		}
		var got []uint64
		for _, f := range e.Stack {
			got = append(got, f.PC)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %#x, want %#x", name, got, tt.want)
		}
	}
}

// TestShortRecords cuts samples anywhere: they are refused, or have all.
func TestShortRecords(t *testing.T) {
	for _, stacks := range []bool{false, true} {
		d := decoder{layout: layoutOf(t, "6.18"), stacks: stacks}
		var chain []uint64
		if stacks {
			chain = []uint64{1, 0x42, 2}
		}
		rec := newSample(1, newDrop(&d.layout, 0x42, 1, 3), chain...)
		for n := range len(rec) {
			var e event.Event
			ok := sampleOf(&d, rec[:n], 0, &e)
			if full := len(rec)-n < 8; ok && !full || ok && e.Where.PC != 0x42 {
				t.Errorf("%d bytes of %d: decoded %v, %+v", n, len(rec), ok, e)
			}
		}
		raw := newDrop(&d.layout, 0x42, 1, 3)
		if sampleOf(&d, newSample(1, raw[:len(raw)-1], chain...), 0, &scratch) {
			t.Error("decoded an event that is too short")
		}
	}
}

func TestLostCount(t *testing.T) {
	rec := newLost(77)
	if lostCount(rec) != 77 || lostCount(rec[:len(rec)-1]) != 0 {
		t.Errorf("lost %d, of a short record %d", lostCount(rec), lostCount(rec[:len(rec)-1]))
	}
}

// A kernel writes records into a ring as perf does: whole or not at all.
type kernel struct {
	data       []byte
	head, tail uint64
}

func newKernel(size int) (*kernel, *ring) {
	k := &kernel{data: make([]byte, size)}
	r := newRing(k.data, &k.head, &k.tail)
	return k, &r
}

func (k *kernel) write(rec []byte) bool {
	if k.head+uint64(len(rec)) > k.tail+uint64(len(k.data)) {
		return false
	}
	for _, b := range rec {
		k.data[k.head%uint64(len(k.data))] = b
		k.head++
	}
	return true
}

// TestRingWraps sends records of all sizes round and round.
func TestRingWraps(t *testing.T) {
	k, r := newKernel(4096)
	for i := range 2000 {
		want := newRecord(uint32(i), bytes.Repeat([]byte{byte(i)}, i%300))
		if !k.write(want) {
			t.Fatalf("no room for record %d", i)
		}
		r.readHead()
		if got := r.next(); !bytes.Equal(got, want) {
			t.Fatalf("record %d is %x, want %x", i, got, want)
		}
		if got := r.next(); got != nil {
			t.Fatalf("%x after record %d", got, i)
		}
	}
}

func TestRingGivesRoomBackWhileItIsRead(t *testing.T) {
	k, r := newKernel(4096)
	for k.write(newRecord(1, make([]byte, 56))) {
	}
	r.readHead()
	for range 16 {
		r.next()
	}
	if k.tail == 0 || k.tail > r.at {
		t.Errorf("tail %d after reading %d bytes", k.tail, r.at)
	}
	r.release()
	if k.tail != r.at {
		t.Errorf("tail %d, want %d", k.tail, r.at)
	}
}

func TestRingSkip(t *testing.T) {
	k, r := newKernel(4096)
	if r.skip() {
		t.Error("something in an empty ring")
	}
	k.write(newRecord(1, nil))
	if !r.skip() || r.skip() || k.tail != k.head {
		t.Errorf("head %d, tail %d", k.head, k.tail)
	}
}

func TestRingOfImpossibleSizes(t *testing.T) {
	for _, size := range []uint16{0, 7, 9, 12, 24, 65528} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			k, r := newKernel(4096)
			rec := newRecord(1, make([]byte, 8))
			native.PutUint16(rec[6:], size)
			k.write(rec)
			r.readHead()
			if got := r.next(); got != nil || r.at != r.end {
				t.Errorf("%x, %d of %d read", got, r.at, r.end)
			}
			good := newRecord(2, nil)
			k.write(good)
			r.readHead()
			if got := r.next(); !bytes.Equal(got, good) {
				t.Errorf("%x after it, want %x", got, good)
			}
		})
	}
}

func TestDecodingDoesNotAllocate(t *testing.T) {
	k, r := newKernel(4096)
	d := decoder{layout: layoutOf(t, "6.18"), stacks: true}
	rec := newSample(1, newDrop(&d.layout, 0x42, 1, 0x20003), 1, 0x42, 2)
	var e event.Event
	n := testing.AllocsPerRun(1000, func() {
		k.write(rec)
		r.readHead()
		if !sampleOf(&d, r.next(), 0, &e) {
			t.Fatal("not decoded")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a record", n)
	}
}

// FuzzRecord reads any bytes as a ring that has wrapped: nothing panics, reading
// ends, and what is read lies in the ring.
func FuzzRecord(f *testing.F) {
	l := layoutOf(f, "6.18")
	f.Add(slices.Concat(newSample(1, newDrop(&l, 1, 2, 3)), newLost(3)), uint16(40), false)
	f.Add(newSample(1, newDrop(&l, 1, 2, 3), 4, 5, 1), uint16(4090), true)
	f.Fuzz(func(t *testing.T, records []byte, at uint16, stacks bool) {
		k, r := newKernel(4096)
		at &^= 7 // as perf keeps it
		k.head, k.tail = uint64(at), uint64(at)
		r.at, r.released = uint64(at), uint64(at)
		k.write(records[:min(len(records), 4096)])
		d := decoder{layout: l, stacks: stacks}
		r.readHead()
		read := 0
		for rec := r.next(); rec != nil; rec = r.next() {
			read += len(rec)
			lostCount(rec)
			sampleOf(&d, rec, 0, &scratch)
		}
		if read > len(records) || r.at > k.head {
			t.Fatalf("read %d bytes of %d", read, len(records))
		}
	})
}

func BenchmarkSample(b *testing.B) {
	for name, chain := range map[string][]uint64{"plain": nil, "stack": make([]uint64, 32)} {
		b.Run(name, func(b *testing.B) {
			k, r := newKernel(512 << 10)
			d := decoder{layout: layoutOf(b, "6.18"), stacks: chain != nil}
			rec := newSample(1, newDrop(&d.layout, 0x42, 0x800, 3), chain...)
			for k.write(rec) {
			}
			b.ReportAllocs()
			for b.Loop() {
				r.readHead()
				got := r.next()
				if got == nil {
					r.at, r.released = 0, 0
					continue
				}
				sampleOf(&d, got, 0, &scratch)
			}
		})
	}
}
