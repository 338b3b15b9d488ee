// Package pipeline connects sources, stages and sinks, and keeps the ledger of a run. A sink
// that blocks makes the source wait, unless a [Queue] is in front of it. Meanwhile drops wait
// in the kernel's buffer for the source; the kernel counts those that it has no room for.
package pipeline

import (
	"context"
	"errors"
	"time"

	"dropwatch/internal/event"
)

// A Source reports events.
type Source interface {
	// Run emits events until ctx ends, which is no error. Before it returns it switches
	// off what it has switched on in the kernel. It may be called once.
	Run(ctx context.Context, out Output) error
}

// An Output is where a source emits events. It takes them all: when it cannot write them any
// more, it enters them in the ledger and ends the source's context.
type Output interface {
	// Emit does not keep the event: the source may reuse its memory.
	Emit(*event.Event)
	// Flush is called when the source has no more events for the moment.
	Flush()
}

// Lose emits the loss of n drops or, at a place that is not [event.Place.Counted], of an unknown number of drops
// n times; of none, nothing.
func Lose(out Output, at event.Place, n uint64) {
	if n > 0 {
		out.Emit(&event.Event{Kind: event.Loss, Time: time.Now(), Count: n, Place: at})
	}
}

// A Stage adds to a drop what it knows, or rejects it by returning false. If it returns false
// because what it needs is not known, it sets Undecided.
type Stage func(*event.Event) bool

// A Sink writes events. After an error it is not used any more.
type Sink interface {
	// Write may buffer, but does not keep the event. The last event of a run is an
	// event.End.
	Write(*event.Event) error
	// Flush writes what is buffered.
	Flush() error
}

// A Lossy is a sink that accounts for what it was given: it may give up some of it and go on.
type Lossy interface {
	Sink
	// Lost returns the drops for which Write has returned no error and that are not written, yet
	// or for good, as shown or harmless. It may be called by any goroutine.
	Lost() event.Ledger
}

// AsLossy returns the Lossy that a sink is, or is a shell of, if any: a shell has a method Unwrap.
func AsLossy(s Sink) (Lossy, bool) {
	for {
		switch x := s.(type) {
		case Lossy:
			return x, true
		case interface{ Unwrap() Sink }:
			s = x.Unwrap()
		default:
			return nil, false
		}
	}
}

// A Tee is one output that several sinks make together: it ends when one fails.
type Tee []Sink

// Write writes the event to each.
func (t Tee) Write(e *event.Event) error {
	for _, s := range t {
		if err := s.Write(e); err != nil {
			return err
		}
	}
	return nil
}

// Flush flushes each.
func (t Tee) Flush() error {
	for _, s := range t {
		if err := s.Flush(); err != nil {
			return err
		}
	}
	return nil
}

// A Pipeline is one run from a source to a sink.
type Pipeline struct {
	Source Source  // is run once
	Stages []Stage // in this order
	Sink   Sink    // gets what passes the stages

	// Limit is how many drops are written before the run ends, 0 for no limit. An event
	// that counts several drops is written whole.
	Limit uint64

	// Now returns the time of the End; nil means time.Now.
	Now func() time.Time

	// Progress, unless it is nil, shows the state of the run to other goroutines.
	Progress *Progress

	stop    context.CancelFunc // ends the source
	ledger  event.Ledger       // of all events of the run
	written uint64             // drops that the sink has written
	err     error              // of the sink, which is not used after it
}

// Run runs the pipeline once: until ctx ends, the source ends, the sink fails, or the
// limit is reached, which is no error. It returns the errors of source and sink, joined; the
// ledger is right also after an error.
func (p *Pipeline) Run(ctx context.Context) (event.Ledger, error) {
	ctx, p.stop = context.WithCancel(ctx)
	defer p.stop()
	err := p.Source.Run(ctx, (*output)(p))
	if p.err == nil {
		p.err = errors.Join(p.Sink.Write(p.end()), p.Sink.Flush())
	}
	return p.ledger, errors.Join(err, p.err)
}

// LimitReached reports whether as many drops were written as Limit allows.
func (p *Pipeline) LimitReached() bool { return p.Limit > 0 && p.written >= p.Limit }

// end returns the last event of the run.
func (p *Pipeline) end() *event.Event {
	now := p.Now
	if now == nil {
		now = time.Now
	}
	return &event.Event{Kind: event.End, Time: now(), Ledger: &p.ledger}
}

// output is the Output of a Pipeline.
// Drops that the source still emits then are ignored if the limit was reached, and are a loss
// if the sink failed.
type output Pipeline

// Emit enters an event in the ledger and writes it.
func (p *output) Emit(e *event.Event) {
	p.Progress.begin()
	defer p.Progress.end(&p.ledger)
	switch e.Kind {
	case event.Drop, event.Retransmit, event.Reset, event.TCPEvent, event.Point:
		p.show(e)
	case event.Finding:
		p.tell(e)
	case event.Rejected, event.Loss:
		if !p.full() {
			p.ledger.Add(e)
			p.write(e)
		}
	case event.End: // a source emits none: Run makes it
	}
}

// show writes an event if it passes the stages.
func (p *output) show(e *event.Event) {
	if p.full() {
		return
	}
	if p.err != nil {
		p.lose(e)
		return
	}
	if !p.pass(e) || !p.write(e) {
		return
	}
	p.ledger.Add(e)
	p.written += e.Count
	if p.full() {
		p.stop()
	}
}

// tell writes a finding. No stage sees it, as a filter is for what it is about, and no limit counts it.
func (p *output) tell(e *event.Event) {
	switch {
	case p.full():
	case p.write(e):
		p.ledger.Add(e)
	default:
		p.lose(e)
	}
}

// lose enters in the ledger an event that the sink cannot take.
func (p *output) lose(e *event.Event) {
	p.ledger.Add(&event.Event{
		Kind: event.Loss, Place: event.Unread, Count: e.Count,
		Segments: e.Segments, Segment: e.Segment, Point: e.Point, Incident: e.Incident,
	})
}

// pass runs the stages. It enters in the ledger what they reject or mark as a fragment.
func (p *output) pass(e *event.Event) bool {
	for i := 0; i < len(p.Stages) && !e.Fragment; i++ {
		if !p.Stages[i](e) {
			p.ledger.Reject(e)
			return false
		}
	}
	if e.Fragment {
		p.ledger.Add(e)
	}
	return !e.Fragment
}

// write reports whether the sink works and wrote the event.
func (p *output) write(e *event.Event) bool {
	if p.err == nil {
		p.check(p.Sink.Write(e))
	}
	return p.err == nil
}

// check ends the source if the sink failed.
func (p *output) check(err error) {
	if err != nil {
		p.err = err
		p.stop()
	}
}

// full reports whether the limit is reached.
func (p *output) full() bool { return (*Pipeline)(p).LimitReached() }

// Flush flushes the sink.
func (p *output) Flush() {
	if p.err == nil {
		p.check(p.Sink.Flush())
	}
}
