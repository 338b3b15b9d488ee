package trace

import (
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/perf"
	"dropwatch/internal/perf/perftest"
	"dropwatch/internal/source/sourcetest"
)

// fake makes a Source with one CPU, number 3, whose ring a test fills. It needs
// no perf and no root.
func fake(t *testing.T) (*Source, *cpu, *perftest.Kernel) {
	t.Helper()
	k, r := newKernel(4096)
	c := &cpu{CPU: perf.CPU{N: 3, Samples: &perf.Event{FD: -1, Ring: *r}}}
	s := &Source{reader: &perf.Reader[*cpu]{Members: []*cpu{c}}}
	s.decoder.layout = layoutOf(t, "6.18")
	return s, c, k
}

func all(*event.Event) bool                    { return true }
func always() bool                             { return true }
func collect(t *testing.T) *sourcetest.Running { return &sourcetest.Running{Keep: all} }

// TestEveryKindOfRecord reads what a ring can hold: each sample is seen, lost
// or undecoded, and what is no sample is passed over.
func TestEveryKindOfRecord(t *testing.T) {
	s, c, k := fake(t)
	good := perftest.Sample(1, newDrop(&s.decoder.layout, 0x42, 0x800, 3))
	for _, rec := range [][]byte{
		good, perftest.Lost(7), perftest.Record(5, make([]byte, 24)), // PERF_RECORD_THROTTLE
		perftest.Sample(2, make([]byte, 8)), perftest.Record(4711, nil), perftest.Record(perf.RecordLost, nil), good,
	} {
		k.Write(rec)
	}
	out := collect(t)
	n := s.show(c, out, always)
	if n != 7 || c.samples != 3 || c.reported != 7 || k.Tail != k.Head {
		t.Errorf("%d records; %d samples, %d losses reported", n, c.samples, c.reported)
	}
	if l := out.Ledger; l.Shown != 2 || l.Lost[event.Undecoded] != 1 || l.Lost[event.InRing] != 7 {
		t.Errorf("ledger %+v", l)
	}
	if len(out.Kept) != 2 || out.Kept[1].Task.CPU != 3 || out.Kept[1].Reason != "NO_SOCKET" {
		t.Errorf("kept %+v", out.Kept)
	}
}

func TestWhatIsNotShownIsCounted(t *testing.T) {
	s, c, k := fake(t)
	for range 10 {
		k.Write(perftest.Sample(1, newDrop(&s.decoder.layout, 0x42, 0x800, 3)))
		k.Write(perftest.Lost(1))
	}
	more := 5
	n := s.show(c, collect(t), func() bool { more--; return more >= 0 })
	if n != 5 || c.samples != 3 {
		t.Fatalf("%d records shown, %d samples", n, c.samples)
	}
	if unread := s.count(c); unread != 7 || c.samples != 10 || k.Tail != k.Head {
		t.Errorf("%d unread of %d, want 7 of 10", unread, c.samples)
	}
}

// TestUnreadAtTheEnd leaves a slow sink more than it can show in its time.
func TestUnreadAtTheEnd(t *testing.T) {
	n := newNowhere(t)
	const count = 2000
	s := need(t, Options{Filter: n.filter()})
	r := &sourcetest.Running{Keep: all, Then: func(*event.Event) {
		for s.reader.Running() {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(200 * time.Microsecond)
	}}
	sourcetest.RunWith(t, s, r)
	n.frames(t, count)
	shown := uint64(len(r.End()))
	if l := r.Ledger; l.Lost[event.Unread] == 0 || shown+l.TotalLost() != count {
		t.Errorf("%d shown and %+v, want all of %d", shown, l, count)
	}
}
