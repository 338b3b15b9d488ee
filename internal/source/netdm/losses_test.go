package netdm

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/netlink"
)

func TestRunCountsWhatItCannotShow(t *testing.T) {
	inRun(t, false, func(r *rig) {
		r.kernel.onStop = func() {
			for range 6 {
				r.wire.send(packet("slow"))
			}
			r.wire.send(message(cmdAlert, points(3), traps("ttl", 4)), []byte("garbage"))
		}
		r.out.onEmit = func(e *event.Event) {
			if e.Kind == event.Drop {
				time.Sleep(20 * time.Millisecond)
			}
		}
		r.cancel()
		if err := r.end(drainTime + 2*20*time.Millisecond); err != nil {
			t.Error(err)
		}
		// 4 ms of settling, and then pairs of 40 ms until 40 ms are over.
		r.out.got(t, "slow", "slow", "lost 12 not read before stopping")
	})
}

func TestRunReportsLossesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.kernel.stats = netlink.Stats{Software: 10, Hardware: 20} // since the module was loaded
		r.wire.lost = 0
		r.begin(start(t, r.sess, both))
		r.wire.lose(5)
		r.send(packet("A"))
		r.out.got(t, "A") // it looks when more is waiting
		r.send(packet("B"), packet("C"))
		r.out.got(t, "A", "B", "C", "lost 5 at dropwatch's socket")
		r.wire.lose(4)
		r.kernel.others(func(k *kernel) { k.stats = netlink.Stats{Software: 13, Hardware: 21} })
		r.stop()
		r.out.got(t, "A", "B", "C", "lost 5 at dropwatch's socket", "lost 4 at dropwatch's socket", "lost 4 in the kernel's queue")
	})
}

func TestQueueStats(t *testing.T) {
	at := func(sw, hw uint64) queueStats { return queueStats{netlink.Stats{Software: sw, Hardware: hw}, true} }
	tests := map[string]struct {
		before, after queueStats
		want          uint64
	}{
		"none":                       {at(3, 4), at(3, 4), 0},
		"both":                       {at(3, 4), at(10, 5), 8},
		"the module was reloaded":    {at(30, 40), at(2, 41), 3},
		"not known before":           {queueStats{}, at(3, 4), 0},
		"not known after":            {at(3, 4), queueStats{}, 0},
		"a kernel that has no queue": {queueStats{}, queueStats{}, 0},
	}
	for name, tt := range tests {
		if got := tt.after.since(tt.before); got != tt.want {
			t.Errorf("%s: %d, want %d", name, got, tt.want)
		}
	}
	k := newKernel()
	k.fail["stats?"] = netlink.ErrUnsupported
	if q := readQueueStats(k); q.known {
		t.Errorf("%+v of a kernel without statistics", q)
	}
}

// TestRunOnAKernelThatDoesNotCount: before Linux 4.12 the socket only reports that it
// lost something.
func TestRunOnAKernelThatDoesNotCount(t *testing.T) {
	inRun(t, false, func(r *rig) {
		r.wire.mu.Lock()
		r.wire.lostErr, r.wire.overran = netlink.ErrUnsupported, 2
		r.wire.mu.Unlock()
		r.send(packet("A"), packet("B"))
		r.out.got(t, "A", "B", "lost 2 at dropwatch's socket, not counted by this kernel")
		r.wire.mu.Lock()
		r.wire.overran = 3
		r.wire.mu.Unlock()
		r.stop()
		r.out.got(t, "A", "B", "lost 2 at dropwatch's socket, not counted by this kernel",
			"lost 1 at dropwatch's socket, not counted by this kernel")
	})
}

func TestRunWhereLossesCannotBeAskedFor(t *testing.T) {
	gone := errors.New("read the event socket's count of drops: gone")
	for err, want := range map[error]error{netlink.ErrUnsupported: nil, gone: gone} {
		inRun(t, false, func(r *rig) {
			r.wire.mu.Lock()
			r.wire.lostErr = err
			r.wire.mu.Unlock()
			r.send(packet("A"))
			r.cancel()
			if got := r.end(time.Second); !errors.Is(got, want) || want == nil && got != nil {
				t.Errorf("error %v, want %v", got, want)
			}
			r.out.got(t, "A")
			r.kernel.did(t, "stop 1", "unlisten")
		})
	}
}
