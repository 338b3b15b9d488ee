// Package follow writes what became of the packets of some flows: each second by interface, and at the end of a run
// the sum and whether this host lost any.
package follow

import (
	"io"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/flows"
	"dropwatch/internal/interval"
	"dropwatch/internal/records"
)

// A Counter counts the packets where they pass.
type Counter interface {
	Read() (flows.Reading, error)
	Blind() string         // why it is not known how many were delivered; empty: it is
	Covers(time.Time) bool // it counted then
}

// A Format is how the numbers are written. Each method appends to b.
type Format interface {
	// Second is called at the end of a second in which something was counted, with the growth.
	Second(b []byte, at time.Time, rows []flows.Row, causes []flows.CauseCount) []byte
	// End is called once, with the sums.
	End(b []byte, at time.Time, rows []flows.Row, accounts []flows.Account) []byte
}

// A Sink reads a Counter each second, and adds up the drops that it is handed, without those before and after
// the time when packets were counted; a count of several drops may have some of them. A goroutine of its own writes each
// second, so Writes of the Writer may come from another goroutine.
type Sink struct {
	w       io.Writer
	counter Counter
	format  Format

	mu        sync.Mutex
	table     *flows.Table // what was counted until now
	intervals *interval.Divider
	buf       []byte
	err       error // the first error of the counter or of a write, which all later calls return
}

// New returns a Sink that writes to w. The counter counts until the source has ended, and is read at the End for the
// last time.
func New(w io.Writer, c Counter, f Format) *Sink {
	s := &Sink{w: w, counter: c, format: f, table: flows.New()}
	s.intervals = interval.New(time.Second, time.Time{}, &s.mu, s.second)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intervals.Event(time.Now())
	return s
}

// Write adds a drop; an End makes the sums. The error is that of any call before.
func (s *Sink) Write(e *event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case event.Drop:
		if !e.Individual || s.counter.Covers(e.Time) {
			s.table.Drop(e)
		}
	case event.End:
		s.intervals.Stop()
		s.end(e)
	case event.Retransmit, event.Reset, event.TCPEvent, event.Point, event.Finding:
	case event.Rejected, event.Loss: // the ledger has them
	}
	return s.err
}

// second writes what was counted in a second, at its end, and has the next one end, too.
func (s *Sink) second(at time.Time, _ bool) {
	if s.read(); s.err != nil {
		return
	}
	if rows := s.table.Growth(); len(rows) > 0 {
		s.buf = s.format.Second(s.buf, at, rows, s.table.CauseGrowth())
	}
	s.flush()
	s.intervals.Event(at)
}

// end appends the sums.
func (s *Sink) end(e *event.Event) {
	if s.read(); s.err != nil {
		return
	}
	s.buf = s.format.End(s.buf, e.Time, s.table.Rows(), s.table.Accounts(s.counter.Blind() != "", e.Ledger))
}

// read reads the counter.
func (s *Sink) read() {
	if s.err != nil {
		return
	}
	r, err := s.counter.Read()
	if s.err = err; err == nil {
		s.table.Read(r)
	}
}

// Flush writes what is there.
func (s *Sink) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	return s.err
}

// flush writes what is there, unless something has failed. The caller holds mu.
func (s *Sink) flush() {
	s.buf, s.err = records.WriteText(s.w, s.buf, s.err, "the packets")
}
