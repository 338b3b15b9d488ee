// Package pipeline joins one source, the stages and one sink, and keeps the
// ledger of what passed. There is no queue of its own in it: an event is
// written before the next is made, and what has to wait waits in the source's
// kernel buffer, whose losses the kernel counts.
package pipeline

import (
	"context"
	"errors"
	"fmt"
	"time"

	"dropwatch/internal/event"
)

// A Source makes events until ctx ends, which is no error, or out fails, whose
// error it returns. It switches off what it had switched on before it returns.
type Source interface {
	Run(ctx context.Context, out Output) error
}

// An Output takes events. Emit does not keep the event. Flush is called when
// the source has nothing more to say for the moment.
type Output interface {
	Emit(*event.Event) error
	Flush() error
}

// A Stage enriches a drop, or rejects it by returning false.
type Stage func(*event.Event) bool

// A Sink writes events, of which it keeps none. What it holds back it writes at
// Flush. The last event of a run is an event.End.
type Sink interface {
	Write(*event.Event) error
	Flush() error
}

// Tee is a Sink that writes to each of several, until one fails.
type Tee []Sink

// Write gives the event to each.
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

// ErrLimit: as many drop events were written as the limit allows.
var ErrLimit = errors.New("limit reached")

// Also adds a second error to a first, for one line, unless it says the same, as
// those of a file do that is written to again. Either may be nil. ErrLimit, which is
// no failure, gives way to one.
func Also(err, second error) error {
	switch {
	case second == nil, err != nil && (errors.Is(second, ErrLimit) || errors.Is(err, second) || err.Error() == second.Error()):
		return err
	case err == nil || errors.Is(err, ErrLimit):
		return second
	}
	return fmt.Errorf("%w; and %w", err, second)
}

// A Pipeline is one run from a source to a sink.
type Pipeline struct {
	Source Source
	Stages []Stage
	Sink   Sink
	Limit  uint64 // drop events to write before ErrLimit; 0: no limit

	// Now gives the time of the end; nil stands for time.Now.
	Now func() time.Time

	ledger  event.Ledger
	written uint64 // drop events
	broken  bool   // the sink takes no more
}

// Run runs the pipeline once, until ctx ends, the source ends, a write fails,
// or the limit is reached (ErrLimit). The ledger holds also after an error.
func (p *Pipeline) Run(ctx context.Context) (event.Ledger, error) {
	err := p.Source.Run(ctx, (*output)(p))
	if !p.broken {
		err = Also(err, p.Sink.Write(p.end()))
	}
	err = Also(err, p.Sink.Flush())
	return p.ledger, err
}

// end is the last event.
func (p *Pipeline) end() *event.Event {
	now := p.Now
	if now == nil {
		now = time.Now
	}
	return &event.Event{Kind: event.End, Time: now(), Ledger: &p.ledger}
}

// output is the Output side of a Pipeline.
type output Pipeline

func (p *output) Emit(e *event.Event) error {
	if e.Kind == event.Loss {
		return p.lose(e)
	}
	if p.full() {
		return ErrLimit
	}
	if !p.pass(e) {
		return nil
	}
	if err := p.write(e); err != nil {
		return err
	}
	p.ledger.Add(e)
	p.written++
	if p.full() {
		return ErrLimit
	}
	return nil
}

// pass runs the stages, and enters what they reject or find to be a part of
// another drop.
func (p *output) pass(e *event.Event) bool {
	for i := 0; i < len(p.Stages) && !e.Part; i++ {
		if !p.Stages[i](e) {
			p.ledger.Rejected += e.Count
			return false
		}
	}
	if e.Part {
		p.ledger.Add(e)
	}
	return !e.Part
}

// lose enters a loss, whether or not it can be written.
func (p *output) lose(e *event.Event) error {
	p.ledger.Add(e)
	return p.write(e)
}

func (p *output) write(e *event.Event) error {
	err := p.Sink.Write(e)
	p.broken = p.broken || err != nil
	return err
}

func (p *output) full() bool { return p.Limit > 0 && p.written >= p.Limit }

func (p *output) Flush() error {
	err := p.Sink.Flush()
	p.broken = p.broken || err != nil
	return err
}
