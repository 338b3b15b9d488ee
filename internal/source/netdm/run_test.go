package netdm

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/netlink"
)

// A rig is a run in a synctest bubble.
type rig struct {
	t      *testing.T
	kernel *kernel
	wire   *wire
	out    *output
	sess   *Session
	cancel context.CancelFunc
	done   chan error
}

// inRun begins a run that the session has started, or that is passive, and
// hands it to do.
func inRun(t *testing.T, passive bool, do func(*rig)) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		run, err := r.sess.Listen(netlink.ListenConfig{})
		if !passive {
			r.kernel.log = nil
			run, err = r.sess.Start(t.Context(), 0, netlink.ListenConfig{})
		}
		if err != nil {
			t.Fatal(err)
		}
		r.kernel.log = nil
		r.begin(run)
		do(r)
	})
}

func newRig(t *testing.T) *rig {
	k := newKernel()
	k.config.Mode = netlink.ModePacket
	s, w := newSession(t, k)
	return &rig{t: t, kernel: k, wire: w, out: &output{}, sess: s, done: make(chan error, 1)}
}

func (r *rig) begin(run *Run) {
	ctx, cancel := context.WithCancel(r.t.Context())
	r.cancel = cancel
	go func() { r.done <- run.Run(ctx, r.out) }()
	synctest.Wait()
}

// send puts messages on the wire and waits until they were handled.
func (r *rig) send(msgs ...[]byte) {
	r.wire.send(msgs...)
	synctest.Wait()
}

// end waits for the run, which may take no longer than most.
func (r *rig) end(most time.Duration) error {
	r.t.Helper()
	began := time.Now()
	err := <-r.done
	if took := time.Since(began); took > most {
		r.t.Errorf("the run went on for %v, want at most %v", took, most)
	}
	return err
}

// stop ends the run as Ctrl-C does.
func (r *rig) stop() {
	r.t.Helper()
	r.cancel()
	if err := r.end(100 * time.Millisecond); err != nil {
		r.t.Error(err)
	}
}

func TestRunShowsAndStops(t *testing.T) {
	inRun(t, false, func(r *rig) {
		r.send(packet("A"), packet("B"), packet("C"))
		r.out.got(t, "A", "B", "C")
		if r.out.flushed == 0 {
			t.Error("not flushed though nothing more is waiting")
		}
		r.stop()
		r.kernel.did(t, "stop 1", "unlisten")
		if err := r.sess.Close(); err != nil {
			t.Error(err)
		}
		r.kernel.did(t, "close")
	})
}

func TestRunAfterRun(t *testing.T) {
	inRun(t, false, func(r *rig) {
		r.stop()
		r.kernel.did(t, "stop 1", "unlisten")
		r.begin(start(t, r.sess, both))
		r.stop()
		r.kernel.did(t, "listen", "start 3", "stop 3", "unlisten")
	})
}

// TestRunStopsUnderAFlood has more waiting whenever the run looks.
func TestRunStopsUnderAFlood(t *testing.T) {
	for name, passive := range map[string]bool{"its own": false, "another's": true} {
		t.Run(name, func(t *testing.T) {
			inRun(t, passive, func(r *rig) {
				r.kernel.others(func(k *kernel) { k.on = netlink.Software })
				r.flood(1000)
				time.Sleep(10 * time.Millisecond)
				r.stop()
			})
		})
	}
}

// flood makes every reception find two alerts a millisecond later, as long as
// monitoring is on, but at most n times so that the test ends if the run does
// not.
func (r *rig) flood(n int) {
	r.wire.mu.Lock()
	r.wire.onBatch = func() {
		time.Sleep(time.Millisecond)
		r.kernel.others(func(k *kernel) {
			if n--; n > 0 && k.on != 0 {
				r.wire.send(packet("x"), packet("x"))
			}
		})
	}
	r.wire.mu.Unlock()
	r.send(packet("x"))
}

// TestRunWaitsForTheLastSummary: the kernel sends a second later what it has
// counted until now, and would throw it away at STOP.
func TestRunWaitsForTheLastSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.kernel.config.Mode = netlink.ModeSummary
		r.begin(start(t, r.sess, both))
		r.cancel()
		time.AfterFunc(time.Second, func() { r.wire.send(message(cmdAlert, traps("ttl", 4))) })
		if err := r.end(1100 * time.Millisecond); err != nil {
			t.Error(err)
		}
		if len(r.out.events) != 1 || r.out.events[0].Count != 4 {
			t.Errorf("shown: %+v", r.out.events)
		}
		r.kernel.did(t, "listen", "start 3", "stop 3", "unlisten")
	})
}

// TestRunSaysSummariesThatWereLost: they are no number of drops.
func TestRunSaysSummariesThatWereLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.kernel.config.Mode = netlink.ModeSummary
		r.begin(start(t, r.sess, both))
		r.wire.lose(2)
		r.cancel()
		if err := r.end(1100 * time.Millisecond); err != nil {
			t.Error(err)
		}
		r.out.got(t, "lost 2 in lost summaries")
	})
}

func TestRunEmitsWhatIsQueuedBeforeStop(t *testing.T) {
	inRun(t, false, func(r *rig) {
		for i := range 3 { // the last three that the kernel sends
			time.AfterFunc(time.Duration(i+1)*3*time.Millisecond, func() { r.wire.send(packet("late")) })
		}
		r.kernel.onStop = func() { r.wire.send(packet("last")) }
		r.stop()
		r.out.got(t, "late", "late", "late", "last")
	})
}

func TestRunSwitchedOffByAnother(t *testing.T) {
	inRun(t, false, func(r *rig) {
		time.Sleep(1500 * time.Millisecond)
		r.send(packet("A"))
		r.kernel.others(func(k *kernel) { k.on = 0 })
		last := time.Now()
		err := r.end(2 * time.Second)
		off, ok := errors.AsType[*pipeline.StoppedError](err)
		if !ok || !errors.Is(err, ErrSwitchedOff) || !off.Since.Equal(last) {
			t.Errorf("error %#v, want one of %v", err, last)
		}
		r.out.got(t, "A")
		// A program that starts now is not stopped by this run.
		r.kernel.others(func(k *kernel) { k.on = netlink.Software })
		if err := r.sess.Close(); err != nil {
			t.Error(err)
		}
		r.kernel.did(t, "start 1", "unlisten", "close") // that START was refused
	})
}

func TestRunSwitchedOffShowsWhatIsWaiting(t *testing.T) {
	inRun(t, false, func(r *rig) {
		hold := make(chan struct{})
		r.out.onEmit = func(*event.Event) { <-hold }
		r.send(packet("A"))
		r.kernel.others(func(k *kernel) { k.on = 0 })
		r.send(packet("B"))
		time.Sleep(3 * time.Second)
		close(hold)
		if err := r.end(0); !errors.Is(err, ErrSwitchedOff) {
			t.Error(err)
		}
		r.out.got(t, "A", "B")
	})
}

func TestRunAsksOnlyInSilence(t *testing.T) {
	inRun(t, false, func(r *rig) {
		for range 50 {
			time.Sleep(100 * time.Millisecond)
			r.send(packet("A"))
		}
		if r.kernel.asked() != 0 {
			t.Errorf("asked %d times while alerts came", r.kernel.asked())
		}
		time.Sleep(3500 * time.Millisecond)
		if n := r.kernel.asked(); n < 2 || n > 4 {
			t.Errorf("asked %d times in 3.5 s of silence", n)
		}
		r.stop()
	})
}

func TestRunGoesOnWhereItMayNotAsk(t *testing.T) {
	inRun(t, false, func(r *rig) {
		r.kernel.others(func(k *kernel) { k.fail["running?"] = errDenied })
		time.Sleep(10 * time.Second)
		if r.kernel.asked() != 1 {
			t.Errorf("asked %d times, want once", r.kernel.asked())
		}
		r.send(packet("A"))
		r.stop()
		r.out.got(t, "A")
	})
}

func TestPassiveRun(t *testing.T) {
	inRun(t, true, func(r *rig) {
		r.kernel.on = netlink.Software // another's
		time.Sleep(10 * time.Second)
		r.send(packet("A"))
		r.cancel()
		if err := r.end(0); err != nil { // nothing is queued
			t.Error(err)
		}
		r.out.got(t, "A")
		r.kernel.did(t, "unlisten")
		if r.kernel.asked() != 0 {
			t.Errorf("asked %d times", r.kernel.asked())
		}
		if err := r.sess.Close(); err != nil {
			t.Error(err)
		}
		r.kernel.did(t, "close")
	})
}

func TestPassiveRunLeavesAnotherOfOursOn(t *testing.T) {
	inRun(t, true, func(r *rig) {
		start(t, r.sess, 0)
		r.stop()
		r.kernel.did(t, "listen", "start 1", "unlisten")
	})
}

func TestRunThatCannotBeStopped(t *testing.T) {
	inRun(t, false, func(r *rig) {
		r.kernel.fail["stop"] = errDenied
		r.send(packet("A"))
		r.cancel()
		hasText(t, r.end(time.Second), "stop monitoring: not permitted")
		delete(r.kernel.fail, "stop")
		if err := r.sess.Close(); err != nil {
			t.Error(err)
		}
		r.kernel.did(t, "stop 1", "unlisten", "stop 1", "close") // tried again
	})
}

func TestRunWhoseSocketFails(t *testing.T) {
	inRun(t, false, func(r *rig) {
		gone := errors.New("receive alerts: gone")
		r.wire.mu.Lock()
		r.wire.err = gone
		r.wire.mu.Unlock()
		r.wire.send()
		if err := r.end(0); !errors.Is(err, gone) {
			t.Errorf("error %v, want %v", err, gone)
		}
		r.kernel.did(t, "stop 1", "unlisten")
	})
}

// TestCloseWhileOutputIsStuck is the watchdog's Close while a write to a stopped
// terminal does not return.
func TestCloseWhileOutputIsStuck(t *testing.T) {
	inRun(t, false, func(r *rig) {
		if err := r.sess.SetTruncLen(t.Context(), 9); !errors.Is(err, netlink.ErrMonitoring) {
			t.Error(err)
		}
		hold := make(chan struct{})
		r.out.onEmit = func(*event.Event) { <-hold }
		r.send(packet("A"))
		r.kernel.log = nil
		r.cancel()
		began := time.Now()
		if err := r.sess.Close(); err != nil {
			t.Error(err)
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("Close took %v", took)
		}
		r.kernel.did(t, "stop 1", "close")
		close(hold)
		if err := r.end(100 * time.Millisecond); err != nil {
			t.Error(err)
		}
		r.kernel.did(t, "unlisten")
	})
}
