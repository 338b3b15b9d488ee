package netdm

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/netlink"
)

// ErrSwitchedOff is how a run ends when another program switched monitoring off during it.
var ErrSwitchedOff = errors.New("another program switched monitoring off")

// Timing of the end of a run. At STOP the kernel discards what it has not sent, so the run goes
// on for a while when its context has ended: for summaryTime if the kernel sends summaries,
// each a second after its first drop (dm_delay); otherwise while packets keep coming, for at
// most queuedTime. After STOP it emits, until drainTime, what waits at the socket. The rest is
// counted as unread: all of it if the run has stopped the monitor, otherwise what comes until
// countTime.
const (
	checkEvery  = time.Second
	summaryTime = 1050 * time.Millisecond
	queuedTime  = 40 * time.Millisecond
	queuedStep  = 4 * time.Millisecond
	drainTime   = 40 * time.Millisecond
	countTime   = drainTime + 10*time.Millisecond
)

// A Listener receives alerts. The methods are those of [netlink.Listener].
type Listener interface {
	// Receive passes alerts to handle until ctx ends or handle fails.
	Receive(ctx context.Context, handle netlink.Handler) error
	// Drain passes those that wait.
	Drain(handle netlink.Handler) error
	// Lost is how many alerts found the receive buffer full.
	Lost() (uint64, error)
	// Overruns is how often that was reported, where Lost is not supported.
	Overruns() uint64
	// Close also ends a Receive.
	Close() error
}

// A Run is a pipeline.Source of the alerts since it was made. Its end switches
// monitoring off if the Session switched it on for this run.
type Run struct {
	session  *Session
	listener Listener
	origins  netlink.Origins // switched on for this run; 0 if it only listens
	summary  bool            // the kernel sends summaries
	queue    queueStats      // when the run began
	decoder  netlink.Decoder
	alert    netlink.Alert // the one that was decoded last
	event    event.Event   // the one that is emitted, over and over
	lost     uint64        // at the socket, and reported already
	overruns uint64        // of the socket, and reported already
	alerts   atomic.Uint64 // received
	made     time.Time     // when the run was
	now      int64         // when the current alerts were received, in nanoseconds since then
	activity [netlink.Hardware + 1]activity
}

// newRun returns a run that counts losses from now on.
func newRun(s *Session, l Listener) *Run {
	cfg, err := s.monitor.Config()
	r := &Run{
		session:  s,
		listener: l,
		summary:  err != nil || cfg.Mode == netlink.ModeSummary, // all that kernels before 5.4 have
		queue:    readQueueStats(s.monitor),
		made:     time.Now(),
	}
	r.markOn(both, 0)
	return r
}

// Run emits drops and losses to out until ctx ends, and for a moment longer. The error is that
// of a request, or a [*pipeline.StoppedError] that wraps [ErrSwitchedOff].
func (r *Run) Run(ctx context.Context, out pipeline.Output) error {
	defer r.listener.Close()
	err := r.receive(ctx, out)
	switch {
	case err != nil || r.origins == 0:
	case r.summary:
		err = r.lastSummary(out)
	default:
		err = r.emitQueued(out, time.Now())
	}
	readable := err == nil || errors.Is(err, ErrSwitchedOff) // the listener still works
	err = errors.Join(err, r.stop())
	if readable {
		err = errors.Join(err, r.drain(out, time.Now()))
	}
	return errors.Join(err, r.account(out))
}

// Close ends a run whose Run was not called.
func (r *Run) Close() error {
	err := r.listener.Close()
	return errors.Join(r.stop(), err)
}

// stop switches off what was switched on for this run.
func (r *Run) stop() error {
	if r.origins == 0 {
		return nil
	}
	return r.session.stop()
}

// receive emits alerts until ctx ends or another program switches monitoring off. When it
// returns, check has ended too.
func (r *Run) receive(ctx context.Context, out pipeline.Output) error {
	running, cancel := context.WithCancelCause(ctx)
	var checking sync.WaitGroup
	if r.origins != 0 {
		checking.Go(func() { r.check(running, cancel) })
	}
	err := r.listener.Receive(running, r.handler(out))
	cancel(nil)
	checking.Wait()
	if cause := context.Cause(running); err == nil && errors.Is(cause, ErrSwitchedOff) {
		err = cause
	}
	return err
}

// errTimeUp ends a Drain that would otherwise continue for as long as alerts come.
var errTimeUp = errors.New("time is up")

// drainUntil drains until handle returns errTimeUp, which is no error.
func (r *Run) drainUntil(handle netlink.Handler) error {
	err := r.listener.Drain(handle)
	if errors.Is(err, errTimeUp) {
		return nil
	}
	return err
}

// lastSummary emits the summary that the kernel has begun and not sent yet.
func (r *Run) lastSummary(out pipeline.Output) error {
	ctx, cancel := context.WithTimeout(context.Background(), summaryTime)
	defer cancel()
	return r.listener.Receive(ctx, r.handler(out))
}

// emitQueued emits the packets that are still in the kernel's queues: until none comes for
// queuedStep, or queuedTime after end is over.
func (r *Run) emitQueued(out pipeline.Output, end time.Time) error {
	emit := r.handler(out)
	for time.Since(end) < queuedTime {
		before := r.alerts.Load()
		time.Sleep(queuedStep)
		err := r.drainUntil(func(msgs [][]byte, more bool) error {
			if err := emit(msgs, more); err != nil {
				return err
			}
			if time.Since(end) < queuedTime {
				return nil
			}
			return errTimeUp
		})
		if err != nil || r.alerts.Load() == before {
			return err
		}
	}
	return nil
}

// drain emits what waits at the socket until drainTime after end, and counts the rest.
func (r *Run) drain(out pipeline.Output, end time.Time) error {
	emit, unread := r.handler(out), uint64(0)
	err := r.drainUntil(func(msgs [][]byte, more bool) error {
		after := time.Since(end)
		if after < drainTime {
			return emit(msgs, more)
		}
		for _, msg := range msgs {
			unread += r.drops(msg)
		}
		if r.origins == 0 && after > countTime { // the alerts of others may never end
			return errTimeUp
		}
		return nil
	})
	pipeline.Lose(out, event.Unread, unread)
	return err
}

// handler returns the function that emits the events of messages.
func (r *Run) handler(out pipeline.Output) netlink.Handler {
	return func(msgs [][]byte, more bool) error {
		if len(msgs) > 0 {
			r.alerts.Add(uint64(len(msgs)))
			r.now = r.age()
		}
		for _, msg := range msgs {
			r.emit(out, msg)
		}
		if more {
			return r.checkSocket(out)
		}
		out.Flush()
		return nil
	}
}
