// Package sampled passes on the first drops of each kind and second, and once a
// second how many more there were of it, to a sink that is not to be flooded.
package sampled

import (
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// interval is how often the others are told.
const interval = time.Second

// maxKinds is of how many kinds drops are held back at a time; those of any more
// are all passed on.
const maxKinds = 4096

// A Sink is a pipeline.Sink in front of another, to which nobody else writes.
type Sink struct {
	to   pipeline.Sink
	most uint64

	mu    sync.Mutex
	kinds map[kind]*tally // since the others were told
	order []*tally        // those of kinds
	timer *time.Timer     // set while any are held back
	ended bool
	err   error // of the first write that failed
}

// New makes a Sink that passes on the first most drops of a kind.
func New(to pipeline.Sink, most int) *Sink {
	return &Sink{to: to, most: uint64(most), kinds: make(map[kind]*tally)}
}

// A kind is what drops are told apart by: where, why, which and whose, but not by
// their packets.
type kind struct {
	where           event.Where
	origin          event.Origin
	reason          string
	proto           uint16
	port            event.Port
	netns           event.Netns
	process         event.Process
	unit, container string
}

func kindOf(e *event.Event) kind {
	return kind{
		e.Where, e.Origin, e.Reason, e.Packet.Proto, e.Port, e.Netns,
		e.Owner.Process, e.Owner.Unit, e.Owner.Container.ID,
	}
}

// A tally is of one kind.
type tally struct {
	passed uint64
	others event.Event // a count of those that were held back
}

// Write passes an event on, or counts it.
func (s *Sink) Write(e *event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case e.Kind == event.End:
		s.ended = true
		s.tell()
	case e.Kind == event.Drop && e.Single && s.holds(e):
		return s.err
	}
	s.pass(e)
	return s.err
}

// holds tells whether a drop is one of the others, which are counted.
func (s *Sink) holds(e *event.Event) bool {
	k := kindOf(e)
	t := s.kinds[k]
	if t == nil {
		if len(s.kinds) >= maxKinds {
			return false
		}
		t = new(tally)
		s.kinds[k], s.order = t, append(s.order, t)
	}
	s.schedule()
	if t.passed < s.most {
		t.passed++
		return false
	}
	t.add(e)
	return true
}

// add counts a drop.
func (t *tally) add(e *event.Event) {
	if t.others.Count == 0 {
		t.others = event.Event{Origin: e.Origin, Where: e.Where, Reason: e.Reason, Port: e.Port, Netns: e.Netns, Owner: e.Owner}
		t.others.Packet.Proto, t.others.Packet.HasProto = e.Packet.Proto, e.Packet.HasProto
		t.others.Owner.Socket = nil // each may have another
	}
	t.others.Time, t.others.Stamped = e.Time, e.Stamped
	t.others.Count++
}

// schedule sets the timer for the end of a second that has drops.
func (s *Sink) schedule() {
	if s.timer != nil {
		return
	}
	s.timer = time.AfterFunc(interval, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.ended {
			s.tell()
			s.flush()
		}
	})
}

// tell passes on the counts, and begins another second.
func (s *Sink) tell() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	for _, t := range s.order {
		if t.others.Count > 0 {
			s.pass(&t.others)
		}
	}
	clear(s.kinds)
	clear(s.order)
	s.order = s.order[:0]
}

func (s *Sink) pass(e *event.Event) {
	if s.err == nil {
		s.err = s.to.Write(e)
	}
}

// Flush flushes what was passed on.
func (s *Sink) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	return s.err
}

func (s *Sink) flush() {
	if s.err == nil {
		s.err = s.to.Flush()
	}
}
