package app

import (
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// byPlace makes summaries, by place, of drops that come one by one, for a
// session in summary mode whose source has none.
type byPlace struct {
	pipeline.Sink
	counts []event.Event
	index  map[uint64]int // of a place in counts
}

// Write counts a drop. All else is handed on.
func (s *byPlace) Write(e *event.Event) error {
	if e.Kind != event.Drop {
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
	return nil
}

// Flush hands the counts on.
func (s *byPlace) Flush() error {
	for i := range s.counts {
		if err := s.Sink.Write(&s.counts[i]); err != nil {
			return err
		}
	}
	s.counts = s.counts[:0]
	clear(s.index)
	return s.Sink.Flush()
}
