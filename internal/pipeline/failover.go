package pipeline

import (
	"context"
	"errors"
	"time"

	"dropwatch/internal/event"
)

// A StoppedError is returned by a source that was stopped from outside, for example by
// another client of the drop monitor.
type StoppedError struct {
	Since time.Time // until when it reported drops; zero if that is not known
	Until time.Time // from when on the next source reports them, if it is open already; else zero
	Err   error     // what happened
}

// Error returns the text of Err.
func (e *StoppedError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *StoppedError) Unwrap() error { return e.Err }

// A Failover is a source that goes on with another one when the first fails. The time in
// between is reported as a Loss at [event.Uncovered], whose args are "source", the name of
// the next source, and "cause", the error of the one before. Its Count is 0 if the next
// source began before the other ended, so that there was no such time.
type Failover struct {
	Source

	// Next opens the source that goes on after cause, and returns it with its name. If
	// there is none it returns an error, and Run returns that joined with cause.
	Next func(ctx context.Context, cause error) (s Source, name string, err error)
}

// Run runs one source after the other until ctx ends or the last one fails.
func (f *Failover) Run(ctx context.Context, out Output) error {
	s := f.Source
	for {
		err := s.Run(ctx, out)
		if err == nil || ctx.Err() != nil {
			return err
		}
		failed := time.Now()
		next, name, err2 := f.Next(ctx, err)
		if err2 != nil {
			return errors.Join(err, err2)
		}
		out.Emit(gap(failed, name, err))
		out.Flush()
		s = next
	}
}

// gap reports how long no source was running: from failed until now, unless cause knows
// better.
func gap(failed time.Time, name string, cause error) *event.Event {
	now := time.Now()
	since, until := failed, now
	if stopped, ok := errors.AsType[*StoppedError](cause); ok {
		if !stopped.Since.IsZero() {
			since = stopped.Since
		}
		if !stopped.Until.IsZero() {
			until = stopped.Until
		}
	}
	e := &event.Event{
		Kind: event.Loss, Place: event.Uncovered, Time: now, Gap: max(0, until.Sub(since)),
		Args: []event.Arg{{Name: "source", Text: name}, {Name: "cause", Text: cause.Error()}},
	}
	if e.Gap > 0 {
		e.Count = 1
	}
	return e
}

// Continue returns a source that goes on after another run, which ended at a time for a reason. It
// reports how long no source was running as a Failover does, and then runs s, whose name is name.
func Continue(s Source, ended time.Time, name string, cause error) Source {
	return &continued{s, ended, name, cause}
}

// continued is the source that Continue returns.
type continued struct {
	Source
	ended time.Time // when the source before it did
	name  string    // of the source before it
	cause error     // why that ended
}

// Run reports the gap and runs the source.
func (c *continued) Run(ctx context.Context, out Output) error {
	out.Emit(gap(c.ended, c.name, c.cause))
	out.Flush()
	return c.Source.Run(ctx, out)
}
