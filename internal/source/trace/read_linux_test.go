package trace

import (
	"errors"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
)

// fake makes a Source with one CPU, number 3, whose ring a test fills. It needs
// no perf and no root.
func fake(t *testing.T) (*Source, *cpu, *kernel) {
	t.Helper()
	k, r := newKernel(4096)
	c := &cpu{n: 3, drops: &perf{fd: -1, ring: *r}}
	s := &Source{cpus: []*cpu{c}, epoll: -1, wake: -1, uevents: -1}
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
	good := newSample(1, newDrop(&s.decoder.layout, 0x42, 0x800, 3))
	for _, rec := range [][]byte{
		good, newLost(7), newRecord(5, make([]byte, 24)), // PERF_RECORD_THROTTLE
		newSample(2, make([]byte, 8)), newRecord(4711, nil), newRecord(recordLost, nil), good,
	} {
		k.write(rec)
	}
	out := collect(t)
	n := s.show(c, out, always)
	if n != 7 || c.samples != 3 || c.reported != 7 || k.tail != k.head {
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
		k.write(newSample(1, newDrop(&s.decoder.layout, 0x42, 0x800, 3)))
		k.write(newLost(1))
	}
	more := 5
	n := s.show(c, collect(t), func() bool { more--; return more >= 0 })
	if n != 5 || c.samples != 3 {
		t.Fatalf("%d records shown, %d samples", n, c.samples)
	}
	if unread := s.count(c); unread != 7 || c.samples != 10 || k.tail != k.head {
		t.Errorf("%d unread of %d, want 7 of 10", unread, c.samples)
	}
}

// TestUnreadAtTheEnd leaves a slow sink more than it can show in its time.
func TestUnreadAtTheEnd(t *testing.T) {
	n := newNowhere(t)
	const count = 2000
	s := need(t, Options{Filter: n.filter()})
	r := &sourcetest.Running{Keep: all, Then: func(*event.Event) {
		for s.running() {
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

// TestFileOfACPUThatHasGone: it is not watched any more, as it would wake the reader for ever.
func TestFileOfACPUThatHasGone(t *testing.T) {
	s, _, _ := fake(t)
	if err := s.openFiles(); err != nil {
		t.Fatal(err)
	}
	defer func() { s.cpus = nil; s.Close() }()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	if err := s.watch(pipe[0]); err != nil {
		t.Fatal(err)
	}
	unix.Close(pipe[1]) // now the other end hangs up
	if woken, err := s.wait(0); !woken || err != nil || !s.changed {
		t.Fatalf("woken %v, %v; CPUs changed: %v", woken, err, s.changed)
	}
	if woken, err := s.wait(0); woken || err != nil {
		t.Errorf("woken again: %v, %v", woken, err)
	}
}

func TestUeventsOfOtherDevices(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])
	tests := map[string]struct {
		changed bool
		gone    []int
	}{
		"add@/devices/virtual/net/veth0":                       {},
		"add@/devices/system/cpu/cpufreq":                      {},
		"offline@/devices/system/cpu/cpu12\x00ACTION=offline":  {true, []int{12}},
		"online@/devices/system/cpu/cpu1\x00DEVTYPE=/cpu/cpu7": {true, nil},
	}
	for msg, want := range tests {
		unix.Write(pair[1], []byte(msg))
		unix.Write(pair[1], []byte("change@/devices/other"))
		if changed, gone := readUevents(pair[0]); changed != want.changed || !slices.Equal(gone, want.gone) {
			t.Errorf("%q: changed %v, gone %v", msg, changed, gone)
		}
	}
	if changed, _ := readUevents(-1); !changed {
		t.Error("what could not be read, as after ENOBUFS, may have been of CPUs")
	}
}

func TestListOfCPUsFails(t *testing.T) {
	s, _, _ := fake(t)
	broken := errors.New("no list")
	s.online, s.changed = func() ([]int, error) { return nil, broken }, true
	if err := s.follow(collect(t)); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}
