package alert

import (
	"context"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// findings are what a Sink found and no run has reported yet.
type findings struct {
	wakeup chan struct{} // holds one when there is something new

	mu       sync.Mutex
	expected uint64 // findings that are being made
	made     []*event.Event
	lost     uint64 // for which there was no room
}

// maxMade is how many findings wait for a run that reports them: between two runs there is none.
const maxMade = 1000

// expect announces a finding, which add adds.
func (f *findings) expect() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.expected++
}

// add adds a finding that was announced, which the caller must not change any more.
func (f *findings) add(e *event.Event) {
	f.mu.Lock()
	f.expected--
	if len(f.made) < maxMade {
		f.made = append(f.made, e)
	} else {
		f.lost++
	}
	f.mu.Unlock()
	select {
	case f.wakeup <- struct{}{}:
	default:
	}
}

// take removes and returns what was made, and reports whether more is being made. At the end nobody takes that: it is lost.
func (f *findings) take(atEnd bool) (made []*event.Event, more bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	lost := f.lost
	if atEnd {
		lost += f.expected
	}
	if lost > 0 {
		f.made = append(f.made, &event.Event{
			Kind: event.Loss, Place: event.Unread, Time: time.Now(), Count: lost, Incident: &event.Incident{},
		})
	}
	made, f.made, f.lost = f.made, nil, 0
	return made, f.expected > 0
}

// maxWait is how long the end of the last run waits for findings that are being made.
const maxWait = time.Second

// Run reports findings until ctx ends, also those that were made since the run before. If no other run follows, it waits a
// moment for those that are being made; what is not ready then is a Loss. One run at a time reports them.
func (s *Sink) Run(ctx context.Context, out pipeline.Output) error {
	for ctx.Err() == nil {
		s.emit(out, false)
		select {
		case <-ctx.Done():
		case <-s.found.wakeup:
		}
	}
	more := s.emit(out, false)
	if s.o.GoesOn(ctx) {
		return nil
	}
	for timeout := time.After(maxWait); more; {
		select {
		case <-s.found.wakeup:
			more = s.emit(out, false)
		case <-timeout:
			s.emit(out, true)
			more = false
		}
	}
	return nil
}

// emit emits what was made, and reports whether more is being made. At the end that is lost.
func (s *Sink) emit(out pipeline.Output, atEnd bool) (more bool) {
	made, more := s.found.take(atEnd)
	for _, e := range made {
		out.Emit(e)
	}
	if len(made) > 0 {
		out.Flush()
	}
	return more
}
