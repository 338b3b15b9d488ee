// Package table counts drops by place and reason, and shows the counts when the
// run is over, with the ledger, and on request at intervals.
package table

import (
	"fmt"
	"io"
	"sync"
	"time"

	"dropwatch/internal/event"
)

// Options say which tables there are, and how they look.
type Options struct {
	// Every is the interval of tables before the last one; with 0 there are
	// none.
	Every time.Duration

	// Begin is when a run began that was recorded: intervals are then by the
	// time of its events. Zero: it begins now, and they are by the clock.
	Begin time.Time

	Rows  int  // most places of a table; 0: all
	Width int  // columns of the terminal, where places are cut; 0: never
	Color bool // with the colours of an ANSI terminal
}

// A Sink counts events, and writes to a Writer at Flush. The tables at
// intervals it writes from a goroutine of their own, when they are due.
type Sink struct {
	w    io.Writer
	opts Options

	bold, red, plain string // what switches them on and off

	mu    sync.Mutex
	tally Tally
	lost  event.Ledger // since the last table
	begin time.Time
	until time.Time // end of the interval that a recorded run is in
	timer *time.Timer
	due   bool // the timer is set
	ended bool
	buf   []byte
	err   error // of the first write that failed
}

// New makes a Sink that writes to w.
func New(w io.Writer, o Options) *Sink {
	s := &Sink{w: w, opts: o, begin: o.Begin, until: o.Begin.Add(o.Every)}
	if o.Begin.IsZero() {
		s.begin = time.Now()
	}
	if o.Color {
		s.bold, s.red, s.plain = "\x1b[1m", "\x1b[31m", "\x1b[0m"
	}
	return s
}

// Write counts a drop or a loss, or makes the last table. It fails if a table
// at an interval could not be written.
func (s *Sink) Write(e *event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.recorded() {
		s.advance(e.Time)
	}
	switch e.Kind {
	case event.Drop:
		s.tally.Add(e)
	case event.Loss:
		s.lost.Add(e)
	case event.End:
		s.end(e)
	}
	if s.opts.Every > 0 && !s.recorded() && !s.due && !s.ended {
		s.schedule()
	}
	return s.err
}

func (s *Sink) recorded() bool { return !s.opts.Begin.IsZero() }

// Flush writes the last table.
func (s *Sink) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	return s.err
}

// flush writes what is there, unless a write has failed.
func (s *Sink) flush() {
	if len(s.buf) > 0 && s.err == nil {
		if _, err := s.w.Write(s.buf); err != nil {
			s.err = fmt.Errorf("write drops: %w", err)
		}
	}
	s.buf = s.buf[:0]
}
