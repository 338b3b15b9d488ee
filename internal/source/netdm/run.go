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

// ErrSwitchedOff: another program switched monitoring off during our run.
var ErrSwitchedOff = errors.New("another program switched monitoring off")

// The times of a run. When its context ends it goes on, because the kernel
// throws away at STOP what it has not sent: for summaryTime if it sends
// summaries, which it does a second after the first drop of each (dm_delay);
// otherwise for as long as packets keep coming, at most settleTime. After STOP
// it shows what is waiting until drainTime is over. The rest is counted: all of
// it if we have stopped the monitor, or else what that finds until countTime.
const (
	watchEvery  = time.Second
	summaryTime = 1050 * time.Millisecond
	settleTime  = 40 * time.Millisecond
	settleStep  = 4 * time.Millisecond
	drainTime   = 40 * time.Millisecond
	countTime   = drainTime + 10*time.Millisecond
)

// A Listener is what a Run needs of a netlink.Listener.
type Listener interface {
	Receive(ctx context.Context, handle netlink.Handler) error
	Drain(handle netlink.Handler) error
	Lost() (uint64, error)
	Close() error
}

// A Run is a pipeline.Source: the alerts from its making to the end of Run,
// which switches monitoring off if the Session switched it on for this run.
type Run struct {
	session  *Session
	listener Listener
	started  bool // the session switched monitoring on for this run
	summary  bool // the kernel sends summaries
	queue    queueStats
	decoder  netlink.Decoder
	alert    netlink.Alert
	event    event.Event
	lost     uint64        // at our socket, as far as it was told
	alerts   atomic.Uint64 // received, for the watch
}

// newRun counts losses from now on.
func newRun(s *Session, l Listener) *Run {
	cfg, err := s.monitor.Config()
	return &Run{
		session:  s,
		listener: l,
		summary:  err != nil || cfg.Mode == netlink.ModeSummary, // all that kernels before 5.4 have
		queue:    readQueueStats(s.monitor),
	}
}

// Run gives drops and losses to out until ctx ends. The error is out's,
// ErrSwitchedOff, or one of the kernel's.
func (r *Run) Run(ctx context.Context, out pipeline.Output) error {
	defer r.listener.Close()
	err := r.receive(ctx, out)
	switch {
	case err != nil || !r.started:
	case r.summary:
		err = r.lastSummary(out)
	default:
		err = r.settle(out, time.Now())
	}
	goesOn := err == nil || errors.Is(err, ErrSwitchedOff) // out still takes events
	err = pipeline.Also(err, r.stop())
	if goesOn {
		err = pipeline.Also(err, r.drain(out, time.Now()))
	}
	return pipeline.Also(err, r.account(out))
}

// Close ends a run that Run was not called for.
func (r *Run) Close() error {
	err := r.listener.Close()
	return pipeline.Also(r.stop(), err)
}

func (r *Run) stop() error {
	if !r.started {
		return nil
	}
	return r.session.stop()
}

// receive hands on alerts until ctx ends or somebody switches monitoring off.
// Nobody asks the kernel anything on our behalf when it returns.
func (r *Run) receive(ctx context.Context, out pipeline.Output) error {
	running, cancel := context.WithCancelCause(ctx)
	var watch sync.WaitGroup
	if r.started {
		watch.Go(func() { r.watch(running, cancel) })
	}
	err := r.listener.Receive(running, r.handler(out))
	cancel(nil)
	watch.Wait()
	if err == nil && errors.Is(context.Cause(running), ErrSwitchedOff) {
		err = ErrSwitchedOff
	}
	return err
}

// watch ends the run when monitoring is off though we have not stopped it. It
// asks only after a second without alerts, and gives up where it may not ask.
func (r *Run) watch(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for seen := r.alerts.Load(); ; seen = r.alerts.Load() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if r.alerts.Load() != seen {
			continue
		}
		on, err := r.session.stillOn()
		if err != nil {
			return
		}
		if !on {
			cancel(ErrSwitchedOff)
			return
		}
	}
}

// errTimeUp ends a Drain that might go on for as long as alerts come.
var errTimeUp = errors.New("time is up")

// drainUntil is Drain, ended by errTimeUp.
func (r *Run) drainUntil(handle netlink.Handler) error {
	err := r.listener.Drain(handle)
	if errors.Is(err, errTimeUp) {
		return nil
	}
	return err
}

// lastSummary hands on what the kernel has counted so far and still has to send.
func (r *Run) lastSummary(out pipeline.Output) error {
	ctx, cancel := context.WithTimeout(context.Background(), summaryTime)
	defer cancel()
	return r.listener.Receive(ctx, r.handler(out))
}

// settle hands on alerts until a moment passes without any, or time is up.
func (r *Run) settle(out pipeline.Output, end time.Time) error {
	show := r.handler(out)
	for time.Since(end) < settleTime {
		seen := r.alerts.Load()
		time.Sleep(settleStep)
		err := r.drainUntil(func(msgs [][]byte, more bool) error {
			if err := show(msgs, more); err != nil {
				return err
			}
			if time.Since(end) < settleTime {
				return nil
			}
			return errTimeUp
		})
		if err != nil || r.alerts.Load() == seen {
			return err
		}
	}
	return nil
}

// drain hands on what is waiting, and counts the rest when time is up.
func (r *Run) drain(out pipeline.Output, end time.Time) error {
	show, unread := r.handler(out), uint64(0)
	err := r.drainUntil(func(msgs [][]byte, more bool) error {
		after := time.Since(end)
		if after < drainTime {
			return show(msgs, more)
		}
		for _, msg := range msgs {
			unread += r.drops(msg)
		}
		if !r.started && after > countTime { // others' alerts may never end
			return errTimeUp
		}
		return nil
	})
	return pipeline.Also(err, r.lose(out, event.Unread, unread))
}

// handler turns messages into events.
func (r *Run) handler(out pipeline.Output) netlink.Handler {
	return func(msgs [][]byte, more bool) error {
		r.alerts.Add(uint64(len(msgs)))
		for _, msg := range msgs {
			if err := r.emit(out, msg); err != nil {
				return err
			}
		}
		if more {
			return r.checkSocket(out)
		}
		return out.Flush()
	}
}
