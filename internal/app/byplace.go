package app

import (
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// byPlace makes summaries, by place, of drops that come one by one, for a
// session in summary mode whose source has none.
type byPlace struct {
	pipeline.Sink
	counts []event.Event
	index  map[uint64]int // of a place in counts
	more   bool           // drops have come since the last Flush
	handed time.Time      // when counts were handed on
}

// Write counts a drop. All else is handed on.
func (s *byPlace) Write(e *event.Event) error {
	if e.Kind != event.Drop {
		s.more = s.more && e.Kind != event.End
		return s.Sink.Write(e)
	}
	i, known := s.index[e.Where.PC]
	if !known {
		if s.index == nil {
			s.index = make(map[uint64]int)
		}
		i = len(s.counts)
		s.index[e.Where.PC] = i
		s.counts = append(s.counts, event.Event{Time: e.Time, Origin: e.Origin, Where: e.Where})
	}
	s.counts[i].Count += e.Count
	s.more = true
	return nil
}

// Flush hands the counts on, once a second while drops come, as NET_DM does.
func (s *byPlace) Flush() error {
	if s.more && time.Since(s.handed) < time.Second {
		s.more = false
		return nil
	}
	s.more, s.handed = false, time.Now()
	for i := range s.counts {
		if err := s.Sink.Write(&s.counts[i]); err != nil {
			return err
		}
	}
	s.counts = s.counts[:0]
	clear(s.index)
	return s.Sink.Flush()
}
