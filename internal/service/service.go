// Package service runs a configuration until it is ended: it reads it again when it is asked to,
// and tells the service manager how it is doing.
package service

import (
	"context"
	"errors"
	"slices"
	"syscall"
	"time"

	"dropwatch/internal/capture"
	"dropwatch/internal/config"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/sink/alert"
	"dropwatch/internal/systemd"
	"dropwatch/internal/term"
)

// A Service is a configuration that is run. All fields are required.
type Service struct {
	Runner  *capture.Runner // whose Progress the service sets
	Manager *systemd.Manager
	Command string                         // the command line, for recordings
	Load    func() (*config.Config, error) // reads the configuration as it is now
	Alerts  *alert.Sink                    // of which the service sets the rules

	hangups    chan struct{}           // holds one while the configuration is to be read again
	end        context.CancelCauseFunc // ends the run, with why
	onTerminal bool                    // it was started on one
}

// Run runs the configuration until ctx ends, an error occurs, or all its outputs have failed. SIGHUP
// makes it read the configuration again: a wrong one changes nothing, and one that cannot be run is
// replaced by that before. Between two configurations no source runs for a moment; how long that was
// is in the ledger of the later one.
func (s *Service) Run(ctx context.Context) error {
	c, err := s.Load()
	if err != nil {
		return err
	}
	s.Runner.Notices.Note("using %s", c.Name())
	s.hangups = make(chan struct{}, 1)
	ctx, s.end = context.WithCancelCause(ctx)
	defer s.end(nil)
	s.onTerminal = term.HasControlling()
	s.Runner.Signals.Serve()
	defer s.Runner.Signals.OnHangup(s.hangup)()
	defer s.Manager.Stopping()
	s.Runner.Progress = new(pipeline.Progress)
	defer s.watch()()
	defer s.Alerts.Close()
	err = s.runAll(ctx, c)
	if context.Cause(ctx) == errTerminal { // there is nobody to tell what could not be written to it
		return errTerminal
	}
	return err
}

// errTerminal: the terminal that the service was started on is gone.
var errTerminal error = &capture.SignalError{Number: syscall.SIGHUP}

// hangup is what SIGHUP calls. The end of a terminal is one, too.
func (s *Service) hangup() {
	if s.onTerminal && !term.HasControlling() {
		s.end(errTerminal)
	}
	select {
	case s.hangups <- struct{}{}:
	default: // it was not read yet since the last one
	}
}

// runAll runs a configuration, and those that are read later.
func (s *Service) runAll(ctx context.Context, c *config.Config) (err error) {
	var before *config.Config // that can be returned to
	var since time.Time
	lost := false
	defer func() {
		if lost {
			err = errors.Join(err, errLost)
		}
	}()
	for {
		next, err := s.runOnce(ctx, c, since)
		switch {
		case ctx.Err() != nil:
			return err
		case next.failed && before != nil:
			s.Runner.Notices.Note("%v", capture.Advise(err))
			s.Runner.Notices.Text("going on with the configuration before")
			c, before = before, nil
		case next.config == nil:
			return err
		default:
			if err != nil {
				s.Runner.Notices.Warn(capture.Advise(err))
			}
			_, couldNotWrite := errors.AsType[*capture.LossError](err)
			lost = lost || couldNotWrite
			c, before, since = next.config, c, next.since
		}
	}
}

// errLost: outputs of a run before the last one could not write something.
var errLost = errors.New("outputs did not get everything before the configuration was read again, as was said then")

// GoesOn reports whether a run whose context has ended is followed by another one.
func GoesOn(ctx context.Context) bool { return context.Cause(ctx) == capture.ErrReloaded }

// A next is what follows after a run.
type next struct {
	config *config.Config // nil: nothing, the run ended
	since  time.Time      // when the run was ended for that
	failed bool           // the run could not begin
}

// runOnce runs a configuration until it ends or another one is to be run. Since is when that before
// was ended; zero if there was none.
func (s *Service) runOnce(ctx context.Context, c *config.Config, since time.Time) (n next, err error) {
	spec := c.Spec
	spec.Command, spec.Input.Since = s.Command, since
	spec.Outputs = slices.Concat(spec.Outputs, []capture.Output{{Format: capture.Table, Stderr: true}})
	if s.Alerts.Use(c.Alerts); len(c.Alerts) > 0 {
		spec.Outputs = append(spec.Outputs, capture.Output{Format: capture.Custom, Sink: s.Alerts})
		spec.Findings = s.Alerts
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(chan struct{})
	n.failed = true
	_, err = s.Runner.Run(ctx, spec, func() {
		n.failed = false
		s.Manager.Ready("watching drops")
		go func() {
			defer close(ended)
			n.config = s.awaitReload(ctx)
			n.since = time.Now()
			stop(capture.ErrReloaded)
		}()
	})
	if !n.failed {
		stop(nil)
		<-ended
	}
	return n, err
}

// awaitReload returns the next configuration that is right; nil when ctx ends before.
func (s *Service) awaitReload(ctx context.Context) *config.Config {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.hangups:
		}
		s.Manager.Reloading()
		c, err := s.Load()
		if err == nil {
			s.Runner.Notices.Note("%s was read again", c.Name())
			return c
		}
		s.Runner.Notices.Warn(err)
		s.Runner.Notices.Text("the configuration is unchanged")
		s.Manager.Ready("watching drops; the configuration that was read last is wrong")
	}
}

// watch tells the manager that the service is alive, unless a run has been processing the same event
// for half of the time that the manager allows. Stop ends that.
func (s *Service) watch() (stop func()) {
	every := s.Manager.Watchdog() / 2
	if every == 0 {
		return func() {}
	}
	tick, done := time.NewTicker(every), make(chan struct{})
	go func() {
		for {
			select {
			case <-done:
				return
			case now := <-tick.C:
				if s.Runner.Progress.Busy(now) < every {
					s.Manager.Alive()
				}
			}
		}
	}()
	return func() {
		tick.Stop()
		close(done)
	}
}
