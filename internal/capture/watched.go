package capture

import (
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A watchedSink is an output of a run. If it fails before the End it says so at once, also
// when no further drop comes.
type watchedSink struct {
	pipeline.Sink
	failed func(error)
	done   bool // it has failed, or got the End
}

// Write passes an event on.
func (s *watchedSink) Write(e *event.Event) error {
	s.done = s.done || e.Kind == event.End
	return s.check(s.Sink.Write(e))
}

// Flush flushes the sink.
func (s *watchedSink) Flush() error { return s.check(s.Sink.Flush()) }

// Unwrap returns the sink.
func (s *watchedSink) Unwrap() pipeline.Sink { return s.Sink }

// check passes an error on, and calls failed for the first unless the End came before, whose errors the caller reports.
func (s *watchedSink) check(err error) error {
	if err != nil && !s.done {
		s.done = true
		s.failed(err)
	}
	return err
}

// outputFailed ends the run if no output works any more. Otherwise it prints the error, unless
// the reader closed a pipe, which is no failure. It may be called from any goroutine.
func (r *run) outputFailed(err error) {
	select {
	case <-r.over: // the error is that of the run
		return
	default:
	}
	left := r.working.Add(-1)
	switch {
	case left == 0:
		r.stop()
	case pipeline.ReaderClosed(err):
	case left == 1 && r.spec.Finder != nil:
		r.Notices.Note("%v; the run goes on, without outputs", Advise(err))
	default:
		r.Notices.Note("%v; the other outputs go on", Advise(err))
	}
}
