package capture

import (
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/tally"
)

// maxSummary is the number of distinct addresses in one summary. Linux has a few
// thousand places that free a packet as dropped, so this is a bound on memory and
// not a limit that is met.
const maxSummary = 1 << 14

// byAddress turns individual drops into one event per address and second. A session
// in summary mode needs it while its source has no summaries of its own (bpf,
// trace): the output is then that of the C program.
type byAddress struct {
	pipeline.Sink
	done   func() bool                       // the source in use gives summaries already
	counts *tally.Tally[uint64, event.Event] // by PC
	more   bool                              // drops have come since the last Flush
	passed time.Time                         // when counts were passed on
}

// newByAddress returns a byAddress in front of a sink. Done reports whether the source
// in use gives summaries, which are passed on unchanged. Like all sinks it is for one
// goroutine.
func newByAddress(to pipeline.Sink, done func() bool) *byAddress {
	return &byAddress{Sink: to, done: done, counts: tally.New[uint64, event.Event](maxSummary, nil)}
}

// Write counts a drop. Other events, and all events of a source that gives
// summaries, are passed on at once. So is a drop for which the summary has no room,
// as losing its count would break the ledger.
func (s *byAddress) Write(e *event.Event) error {
	if e.Kind != event.Drop || s.done() {
		s.more = s.more && e.Kind != event.End
		return s.Sink.Write(e)
	}
	c, isNew := s.counts.Add(e.Where.PC, e.Count)
	if c == nil {
		return s.Sink.Write(e)
	}
	if isNew {
		c.Value = event.Event{Time: e.Time, Origin: e.Origin, Where: e.Where}
	}
	s.more = true
	return nil
}

// Flush passes the counts on. While drops keep coming it does so once a second, as
// the drop monitor does (dm_delay in net/core/drop_monitor.c); when they stop, at
// once.
func (s *byAddress) Flush() error {
	if s.more && time.Since(s.passed) < time.Second {
		s.more = false
		return nil
	}
	s.more, s.passed = false, time.Now()
	for c := range s.counts.All {
		c.Value.Count = c.Count
		if err := s.Sink.Write(&c.Value); err != nil {
			return err
		}
	}
	s.counts.Reset()
	return s.Sink.Flush()
}
