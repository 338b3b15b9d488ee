// Package sampled protects a sink from floods: it passes on the first drops and point events
// of each kind and second individually, and once a second how many more there were. The counts
// are exact: nothing is lost.
package sampled

import (
	"net/netip"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/tally"
)

// interval is how often counts are passed on.
const interval = time.Second

// maxKinds bounds the memory: so many kinds are counted at a time. Drops of other
// kinds are all passed on individually, so that their counts are right.
const maxKinds = 4096

// A Sink is a pipeline.Sink in front of another, to which it must be the only
// writer. A timer writes, too, so a mutex guards everything.
type Sink struct {
	to     pipeline.Sink
	limit  uint64
	byFlow bool // kinds also differ in the ends of the flow

	mu    sync.Mutex
	kinds *tally.Tally[kind, event.Event] // of this second, each with the count of drops held back
	timer *time.Timer                     // runs while there are kinds
	ended bool                            // an End was written, so the timer writes nothing more
	err   error                           // the first error of a write, which all later calls return
}

// New returns a Sink that passes on the first limit drops of each kind and second.
func New(to pipeline.Sink, limit int) *Sink {
	return &Sink{to: to, limit: uint64(limit), kinds: tally.New[kind, event.Event](maxKinds, nil)}
}

// foldLimit is how many lines that look alike a person wants to see.
const foldLimit = 5

// Fold returns a Sink for a terminal: it passes on the first five drops of each
// kind, flow and second.
func Fold(to pipeline.Sink) *Sink {
	s := New(to, foldLimit)
	s.byFlow = true
	return s
}

// A kind is what drops that are counted together have in common: everything but
// their packets. It is comparable.
type kind struct {
	point           string // of a point event; empty of a drop
	where           event.Where
	harmless        string
	segments        bool // the number of segments is known
	origin          event.Origin
	reason          string
	proto           uint16
	port            event.Port
	netns           event.Netns
	process         event.Process
	unit, container string
	ends            ends
}

// ends are those of a flow. The source port is left out, as a client uses another
// one for each attempt.
type ends struct {
	src, dst  netip.Addr
	dstPort   uint16
	transport event.Layer
}

// kindOf returns the kind of a drop.
func (s *Sink) kindOf(e *event.Event) kind {
	k := kind{
		e.Point, e.Where, e.Harmless, e.Segments != 0, e.Origin, e.Reason, e.Packet.Proto, e.Port, e.Netns,
		e.Owner.Process, e.Owner.Unit, e.Owner.Container.ID, ends{},
	}
	if f := e.Packet.Flow; s.byFlow && f != nil {
		k.ends = ends{f.Src, f.Dst, f.DstPort, f.Transport}
	}
	return k
}

// flow returns what the packets of a kind have in common; nil if that is nothing.
func (k *kind) flow(f *event.Flow) *event.Flow {
	if k.ends == (ends{}) {
		return nil
	}
	h := event.Headers{
		Network: f.Network, Transport: f.Transport, EtherType: f.EtherType, Protocol: f.Protocol,
		Src: f.Src, Dst: f.Dst, DstPort: f.DstPort,
	}
	const common = event.FieldEtherType | event.FieldSrc | event.FieldDst | event.FieldDstPort | event.FieldProtocol
	h.Fields = f.Fields & common
	return &event.Flow{Headers: h}
}

// Write passes an event on, or counts it. It does not keep the event. The error may
// be that of an earlier write by the timer.
func (s *Sink) Write(e *event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e.Kind {
	case event.Drop, event.Point:
		if e.Individual && s.holds(e) {
			return s.err
		}
	case event.End:
		s.ended = true
		s.report()
	case event.Retransmit, event.Reset, event.TCPEvent, event.Finding, event.Rejected, event.Loss:
	}
	s.pass(e)
	return s.err
}

// holds counts a drop, and reports whether to hold it back.
func (s *Sink) holds(e *event.Event) bool {
	k, _ := s.kinds.Add(s.kindOf(e), 1)
	if k == nil {
		return false
	}
	s.schedule()
	if k.Count <= s.limit {
		return false
	}
	k.Key.addTo(&k.Value, e)
	return true
}

// addTo adds a drop to the event that stands for those held back. The owner's
// socket and the values of a point are left out, as each may have others.
func (k *kind) addTo(others, e *event.Event) {
	if others.Count == 0 {
		*others = event.Event{
			Kind: e.Kind, Point: e.Point, Aggregate: true, Harmless: e.Harmless, Origin: e.Origin, Where: e.Where, Reason: e.Reason,
			Port: e.Port, Netns: e.Netns, Owner: e.Owner,
		}
		others.Packet.Proto, others.Packet.HasProto = e.Packet.Proto, e.Packet.HasProto
		others.Packet.Flow = k.flow(e.Packet.Flow)
		others.Owner.Socket = nil
	}
	others.Time, others.KernelTime = e.Time, e.KernelTime
	others.Count++
	others.Segments += e.Segments
}

// schedule starts the timer for the first drop of a second. Without drops no timer
// runs.
func (s *Sink) schedule() {
	if s.timer != nil {
		return
	}
	s.timer = time.AfterFunc(interval, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.ended {
			s.report()
			s.flush()
		}
	})
}

// report passes the counts on, and begins another second.
func (s *Sink) report() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
	for k := range s.kinds.All {
		if k.Value.Count > 0 {
			s.pass(&k.Value)
		}
	}
	s.kinds.Reset()
}

// pass writes to the sink behind, unless a write has failed.
func (s *Sink) pass(e *event.Event) {
	if s.err == nil {
		s.err = s.to.Write(e)
	}
}

// Flush flushes the sink behind. Drops that are held back stay so until the second
// is over.
func (s *Sink) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	return s.err
}

// flush flushes the sink behind, unless it has failed. The caller holds mu.
func (s *Sink) flush() {
	if s.err == nil {
		s.err = s.to.Flush()
	}
}
