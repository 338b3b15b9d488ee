package owner

import (
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// counted counts the readings of the holders.
func counted(h *finder) *atomic.Int32 {
	n, read := new(atomic.Int32), h.holders.read
	h.holders.read = func() map[uint64]holder {
		n.Add(1)
		return read()
	}
	return n
}

func TestStageDoesNotScanForEachNewSocket(t *testing.T) {
	root := tree(t, hostFiles())
	synctest.Test(t, func(t *testing.T) {
		h := newFinder(host.New(root))
		scans := counted(h)
		for i := range uint64(10_000) {
			h.fill(known(1000+i), time.Now())
			time.Sleep(100 * time.Microsecond)
		}
		if n := scans.Load(); n != 10 {
			t.Errorf("%d scans in a second of new sockets, want 10", n)
		}
		if len(h.answers) > maxAnswers || len(h.holders.wanted) > maxKept {
			t.Errorf("%d answers, %d wanted, want %d and %d at most", len(h.answers), len(h.holders.wanted), maxAnswers, maxKept)
		}
	})
}

func TestStageRemembersWhatIsNotThere(t *testing.T) {
	root := tree(t, hostFiles())
	synctest.Test(t, func(t *testing.T) {
		h := newFinder(host.New(root))
		scans := counted(h)
		for range 20 {
			h.fill(known(99), time.Now())
			time.Sleep(500 * time.Millisecond)
		}
		if n := scans.Load(); n != 2 {
			t.Errorf("%d scans in 10 s for a socket that nobody has, want 2", n)
		}
	})
}

// TestReadingIsWaitedForOnlyBriefly has a host that takes half a second to read.
func TestReadingIsWaitedForOnlyBriefly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var scans atomic.Int32
		h := newFinder(host.New(t.TempDir()))
		h.holders.read = func() map[uint64]holder {
			scans.Add(1)
			time.Sleep(500 * time.Millisecond)
			return map[uint64]holder{1: {pid: 30}}
		}
		var pids []uint32
		var stood time.Duration
		for range 40 {
			e, began := known(1), time.Now()
			h.fill(e, began)
			stood += time.Since(began)
			pids = append(pids, e.Owner.Process.PID)
			time.Sleep(time.Second)
		}
		if pids[0] != 0 || pids[1] != 30 {
			t.Errorf("processes %d, want none at first, and 30 then", pids[:2])
		}
		// It takes 0.5 s, so 25 s pass until the next may begin.
		if n := scans.Load(); n > 2 || stood > firstMaxWait+time.Duration(n-1)*maxWait {
			t.Errorf("%d scans and %v of waiting in 40 s", n, stood)
		}
		time.Sleep(time.Second) // the last ends
	})
}

// TestKnownSocketsAreReadAgainSeldom if that takes long, unless a socket is new.
func TestKnownSocketsAreReadAgainSeldom(t *testing.T) {
	for took, want := range map[time.Duration]time.Duration{
		time.Millisecond: 10 * time.Second, 50 * time.Millisecond: 20 * time.Second, time.Second: time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			h := newFinder(host.New(t.TempDir()))
			var begun []time.Time
			h.holders.read = func() map[uint64]holder {
				begun = append(begun, time.Now())
				time.Sleep(took)
				return map[uint64]holder{1: {pid: 30}}
			}
			for range 1250 {
				h.fill(known(1), time.Now())
				time.Sleep(100 * time.Millisecond)
			}
			synctest.Wait()
			if got := begun[1].Sub(begun[0]); got < want || got > want+ttl {
				t.Errorf("what takes %v is read again after %v, want %v", took, got, want)
			}
			time.Sleep(share * took)
			synctest.Wait()
			n := len(begun)
			h.fill(known(2), time.Now())
			time.Sleep(took)
			if synctest.Wait(); len(begun) != n+1 {
				t.Errorf("what takes %v is not read for a new socket", took)
			}
		})
	}
}

// TestNewReadingIsUsedAtOnce: also for a socket whose process is known.
func TestNewReadingIsUsedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFinder(host.New(t.TempDir()))
		pid := uint32(30)
		h.holders.read = func() map[uint64]holder { return map[uint64]holder{1: {pid: pid}} }
		h.fill(known(1), time.Now())
		time.Sleep(2 * pause)
		pid = 31
		h.fill(known(2), time.Now()) // which has the files read again
		e := known(1)
		if h.fill(e, time.Now()); e.Owner.Process.PID != 31 {
			t.Errorf("process %d, want 31, to which the socket was passed", e.Owner.Process.PID)
		}
	})
}

func TestStageNamesTheProcessOnceItIsRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFinder(host.New(t.TempDir()))
		h.holders.read = func() map[uint64]holder {
			time.Sleep(400 * time.Millisecond)
			return map[uint64]holder{1: {pid: 30}}
		}
		for _, step := range []struct {
			after time.Duration
			want  uint32
		}{{0, 0}, {20 * time.Millisecond, 0}, {120 * time.Millisecond, 30}} {
			time.Sleep(step.after)
			e := known(1)
			if h.fill(e, time.Now()); e.Owner.Process.PID != step.want {
				t.Errorf("%v later: process %d, want %d", step.after, e.Owner.Process.PID, step.want)
			}
		}
	})
}

// TestOwnerIsPendingUntilItWasRead: only what was looked for in vain is known not to
// be there.
func TestOwnerIsPendingUntilItWasRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := newFinder(host.New(t.TempDir()))
		h.holders.read = func() map[uint64]holder {
			time.Sleep(400 * time.Millisecond)
			return map[uint64]holder{1: {pid: 30}}
		}
		flow := func() *event.Event {
			e := &event.Event{Count: 1, Netns: event.Netns{Inode: 77}}
			e.Packet.Flow = packetOf("192.0.2.9", 6000, "192.0.2.1", 80, tcp)
			return e
		}
		for i, step := range []struct {
			after   time.Duration
			e       *event.Event
			pending bool
		}{
			{0, known(1), true},
			{0, known(2), true},
			{0, known(0), false}, // it has no file to look for
			{0, &event.Event{Count: 1}, false},
			{200 * time.Millisecond, known(1), false},
			{0, known(2), true}, // the reading had begun before
			{0, flow(), false},  // of a namespace that is not there
			{time.Minute, known(2), true},
			{time.Second, known(2), false},
			{0, known(3), true},
			{time.Minute, known(2), false}, // it is looked for again
		} {
			time.Sleep(step.after)
			if h.fill(step.e, time.Now()); step.e.Owner.Pending != step.pending {
				t.Errorf("step %d: pending %t", i, step.e.Owner.Pending)
			}
		}
		time.Sleep(time.Minute) // the last reading ends
	})
}

func TestReadingIsNotBegunTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var scans atomic.Int32
		h := newFinder(host.New(t.TempDir()))
		h.holders.read = func() map[uint64]holder {
			scans.Add(1)
			time.Sleep(time.Minute)
			return nil
		}
		for i := range uint64(50) {
			h.fill(known(1+i), time.Now())
			time.Sleep(time.Second)
		}
		if n := scans.Load(); n != 1 {
			t.Errorf("%d scans at once, want 1", n)
		}
		time.Sleep(time.Minute) // it ends
	})
}

// TestStageLooksAgain has a process and a container that take other names, and a
// socket that is opened.
func TestStageLooksAgain(t *testing.T) {
	files := netFiles()
	root := tree(t, files)
	write := func(path, text string) {
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		stage := Stage(host.New(root))
		web := func() event.Owner {
			e := known(5)
			stage(e)
			return e.Owner
		}
		opened := func() bool {
			e := event.Event{Count: 1, Netns: event.Netns{Inode: 77}}
			e.Packet.Flow = packetOf("192.0.2.9", 6000, "192.0.2.1", 81, tcp)
			stage(&e)
			return e.Owner.Socket != nil
		}
		web()
		opened()
		write("proc/50/comm", "worker\n")
		write("var/lib/docker/containers/"+c1+"/config.v2.json", `{"Name":"/renamed"}`)
		write("proc/30/net/tcp", strings.ReplaceAll(files["proc/30/net/tcp"], ":0050", ":0051"))
		time.Sleep(999 * time.Millisecond)
		if o := web(); o.Process.Comm != "web" || opened() {
			t.Errorf("%q already, or the socket is found", o.Process.Comm)
		}
		time.Sleep(time.Millisecond)
		if o := web(); o.Process.Comm != "worker" || o.Container.Name != "shop-web-1" || !opened() {
			t.Errorf("%q in %q after a second, or the socket is not found", o.Process.Comm, o.Container.Name)
		}
		time.Sleep(9 * time.Second)
		if o := web(); o.Container.Name != "renamed" {
			t.Errorf("container %q after ten seconds", o.Container.Name)
		}
	})
}

func TestTableIsOfNoUseWhenItIsOld(t *testing.T) {
	root := tree(t, netFiles())
	synctest.Test(t, func(t *testing.T) {
		h := newFinder(host.New(root))
		for _, step := range []struct {
			after time.Duration
			want  bool
		}{{0, true}, {tableMaxAge - 1, true}, {1, false}} {
			time.Sleep(step.after)
			e := event.Event{Count: 1, Netns: event.Netns{Inode: 77}}
			e.Packet.Flow = packetOf("192.0.2.9", 6000, "192.0.2.1", 80, tcp)
			if h.fill(&e, time.Now()); (e.Owner.Socket != nil) != step.want {
				t.Errorf("%v later: %+v", step.after, e.Owner.Socket)
			}
			h.pace.next = time.Now().Add(time.Hour) // others take their time
		}
	})
}

// TestTablesShareTheirPace has many namespaces with tables that take long to read.
func TestTablesShareTheirPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		pace := new(pace)
		for range 100 {
			r := reading[int]{pace: pace}
			r.renew(func() int {
				time.Sleep(time.Minute)
				return 1
			})
		}
		if stood := time.Since(began); stood != firstMaxWait {
			t.Errorf("100 readings at once are waited for %v, want %v", stood, firstMaxWait)
		}
		time.Sleep(time.Minute) // the one ends
	})
}

func TestStageDoesNotAllocateForWhatItHasMet(t *testing.T) {
	root := tree(t, netFiles())
	synctest.Test(t, func(t *testing.T) {
		stage, packet := Stage(host.New(root)), packetOf("192.0.2.9", 4000, "192.0.2.1", 80, tcp)
		socket := *known(1).Owner.Socket
		var e event.Event
		pass := func() {
			e = event.Event{Count: 1, Netns: event.Netns{Inode: 77}}
			e.Owner.Socket = &socket
			stage(&e)
			e.Owner, e.Packet.Flow = event.Owner{}, packet
			stage(&e)
		}
		pass()
		if n := testing.AllocsPerRun(100, pass); n != 0 {
			t.Errorf("%v allocations for two events, want none", n)
		}
		if s := e.Owner.Socket; s == nil || s.Inode != 11 {
			t.Errorf("got %+v", s)
		}
	})
}

// TestProcessThatRanIsProbed while all processes take a minute to read.
func TestProcessThatRanIsProbed(t *testing.T) {
	root := tree(t, hostFiles())
	tests := map[string]struct{ pid, want uint32 }{
		"the owner": {30, 30}, "another": {31, 0}, "nobody of that number": {99, 0}, "idle": {0, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newFinder(host.New(root))
				h.holders.read = func() map[uint64]holder {
					time.Sleep(time.Minute)
					return nil
				}
				e := known(1)
				e.Task = event.Task{Known: true, PID: tt.pid}
				h.fill(e, time.Now())
				want := event.Process{PID: tt.want}
				if tt.want != 0 {
					want = event.Process{PID: 30, Comm: "nginx", Confidence: event.Likely}
				}
				if e.Owner.Process != want {
					t.Errorf("%+v, want %+v", e.Owner.Process, want)
				}
				time.Sleep(time.Minute) // the reading ends
			})
		})
	}
}

// TestProbesAreRare has a new socket in each event, of a process that has none of
// them.
func TestProbesAreRare(t *testing.T) {
	h := newFinder(host.New(t.TempDir()))
	h.probes.next = time.Now().Add(time.Minute)
	if _, ok := h.probe(1, &event.Task{PID: 1}, time.Now()); ok || time.Until(h.probes.next) < 50*time.Second {
		t.Error("a process is probed too early")
	}
	now := h.probes.next
	h.probe(1, &event.Task{PID: 1}, now)
	if !h.probes.next.After(now) {
		t.Error("the next probe is not put off")
	}
}
