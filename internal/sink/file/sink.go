package file

import (
	"fmt"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A Sink is a format whose lines go to a Writer. While they cannot be written it goes on: what was
// lost is counted, written as a Loss to the file as soon as that is possible, and entered in the
// ledger of the End.
type Sink struct {
	format pipeline.Sink
	w      *Writer

	at       time.Time    // of the last event
	untold   event.Ledger // what was lost and no Loss in the file tells of
	ended    bool         // the End was written
	reported bool         // that the file cannot be written

	mu      sync.Mutex
	pending event.Ledger // what the format has got and the file has not
	lost    event.Ledger // drops that the file did not take
}

// NewSink returns a Sink. The format must write to w whole lines, of all that it has got since it
// last did, and keep no lines beyond a Flush.
func NewSink(format pipeline.Sink, w *Writer) *Sink { return &Sink{format: format, w: w} }

// Write writes an event.
func (s *Sink) Write(e *event.Event) error {
	s.at = e.Time
	if e.Kind != event.End {
		return s.settle(e, s.format.Write(e))
	}
	if err := s.Flush(); err != nil {
		return err
	}
	s.ended = true
	last, ledger, lost := *e, *e.Ledger, s.Lost()
	ledger.Lose(&lost)
	last.Ledger = &ledger
	return s.settle(&last, s.format.Write(&last))
}

// Flush writes what the format has, which then has nothing that the file has not. After the End it
// returns why the last lines are not in the file.
func (s *Sink) Flush() error {
	if err := s.settle(nil, s.format.Flush()); err != nil {
		return err
	}
	s.count(nil, kept)
	if !s.ended {
		return nil
	}
	if _, err := s.w.take(); err != nil {
		return fmt.Errorf("write to %s: %w", s.w.name, event.WithoutPath(err))
	}
	return nil
}

// settle counts what became of the events since the format last wrote, of which e is the last,
// unless it is nil. A format that failed is not used any more.
func (s *Sink) settle(e *event.Event, err error) error {
	if err != nil {
		return err
	}
	wrote, cause := s.w.take()
	s.count(e, wrote)
	switch wrote {
	case nothing:
		return nil
	case discarded:
		s.report(fmt.Sprintf("write to %s: %v: drops are counted as lost until it can be written", s.w.name, event.WithoutPath(cause)))
		return nil
	}
	if s.reported {
		s.reported = false
		s.w.notify(fmt.Sprintf("writing to %s again: %s lost", s.w.name, s.untold.Unwritten()))
	}
	return s.tell()
}

// count enters an event, unless it is nil, and what was pending before it.
func (s *Sink) count(e *event.Event, wrote outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e != nil {
		s.pending.Add(e)
	}
	switch wrote {
	case nothing:
		return
	case discarded:
		s.lost.AddDrops(&s.pending)
		s.untold.AddUnwritten(&s.pending)
	}
	s.pending = event.Ledger{}
}

// report says once that the file cannot be written.
func (s *Sink) report(text string) {
	if !s.reported {
		s.reported = true
		s.w.notify(text)
	}
}

// tell writes a Loss for each place where something was lost.
func (s *Sink) tell() error {
	if s.ended {
		return nil
	}
	untold := s.untold
	s.untold = event.Ledger{}
	for _, loss := range untold.Losses(s.at) {
		if err := s.settle(&loss, s.format.Write(&loss)); err != nil {
			return err
		}
	}
	return nil
}

// Lost returns the drops that are not in the file. It is for any goroutine.
func (s *Sink) Lost() event.Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.lost
	lost.AddDrops(&s.pending)
	return lost
}
