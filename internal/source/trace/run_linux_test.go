package trace

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/perf"
	"dropwatch/internal/source/sourcetest"
)

func ofProto(proto uint16) func(*event.Event) bool {
	return func(e *event.Event) bool { return e.Packet.Proto == proto }
}

func TestExactlyTheDrops(t *testing.T) {
	n := newNowhere(t)
	r := sourcetest.Run(t, need(t, Options{Filter: n.filter() + " || protocol == 0x86dd"}), func(e *event.Event) bool {
		return e.Packet.Proto == n.ethertype || e.Reason == "NO_SOCKET"
	})
	before := time.Now()
	n.frames(t, 40)
	n.datagrams(t, 60)
	r.Await(100)
	after := time.Now()
	got := make(map[string]int)
	for _, e := range r.End() {
		got[e.Reason]++
		if !e.KernelTime || e.Time.Before(before.Add(-100*time.Millisecond)) || e.Time.After(after.Add(100*time.Millisecond)) {
			t.Errorf("at %v, sent and shown from %v to %v", e.Time, before, after)
		}
		if !e.Individual || e.Count != 1 || !e.Where.HasPC || e.Where.PC>>63 == 0 || e.Stack != nil {
			t.Errorf("no drop of one packet in the kernel: %+v", e)
		}
		if !e.Task.Known || e.Task.CPU > 4096 || e.Task.PID != uint32(os.Getpid()) && e.Task.PID > 1<<22 {
			t.Errorf("task %+v", e.Task)
		}
	}
	if got["UNHANDLED_PROTO"] != 40 || got["NO_SOCKET"] != 60 || len(got) != 2 {
		t.Errorf("drops by reason %v, want 40 UNHANDLED_PROTO and 60 NO_SOCKET", got)
	}
	if lost := r.Ledger.TotalLost(); lost != 0 {
		t.Errorf("%d lost", lost)
	}
}

func TestStackBeginsWithTheLocation(t *testing.T) {
	n := newNowhere(t)
	r := sourcetest.Run(t, need(t, Options{Stack: true}), ofProto(n.ethertype))
	n.frames(t, 10)
	r.Await(10)
	kept := r.End()
	if len(kept) != 10 {
		t.Fatalf("%d drops, want 10", len(kept))
	}
	for _, e := range kept {
		if s := e.Stack; len(s) < 5 || s[0].PC != e.Where.PC {
			t.Errorf("dropped at %#x, called from %#x", e.Where.PC, s)
		}
	}
}

// TestStackAt: only the drops at one location have a call chain, and what is shown, lost
// or rejected adds up, also when the ring is full.
func TestStackAt(t *testing.T) {
	const count = 5000
	n := newNowhere(t)
	at := condition.Span{Lo: n.locationOf(t, n.datagrams), Hi: n.locationOf(t, n.datagrams)}
	for filter, rejected := range map[string]uint64{"": 0, n.filter() + " || protocol == 34525": 0, n.filter(): count} {
		r := &sourcetest.Running{Keep: func(e *event.Event) bool { return e.Packet.Proto == n.ethertype || e.Where.PC == at.Lo }}
		s := need(t, Options{RingSize: 1 << 15, Filter: filter, StackAt: []condition.Span{at}})
		sourcetest.RunWith(t, s, r)
		n.frames(t, count)
		sourcetest.AwaitIdle(r) // so that there is room for some of the others
		n.datagrams(t, count)
		sourcetest.AwaitIdle(r)
		frames, datagrams := 0, 0
		for _, e := range r.End() {
			switch chained := len(e.Stack) > 3 && e.Stack[0].PC == at.Lo; {
			case chained && e.Where.PC == at.Lo:
				datagrams++
			case len(e.Stack) > 0 || e.Where.PC == at.Lo:
				t.Fatalf("%+v", e)
			default:
				frames++
			}
		}
		l := r.Ledger
		if frames == 0 || rejected == 0 && datagrams == 0 || l.Total() < 2*count || l.Rejected < rejected {
			t.Errorf("filter %q: %d and %d shown, %+v", filter, frames, datagrams, l)
		}
		if rejected > 0 && l.Total()-l.Rejected != count {
			t.Errorf("filter %q: %d and %d shown, %+v, want %d in all", filter, frames, datagrams, l, count)
		}
	}
}

// locationOf finds where the packets of send are dropped.
func (n *nowhere) locationOf(t *testing.T, send func(testing.TB, int)) (pc uint64) {
	t.Helper()
	r := sourcetest.Run(t, need(t, Options{}), func(e *event.Event) bool { return e.Packet.Proto == 0x86dd })
	send(t, 100)
	r.Await(100)
	counts := make(map[uint64]int)
	for _, e := range r.End() {
		if counts[e.Where.PC]++; counts[e.Where.PC] > counts[pc] {
			pc = e.Where.PC
		}
	}
	if counts[pc] < 100 {
		t.Fatalf("drops by location: %v", counts)
	}
	return pc
}

func TestLossIsExact(t *testing.T) {
	n := newNowhere(t)
	const count = 20000
	r := &sourcetest.Running{Keep: ofProto(n.ethertype), Then: func(*event.Event) {
		time.Sleep(100 * time.Microsecond) // a slow sink
	}}
	sourcetest.RunWith(t, need(t, Options{RingSize: 1, Filter: n.filter()}), r)
	n.frames(t, count)
	shown := len(r.End())
	l := r.Ledger
	if l.Lost[event.InRing] == 0 || shown == 0 || uint64(shown)+l.TotalLost() != count {
		t.Errorf("%d shown, %+v, want them to add up to %d", shown, l, count)
	}
}

func TestFilterIsCounted(t *testing.T) {
	n := newNowhere(t)
	s := need(t, Options{Filter: n.filter()})
	r := sourcetest.Run(t, s, func(*event.Event) bool { return true })
	n.frames(t, 30)
	n.datagrams(t, 70)
	r.Await(30)
	if kept := r.End(); len(kept) != 30 || r.Ledger.Rejected < 70 || r.Ledger.Rejected > 700 {
		t.Errorf("%d shown and %d rejected, want 30 and 70 or what the host drops more", len(kept), r.Ledger.Rejected)
	}
}

func TestReasonsFilter(t *testing.T) {
	need(t, Options{}).Close()
	reasons, err := Reasons()
	if err != nil {
		t.Fatal(err)
	}
	numbers, ok := reasons("NO_SOCKET")
	if none, known := reasons("NO_SUCH_REASON"); !ok || len(numbers) != 1 || !known || len(none) > 0 {
		t.Fatalf("NO_SOCKET: %v, %t; NO_SUCH_REASON: %v, %t", numbers, ok, none, known)
	}
	family, ok := reasons("XDP")
	if finer, decided := reasons("XDP_EXCEPTION"); !ok || decided || len(family) != 1 || !slices.Equal(finer, family) {
		t.Errorf("XDP: %v, %t; XDP_EXCEPTION: %v, %t", family, ok, finer, decided)
	}
	if names, err := ReasonNames(); err != nil || !slices.Contains(names, "NO_SOCKET") || !slices.IsSorted(names) {
		t.Errorf("names %q, error %v", names, err)
	}
	n := newNowhere(t)
	s := need(t, Options{Filter: "reason == " + strconv.FormatUint(numbers[0].Lo, 10)})
	r := sourcetest.Run(t, s, func(e *event.Event) bool { return e.Reason != "NO_SOCKET" || e.Packet.Proto == 0x86dd })
	n.frames(t, 5)
	n.datagrams(t, 9)
	r.Await(9)
	if kept := r.End(); len(kept) != 9 || r.Ledger.Rejected < 5 {
		t.Errorf("%d shown and %d rejected, want 9 and at least 5", len(kept), r.Ledger.Rejected)
	}
}

// TestFirstDropShows lets the source fall asleep before each drop, which must show
// although none follows.
func TestFirstDropShows(t *testing.T) {
	n := newNowhere(t)
	r := sourcetest.Run(t, need(t, Options{Filter: n.filter()}), ofProto(n.ethertype))
	var shown []time.Time
	for i := range 4 {
		time.Sleep(3 * perf.BatchTime)
		n.frames(t, 1)
		r.Await(uint64(i + 1))
		shown = append(shown, time.Now())
	}
	r.End()
	if len(r.At) != len(shown) {
		t.Fatalf("%d drops shown of %d", len(r.At), len(shown))
	}
	for i, at := range r.At {
		if at.After(shown[i]) {
			t.Errorf("drop %d was not shown by itself", i)
		}
	}
}

// TestIdleCostsNothing counts how often the process sleeps, and for how long it
// works, while nothing passes the filter.
func TestIdleCostsNothing(t *testing.T) {
	n := newNowhere(t)
	r := sourcetest.Run(t, need(t, Options{Filter: n.filter()}), ofProto(n.ethertype))
	n.frames(t, 1)
	time.Sleep(5 * perf.BatchTime)
	var before, after unix.Rusage
	unix.Getrusage(unix.RUSAGE_SELF, &before)
	time.Sleep(2 * time.Second)
	unix.Getrusage(unix.RUSAGE_SELF, &after)
	cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	sleeps := after.Nvcsw - before.Nvcsw
	t.Logf("idle for 2 s: %v of CPU, %d sleeps of all threads", cpu, sleeps)
	if sleeps > 200 || cpu > 200*time.Millisecond {
		t.Errorf("idle for 2 s: %v of CPU, %d sleeps, want next to none", cpu, sleeps)
	}
	r.End()
}

// A hotplug stands for the CPUs of a machine that come and go.
type hotplug struct {
	t      *testing.T
	online atomic.Pointer[[]int]
	asked  atomic.Int32
	events int // where to write what the kernel would say
}

func (h *hotplug) list() ([]int, error) {
	h.asked.Add(1)
	return *h.online.Load(), nil
}

// source returns a Source of what n alone drops, that knows the CPUs from h only.
func (h *hotplug) source(n *nowhere) *Source {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		h.t.Fatal(err)
	}
	h.events = pair[1]
	h.t.Cleanup(func() { unix.Close(pair[1]) })
	s, err := open(Options{Filter: n.filter()}, perf.CPUs{Online: h.list, Changes: func() (int, error) { return pair[0], nil }})
	if err != nil {
		h.t.Fatal(err)
	}
	return s
}

// change makes the source see other CPUs, and waits until it has followed.
func (h *hotplug) change(cpus []int) {
	h.online.Store(&cpus)
	h.say("online", 1)
}

// say says something as the kernel does, and waits until the source has followed: it has
// when it asks again, for what changes nothing.
func (h *hotplug) say(action string, cpu int) {
	for _, action := range []string{action, "change"} {
		before := h.asked.Load()
		unix.Write(h.events, fmt.Appendf(nil, "%s@/devices/system/cpu/cpu%d\x00ACTION=%[1]s", action, cpu))
		for h.asked.Load() == before {
			time.Sleep(time.Millisecond)
		}
	}
}

func TestCPUsComeAndGo(t *testing.T) {
	n := newNowhere(t)
	need(t, Options{}).Close()
	all, err := host.New("/").OnlineCPUs()
	if err != nil {
		t.Fatal(err)
	}
	h := &hotplug{t: t}
	h.online.Store(new([]int))
	r := sourcetest.Run(t, h.source(n), ofProto(n.ethertype))
	n.frames(t, 5) // on no CPU
	h.change(all)
	n.frames(t, 7)
	h.change(nil)
	n.frames(t, 5)
	h.change(all)
	n.frames(t, 11)
	r.Await(18)
	if kept := r.End(); len(kept) != 18 || r.Ledger.TotalLost() != 0 {
		t.Errorf("%d drops, want 18; %d lost", len(kept), r.Ledger.TotalLost())
	}
	if n, want := r.Ledger.Lost[event.Unopened], uint64(3*len(all)); n != want {
		t.Errorf("%d changes after which drops may be missing, want %d", n, want)
	}
}

// TestCPUIsBackBeforeWeLook must not go on with events that died with it.
func TestCPUIsBackBeforeWeLook(t *testing.T) {
	n := newNowhere(t)
	need(t, Options{}).Close()
	all, err := host.New("/").OnlineCPUs()
	if err != nil {
		t.Fatal(err)
	}
	h := &hotplug{t: t}
	h.online.Store(&all)
	s := h.source(n)
	first := slices.Clone(s.reader.Members)
	r := sourcetest.Run(t, s, ofProto(n.ethertype))
	n.frames(t, 5)
	for _, cpu := range all {
		h.say("offline", cpu)
	}
	n.frames(t, 7)
	r.Await(12)
	kept := r.End()
	if len(kept) != 12 || r.Ledger.TotalLost() != 0 || slices.ContainsFunc(first, func(c *cpu) bool { return !c.closed }) {
		t.Errorf("%d drops, want 12; %d lost; the first events: %+v", len(kept), r.Ledger.TotalLost(), first)
	}
	if n, want := r.Ledger.Lost[event.Unopened], uint64(2*len(all)); n != want {
		t.Errorf("%d changes after which drops may be missing, want %d", n, want)
	}
}

// TestCPUComesAtTheEnd: what it dropped is not read any more, and yet that is said.
func TestCPUComesAtTheEnd(t *testing.T) {
	n := newNowhere(t)
	need(t, Options{}).Close()
	all, err := host.New("/").OnlineCPUs()
	if err != nil {
		t.Fatal(err)
	}
	h := &hotplug{t: t}
	h.online.Store(new([]int))
	s := h.source(n)
	h.online.Store(&all)
	unix.Write(h.events, []byte("online@/devices/system/cpu/cpu1\x00ACTION=online"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := &sourcetest.Running{Keep: func(*event.Event) bool { return false }}
	if err := s.Run(ctx, r); err != nil || r.Ledger.Lost[event.Unopened] != uint64(len(all)) {
		t.Errorf("%d changes, %v, want %d", r.Ledger.Lost[event.Unopened], err, len(all))
	}
}

func TestWrongFilter(t *testing.T) {
	need(t, Options{}).Close()
	for _, filter := range []string{"no_such_field == 1", "reason ==", "a\x00b"} {
		_, err := Open(Options{Filter: filter})
		if !errors.Is(err, perf.ErrFilter) || !strings.Contains(err.Error(), "set filter") {
			t.Errorf("filter %q: %v", filter, err)
		}
	}
}

// TestEndedBeforeItBegan emits the drops since Open all the same.
func TestEndedBeforeItBegan(t *testing.T) {
	n := newNowhere(t)
	s := need(t, Options{})
	n.frames(t, 3)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r := &sourcetest.Running{Keep: ofProto(n.ethertype)}
	if err := s.Run(ctx, r); err != nil {
		t.Error(err)
	}
	if len(r.Kept) != 3 || time.Since(r.Kept[0].Time) > time.Minute {
		t.Errorf("%d drops, want 3 of just now: %+v", len(r.Kept), r.Kept)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// TestNothingIsLeftOpen looks at the process's files before and after.
func TestNothingIsLeftOpen(t *testing.T) {
	need(t, Options{}).Close()
	before := sourcetest.Files(t)
	for range 3 {
		s := need(t, Options{Filter: "protocol == 1"})
		sourcetest.Run(t, s, ofProto(1)).End()
		Open(Options{Filter: "nonsense"})
	}
	if after := sourcetest.Files(t); !slices.Equal(before, after) {
		t.Errorf("files before %v and after %v", before, after)
	}
}
