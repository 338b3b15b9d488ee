package trace

import (
	"errors"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/perf"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/source/sourcetest/detailtest"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/guest"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

// TestGuestAsHere repeats what does not hang on the machine's speed.
func TestGuestAsHere(t *testing.T) {
	t.Run("drops", TestDrops)
	t.Run("stack", TestStackBeginsWithTheLocation)
	t.Run("some stacks", TestStackAt)
	t.Run("orderly close", TestOrderlyClose)
	t.Run("loss", TestLossIsExact)
	t.Run("filter", TestFilterIsCounted)
	t.Run("wrong filter", TestWrongFilter)
	t.Run("CPUs", TestCPUsComeAndGo)
	t.Run("files", TestNothingIsLeftOpen)
}

// TestGuestOthers drops what other tracepoints know more of, or alone.
func TestGuestOthers(t *testing.T) {
	t.Run("full buffers", TestFullBuffer)
	t.Run("memory", func(t *testing.T) { detailtest.Memory(t, subject(subjects["without symbols"])) })
	t.Run("qdisc", TestQdisc)
	t.Run("XDP", func(t *testing.T) { detailtest.XDP(t, subject(subjects["with symbols"])) })
	t.Run("loss", TestLossOfOthers)
}

// TestGuestCapabilities: Debian has its own level of perf_event_paranoid.
func TestGuestCapabilities(t *testing.T) {
	for _, level := range []string{"3", "2"} {
		guest.Sysctl(t, "kernel/perf_event_paranoid", level)
		t.Run(level, TestCapabilities)
	}
}

// TestGuestReasons: which kernel names them.
func TestGuestReasons(t *testing.T) {
	reasons, err := Reasons()
	if err != nil {
		t.Fatal(err)
	}
	if numbers, ok := reasons("NO_SOCKET"); !ok || len(numbers) > 0 != guest.AtLeast(5, 17) {
		t.Errorf("NO_SOCKET is %v, known: %v", numbers, ok)
	}
}

// TestGuestCPUGoesInAFlood takes away the CPU that drops, more than its ring
// holds: the rest is dropped by the other, and none is forgotten. Before 5.11 a
// CPU goes on after perf has left it, so there it goes when the flood is over.
func TestGuestCPUGoesInAFlood(t *testing.T) {
	const rounds, count = 4, 10000
	n := newNowhere(t)
	r := &sourcetest.Running{Keep: ofProto(n.ethertype), Then: func(*event.Event) { time.Sleep(20 * time.Microsecond) }}
	sourcetest.RunWith(t, need(t, Options{RingSize: 1, Filter: n.filter()}), r)
	for range rounds {
		onSecond(t, n)
		gone := make(chan struct{})
		away := time.AfterFunc(10*time.Millisecond, func() {
			defer close(gone)
			if guest.AtLeast(5, 11) {
				online(t, false)
			}
		})
		n.frames(t, count)
		if away.Stop() {
			t.Fatal("the flood was over too soon")
		}
		<-gone
		online(t, false)
		online(t, true)
		time.Sleep(3 * perf.BatchTime) // to notice
	}
	shown := len(r.End())
	if l := r.Ledger; shown == 0 || uint64(shown)+l.TotalLost() != rounds*count {
		t.Errorf("%d shown and %d lost, want %d in all", shown, l.TotalLost(), rounds*count)
	}
}

// TestGuestCPUComesBackAtOnce: what it drops then is seen.
func TestGuestCPUComesBackAtOnce(t *testing.T) {
	n := newNowhere(t)
	r := sourcetest.Run(t, need(t, Options{}), ofProto(n.ethertype))
	online(t, false)
	online(t, true)
	time.Sleep(3 * perf.BatchTime) // to notice
	onSecond(t, n)
	n.frames(t, 9)
	if kept := r.End(); len(kept) != 9 || kept[0].Task.CPU != 1 {
		t.Errorf("%d drops, want 9 on CPU 1: %+v", len(kept), kept)
	}
}

// onSecond makes n drop on the second CPU, as long as there is one.
func onSecond(t *testing.T, n *nowhere) {
	t.Helper()
	n.Do(func() error {
		var second unix.CPUSet
		second.Set(1)
		return unix.SchedSetaffinity(0, &second)
	})
}

// online switches the second CPU on or off.
func online(t *testing.T, on bool) {
	t.Helper()
	state := "0"
	if on {
		state = "1"
	}
	if err := os.WriteFile("/sys/devices/system/cpu/cpu1/online", []byte(state), 0); err != nil {
		t.Error(err)
	}
}

// TestGuestNoTracefs opens where neither tracefs nor debugfs is mounted.
func TestGuestNoTracefs(t *testing.T) {
	var s *Source
	err := sourcetest.WithMounts(func() (err error) {
		for _, dir := range []string{"/sys/kernel/tracing", "/sys/kernel/debug"} {
			err = errors.Join(err, unix.Unmount(dir, unix.MNT_DETACH))
		}
		if err == nil {
			s, err = Open(Options{})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	n := newNowhere(t)
	r := sourcetest.Run(t, s, ofProto(n.ethertype))
	n.frames(t, 3)
	if kept := r.End(); len(kept) != 3 {
		t.Errorf("%d drops, want 3", len(kept))
	}
}
