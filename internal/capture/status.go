package capture

import (
	"fmt"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A status is a sink in front of the others. Once a second it shows on the terminal
// how a run that writes to files is doing, on one line that is overwritten. The
// pipeline calls Write and a timer calls show; mu is for what both use.
type status struct {
	pipeline.Sink
	notices *Notices                   // which keeps the line below all others
	text    func(*event.Ledger) string // what the line says

	mu     sync.Mutex
	ledger event.Ledger // of the run so far
	tick   *time.Timer  // calls show
	ended  bool         // the line is gone
}

// newStatus returns a status in front of a sink. Text returns the line. The caller must
// call end.
func newStatus(to pipeline.Sink, notices *Notices, text func(*event.Ledger) string) *status {
	s := &status{Sink: to, notices: notices, text: text}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick = time.AfterFunc(time.Second, s.show)
	return s
}

// Write counts an event and passes it on. The line is removed before the End, so
// that what is printed then does not follow it on the same line.
func (s *status) Write(e *event.Event) error {
	if e.Kind == event.End {
		s.end()
	} else {
		s.mu.Lock()
		s.ledger.Add(e)
		s.mu.Unlock()
	}
	return s.Sink.Write(e)
}

// end removes the line. It can be called more than once, and for a nil status.
func (s *status) end() {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended = true
	s.tick.Stop()
	s.notices.setStatus("")
}

// show is what the timer calls.
func (s *status) show() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.ended {
		s.notices.setStatus(s.text(&s.ledger))
		s.tick.Reset(time.Second)
	}
}

// byteCount formats a number of bytes with decimal units, as ls --si does.
func byteCount(n int64) string {
	const k = 1000
	size, unit := float64(n), ""
	for _, unit = range []string{"B", "kB", "MB", "GB", "TB"} {
		if size < k {
			break
		}
		size /= k
	}
	if n < k {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}
