package app

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// A signalError is the cause of a context that a signal has ended.
type signalError struct{ number syscall.Signal }

func (e *signalError) Error() string { return "ended by signal: " + e.number.String() }

// signals turns signals into ends of contexts: SIGINT ends the capture that is
// under way, and the session if there is none or it does not end; SIGTERM,
// SIGHUP and SIGQUIT end the session. SIGPIPE is caught so that writing to a
// closed pipe fails instead of ending the process. A SIGHUP that whoever started
// us ignores, as nohup does, stays ignored.
type signals struct {
	mu      sync.Mutex
	capture context.CancelFunc // ends the capture under way
	ended   time.Time          // when it was told to end
	patient bool               // a person is at the prompt, where SIGINT ends nothing
}

// listen gives the session's context. Stop ends the listening.
func (s *signals) listen(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	ch := make(chan os.Signal, 8)
	signal.Notify(ch, syscall.SIGINT, syscall.SIGTERM, syscall.SIGQUIT, syscall.SIGPIPE)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(ch, syscall.SIGHUP)
	}
	go func() {
		for sig := range ch {
			s.handle(sig.(syscall.Signal), cancel)
		}
	}()
	return ctx, func() {
		signal.Stop(ch)
		close(ch)
		cancel(nil)
	}
}

func (s *signals) handle(sig syscall.Signal, endSession context.CancelCauseFunc) {
	switch sig {
	case syscall.SIGPIPE:
	case syscall.SIGINT:
		if !s.endCapture() {
			endSession(&signalError{sig})
		}
	default:
		endSession(&signalError{sig})
	}
}

// endCapture tells whether that was all that SIGINT has to do.
func (s *signals) endCapture() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.capture == nil:
		return s.patient
	case s.ended.IsZero():
		s.ended = time.Now()
		s.capture()
		return true
	}
	return time.Since(s.ended) < stuckAfter
}

// stuckAfter is how long a capture may take to end. Until then a second SIGINT is
// a person's impatience; later it says that the capture is stuck.
const stuckAfter = 1500 * time.Millisecond

// interruptible gives a context that SIGINT ends, until stop is called.
func (s *signals) interruptible(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancel(parent)
	s.set(cancel)
	return ctx, func() {
		s.set(nil)
		cancel()
	}
}

func (s *signals) set(capture context.CancelFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capture, s.ended = capture, time.Time{}
}

// setPatient says that a person is at the prompt.
func (s *signals) setPatient(patient bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.patient = patient
}
