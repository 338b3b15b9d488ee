package probe

import (
	"encoding/binary"
	"runtime"
	"slices"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/member"
	"dropwatch/internal/perf"
	"dropwatch/internal/perf/perftest"
	"dropwatch/internal/point"
)

// Numbers of events in these tests.
const callID, returnID, entryID = 7, 8, 9

// fakeSource has a point at the return of a function, with an argument and what it returns, and one at a call.
func fakeSource() *Source {
	number := func(load int) formula {
		e := &member.Expr{Loads: []member.Load{{Size: 4}}, Root: &member.Ref{Int: member.Int{Size: 4}}}
		return formula{Expr: e, loads: []int{load}}
	}
	back := &site{
		name: "back", at: point.Return, args: []arg{{"arg", number(0)}, {"ret", number(1)}},
		loads: []member.Load{{Size: 4}, {Arg: member.ReturnValue, Size: 4}}, fetched: 2,
	}
	entry := &site{name: "entry", args: []arg{{"arg", number(0)}}, loads: []member.Load{{Size: 4}}, fetched: 1}
	field := func(at, size int) perf.Field { return perf.Field{Offset: at, Size: size} }
	lay := func(id uint64, load int) layout {
		return layout{id: id, loads: []loadField{{load: load, Field: field(4, 4)}}, stack: field(8, 8), size: 16}
	}
	return &Source{
		number: field(0, 2), pairs: newPairs(), byID: map[uint64]int{callID: 0, returnID: 1, entryID: 2},
		points: []*pointEvent{
			{site: back, layout: lay(callID, 0)}, {site: back, atReturn: true, shown: true, layout: lay(returnID, 1)},
			{site: entry, index: 1, shown: true, layout: lay(entryID, 0)},
		},
	}
}

// sampleOf encodes a sample of an event with a value and a stack address.
func sampleOf(id uint16, at uint64, value uint32, stack uint64) []byte {
	raw := binary.NativeEndian.AppendUint16(nil, id)
	raw = binary.NativeEndian.AppendUint32(append(raw, 0, 0), value)
	return perftest.Sample(at, binary.NativeEndian.AppendUint64(raw, stack))
}

// onReturn is the stack address at the return of a function, by that at its call.
func onReturn(stack uint64) uint64 {
	if runtime.GOARCH == "amd64" {
		return stack + 8
	}
	return stack
}

// An events is an Output that keeps what it gets.
type events []event.Event

func (o *events) Emit(e *event.Event) { *o = append(*o, e.Clone()) }
func (*events) Flush()                {}

// TestSamplesArePaired: a return is shown with its call, also if the ring of another CPU has that, one round later.
func TestSamplesArePaired(t *testing.T) {
	s, out := fakeSource(), new(events)
	first, second := newCPU(0, 3), newCPU(1, 3)
	s.sample(first, out, sampleOf(callID, 10, 111, 0x1000)) // its return was of no interest
	s.sample(second, out, sampleOf(returnID, 30, 222, onReturn(0x1000)))
	s.sample(second, out, sampleOf(entryID, 35, 333, 0))
	s.pair(out, 0)
	s.sample(first, out, sampleOf(callID, 20, 444, 0x1000)) // of another round
	s.sample(first, out, sampleOf(returnID, 50, 555, 0x2000))
	s.pair(out, 1)
	s.pair(out, 1)
	var got []string
	for i := range *out {
		got = append(got, (*out)[i].Point+" "+argsOf(&(*out)[i]))
	}
	if want := []string{"entry arg=333", "back arg=444 ret=222"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if n := s.points[1].single; n != 1 || len(s.waiting) != 0 {
		t.Errorf("%d returns without a call, %d waiting", n, len(s.waiting))
	}
	if !slices.Equal(first.samples, []uint64{2, 1, 0}) || !slices.Equal(second.samples, []uint64{0, 1, 1}) {
		t.Errorf("read %v and %v", first.samples, second.samples)
	}
}

// TestFrames: a call chain begins with the function, at whose beginning a probe is: what that calls is left out.
func TestFrames(t *testing.T) {
	const function, caller, next = 0x1000, 0x2000, 0x3000
	kernel := ^uint64(127) // PERF_CONTEXT_KERNEL
	for name, chain := range map[string][]uint64{
		"probe":    {kernel, function + 1, caller, next},
		"return":   {kernel, caller, next},
		"attached": {kernel, 0x5000, 0x6000, function + 9, caller, next},
	} {
		var raw []byte
		for _, pc := range chain {
			raw = binary.NativeEndian.AppendUint64(raw, pc)
		}
		got := new(decoder).frames(event.Frame{PC: function}, raw)
		if want := []event.Frame{{PC: function}, {PC: caller}, {PC: next}}; !slices.Equal(got, want) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// FuzzSamples: whatever the kernel writes is an event, a loss, or waits for another.
func FuzzSamples(f *testing.F) {
	f.Add(sampleOf(callID, 1, 2, 3), sampleOf(returnID, 2, 2, onReturn(3)))
	f.Add(sampleOf(entryID, 1, 2, 3), sampleOf(99, 1, 2, 3))
	f.Add([]byte("short"), []byte{})
	f.Fuzz(func(t *testing.T, a, b []byte) {
		s, out := fakeSource(), new(events)
		c := newCPU(0, 3)
		s.sample(c, out, a)
		s.sample(c, out, b)
		waiting := len(s.waiting)
		s.pair(out, waiting)
		if n := len(*out) + waiting + len(s.pairs.young); n == 0 || n > 4 {
			t.Errorf("%d events of 2 samples: %+v", n, *out)
		}
	})
}
