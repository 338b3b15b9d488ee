package capture

import (
	"context"
	"slices"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/member"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/point"
	"dropwatch/internal/source/correlate"
	"dropwatch/internal/source/probe"
)

// An asked is a source of the points that are asked for while it runs. Their functions may be called for each packet:
// only BPF tests the conditions, and the points that were received together are removed when they have reported enough.
type asked struct {
	*Runner
	points <-chan []point.Point
	types  *member.Types // nil: nothing was asked for yet
	noted  bool          // that some are not possible

	mu      sync.Mutex
	reading []correlate.Reading // what reports points now
}

// ReadUntil and Wake implement [correlate.Reading] for all that report points now.
func (a *asked) ReadUntil() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	read := time.Now()
	for _, s := range a.reading {
		if until := s.ReadUntil(); until.Before(read) {
			read = until
		}
	}
	return read
}

// Wake implements [correlate.Reading].
func (a *asked) Wake() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, s := range a.reading {
		s.Wake()
	}
}

const (
	// enoughEvents is how many events of points that were asked for together are reported.
	enoughEvents = 1000

	// askedRing is the size of the ring of each CPU for these, in bytes.
	askedRing = 64 << 10
)

// Run reports the points until ctx ends. It returns when all of them are removed, and never an error.
func (a *asked) Run(ctx context.Context, out pipeline.Output) error {
	var running sync.WaitGroup
	defer running.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case points := <-a.points:
			if t := a.open(points); t != nil {
				running.Go(func() { a.report(ctx, t, out) })
			}
		}
	}
}

// open opens the source of those points whose function the kernel has. If it cannot do one, the first such is noted. It
// returns nil if it can do none.
func (a *asked) open(points []point.Point) Tracer {
	symbols := a.Symbols.live()
	possible := having(symbols, points)
	if len(possible) == 0 {
		return nil
	}
	if a.types == nil {
		a.types = member.Running()
	}
	var lacking []error
	t, err := a.OpenProbe(probe.Options{
		Points: possible, Types: a.types, Symbols: symbols, Tester: probe.BPF, RingSize: askedRing,
		Lacking: func(_ *point.Point, err error) { lacking = append(lacking, err) },
	})
	if err != nil {
		lacking = append(lacking, err)
	}
	if len(lacking) > 0 && !a.noted {
		a.Notices.Note("findings may have less detail: %v", lacking[0])
		a.noted = true
	}
	return t
}

// report reports points until ctx ends, or they were reached often enough.
func (a *asked) report(ctx context.Context, t Tracer, out pipeline.Output) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	if s, ok := t.(correlate.Reading); ok {
		a.add(s)
		defer a.remove(s)
	}
	_ = (&optional{t, a.Notices}).Run(ctx, &limited{out, enoughEvents, stop}) // it notes its error, and returns none
}

// add and remove enter what begins to report points, and what ends.
func (a *asked) add(s correlate.Reading) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reading = append(a.reading, s)
}

// remove forgets a source that has ended. It is for any goroutine.
func (a *asked) remove(s correlate.Reading) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reading = slices.DeleteFunc(a.reading, func(r correlate.Reading) bool { return r == s })
}

// A limited is an Output that passes some events of points on, then ends their source, and passes nothing of it any more.
type limited struct {
	pipeline.Output
	left uint64 // events that are still passed on
	end  func() // ends the source
}

// Emit implements [pipeline.Output].
func (l *limited) Emit(e *event.Event) {
	if l.left == 0 {
		return
	}
	if e.Kind == event.Point {
		l.left--
	}
	if l.left == 0 {
		l.end()
	}
	l.Output.Emit(e)
}
