package trace

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/perf"
	"dropwatch/internal/perf/perftest"
)

// scratch is where events go that nobody looks at.
var scratch event.Event

var native = binary.NativeEndian

// sampleOf decodes a sample of a drop.
func sampleOf(d *decoder, rec []byte, cpu uint32, e *event.Event) bool {
	s, ok := d.parse(rec)
	return ok && d.drop(&s, cpu, e)
}

// newDrop encodes the event's own fields as a kernel does.
func newDrop(l *layout, pc uint64, proto uint16, reason uint32) []byte {
	raw := make([]byte, l.size)
	native.PutUint16(raw[l.event.Offset:], uint16(l.id))
	native.PutUint64(raw[l.location.Offset:], pc)
	native.PutUint16(raw[l.protocol.Offset:], proto)
	if l.reason.Size > 0 {
		native.PutUint32(raw[l.reason.Offset:], reason)
	}
	return raw
}

func TestSamples(t *testing.T) {
	for kernel := range kernels {
		t.Run(kernel, func(t *testing.T) {
			d := decoder{layout: layoutOf(t, kernel), wall: clock.NewBase(time.Unix(1, 0), 0)}
			var e event.Event
			rec := perftest.Sample(5e9+7, newDrop(&d.layout, 0xffffffff81234567, 0x800, 3))
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
	if !sampleOf(&d, perftest.Sample(1, newDrop(&d.layout, 1, 0, 3)), 0, &e) || e.Packet.HasProto {
		t.Errorf("packet %+v", e.Packet)
	}
}

func TestCallChains(t *testing.T) {
	const kernelMark, userMark, marks = ^uint64(127), ^uint64(511), perf.ContextMarks
	tests := map[string]struct{ chain, want []uint64 }{
		"empty":                            {[]uint64{}, nil},
		"begins before the location":       {[]uint64{kernelMark, 1, 2, 0x42, 3, 4}, []uint64{0x42, 3, 4}},
		"does not have the location":       {[]uint64{kernelMark, 1, 2}, []uint64{1, 2}},
		"other marks between":              {[]uint64{kernelMark, 0x42, userMark, 5}, []uint64{0x42, 5}},
		"an address just below a mark":     {[]uint64{0x42, marks - 1, marks}, []uint64{0x42, marks - 1}},
		"the location twice, as in a loop": {[]uint64{0x42, 1, 0x42}, []uint64{0x42, 1, 0x42}},
	}
	d := decoder{layout: layoutOf(t, "6.18"), stacks: true}
	for name, tt := range tests {
		var e event.Event
		if !sampleOf(&d, perftest.Sample(1, newDrop(&d.layout, 0x42, 1, 3), tt.chain...), 0, &e) {
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
		rec := perftest.Sample(1, newDrop(&d.layout, 0x42, 1, 3), chain...)
		for n := range len(rec) {
			var e event.Event
			ok := sampleOf(&d, rec[:n], 0, &e)
			if full := len(rec)-n < 8; ok && !full || ok && e.Where.PC != 0x42 {
				t.Errorf("%d bytes of %d: decoded %v, %+v", n, len(rec), ok, e)
			}
		}
		raw := newDrop(&d.layout, 0x42, 1, 3)
		if sampleOf(&d, perftest.Sample(1, raw[:len(raw)-1], chain...), 0, &scratch) {
			t.Error("decoded an event that is too short")
		}
	}
}

func TestDecodingDoesNotAllocate(t *testing.T) {
	k, r := newKernel(4096)
	d := decoder{layout: layoutOf(t, "6.18"), stacks: true}
	rec := perftest.Sample(1, newDrop(&d.layout, 0x42, 1, 0x20003), 1, 0x42, 2)
	var e event.Event
	n := testing.AllocsPerRun(1000, func() {
		k.Write(rec)
		r.ReadHead()
		if !sampleOf(&d, r.Next(), 0, &e) {
			t.Fatal("not decoded")
		}
	})
	if n != 0 {
		t.Errorf("%v allocations a record", n)
	}
}

// newKernel returns an empty ring of a size.
func newKernel(size int) (*perftest.Kernel, *perf.Ring) {
	k := &perftest.Kernel{Data: make([]byte, size)}
	r := perf.NewRing(k.Data, &k.Head, &k.Tail)
	return k, &r
}

// FuzzRecord reads any bytes as a ring that has wrapped: nothing panics, reading
// ends, and what is read lies in the ring.
func FuzzRecord(f *testing.F) {
	l := layoutOf(f, "6.18")
	f.Add(slices.Concat(perftest.Sample(1, newDrop(&l, 1, 2, 3)), perftest.Lost(3)), uint16(40), false)
	f.Add(perftest.Sample(1, newDrop(&l, 1, 2, 3), 4, 5, 1), uint16(4090), true)
	f.Fuzz(func(t *testing.T, records []byte, at uint16, stacks bool) {
		at &^= 7 // as perf keeps it
		k := &perftest.Kernel{Data: make([]byte, 4096), Head: uint64(at), Tail: uint64(at)}
		r := perf.NewRing(k.Data, &k.Head, &k.Tail)
		k.Write(records[:min(len(records), 4096)])
		d := decoder{layout: l, stacks: stacks}
		r.ReadHead()
		read := 0
		for rec := r.Next(); rec != nil; rec = r.Next() {
			read += len(rec)
			perf.LostCount(rec)
			sampleOf(&d, rec, 0, &scratch)
		}
		if read > len(records) || k.Tail > k.Head {
			t.Fatalf("read %d bytes of %d", read, len(records))
		}
	})
}

func BenchmarkSample(b *testing.B) {
	for name, chain := range map[string][]uint64{"plain": nil, "stack": make([]uint64, 32)} {
		b.Run(name, func(b *testing.B) {
			k, r := newKernel(512 << 10)
			d := decoder{layout: layoutOf(b, "6.18"), stacks: chain != nil}
			rec := perftest.Sample(1, newDrop(&d.layout, 0x42, 0x800, 3), chain...)
			for k.Write(rec) {
			}
			b.ReportAllocs()
			for b.Loop() {
				r.ReadHead()
				got := r.Next()
				if got == nil {
					k.Tail = 0
					*r = perf.NewRing(k.Data, &k.Head, &k.Tail)
					continue
				}
				sampleOf(&d, got, 0, &scratch)
			}
		})
	}
}
