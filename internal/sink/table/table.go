// Package table counts drops by location and reason, and events at points by point. It writes a table when the run
// is over, with the causes and the ledger, and on request at intervals.
package table

import (
	"io"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/interval"
	"dropwatch/internal/point"
	"dropwatch/internal/records"
)

// Options say which tables there are, and how they look.
type Options struct {
	// Every is the interval of tables during the run; 0 writes only the one at its end.
	Every time.Duration

	// Begin is when a recorded run began: intervals are then measured by the time of
	// its events. The zero value is for live drops: intervals are by the clock.
	Begin time.Time

	Rows int // the most rows of a table; 0: all

	// Width returns the columns of the terminal, to which lines are cut; 0: nothing is cut. Nil
	// is 0. It is called for each table, as terminals are resized.
	Width func() int

	Color bool // use the colours of an ANSI terminal

	// Harmless lists the drops that lost nothing, instead of one line with their
	// number and the reasons.
	Harmless bool

	// Point returns the point of a name, for what it says of its events; nil: values are shown instead.
	Point func(name string) (point.Point, bool)

	OnlyPoints bool // the run reports points and no drops
}

// A Sink counts events, and writes to a Writer at Flush. A goroutine of its own
// writes the tables at intervals, so Writes of the Writer may come from another
// goroutine. It keeps no event.
type Sink struct {
	w    io.Writer
	opts Options

	bold, red, plain string // ANSI sequences; empty without colours

	mu        sync.Mutex
	tally     Tally
	points    pointTally
	lost      event.Ledger // losses since the last table
	intervals *interval.Divider
	buf       []byte
	err       error // the first error of a write, which all later calls return
}

// New returns a Sink that writes to w.
func New(w io.Writer, o Options) *Sink {
	s := &Sink{w: w, opts: o}
	s.intervals = interval.New(o.Every, o.Begin, &s.mu, s.endInterval)
	if o.Color {
		s.bold, s.red, s.plain = "\x1b[1m", "\x1b[31m", "\x1b[0m"
	}
	return s
}

// Write counts a drop or a loss; an End makes the last table. The error is that of
// any write before, also by the goroutine.
func (s *Sink) Write(e *event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intervals.Event(e.Time)
	switch e.Kind {
	case event.Drop:
		s.tally.Add(e)
	case event.Loss:
		s.lost.Add(e)
	case event.End:
		s.end(e)
	case event.Point:
		s.points.add(e)
	case event.Retransmit, event.Reset, event.TCPEvent, event.Finding, event.Rejected: // the ledger at the end has them
	}
	return s.err
}

// Flush writes the tables that are complete.
func (s *Sink) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	return s.err
}

// flush writes what is there, unless a write has failed. The caller holds mu.
func (s *Sink) flush() {
	s.buf, s.err = records.WriteText(s.w, s.buf, s.err, "drops")
}
