package capture

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/point"
	"dropwatch/internal/source/probe"
)

// aPoint is a point at a function that the kernel of namesRunner has.
func aPoint(name string) []point.Point {
	return []point.Point{{Name: name, Form: point.Form{Functions: []string{"udp_rcv"}}}}
}

// A busy source reaches a point until it is ended.
type busy struct{ closed atomic.Int32 }

func (b *busy) Run(ctx context.Context, out pipeline.Output) error {
	for ctx.Err() == nil {
		out.Emit(&event.Event{Kind: event.Point, Count: 1})
	}
	out.Emit(&event.Event{Kind: event.Loss, Count: 1, Place: event.InRing}) // as when it reads what is left
	return b.Close()
}

func (b *busy) Close() error {
	b.closed.Add(1)
	return nil
}

// Began is not asked.
func (b *busy) Began() (from, until time.Time) { return from, until }

// A counted is an Output that counts events of a kind.
type counted [event.End + 1]atomic.Int64

func (c *counted) Emit(e *event.Event) { c[e.Kind].Add(1) }

func (c *counted) Flush() {}

// runAsked runs a source of points that are asked for, which the runner opens, until the function is called that it returns.
func runAsked(t *testing.T, r *Runner, points ...[]point.Point) (out *counted, end func()) {
	t.Helper()
	ch := make(chan []point.Point)
	ctx, stop := context.WithCancel(t.Context())
	out = new(counted)
	ended := make(chan error)
	go func() { ended <- (&asked{Runner: r, points: ch}).Run(ctx, out) }()
	for _, p := range points {
		ch <- p
	}
	return out, func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestAskedPoints: points that are asked for are reported by BPF alone until the end, and those that the kernel lacks are not
// opened.
func TestAskedPoints(t *testing.T) {
	r, notes := namesRunner(t)
	opened := make(chan probe.Options, 1)
	emitted := make(chan struct{})
	r.OpenProbe = func(o probe.Options) (Tracer, error) {
		opened <- o
		close(emitted)
		return &scripted{kind: event.Point}, nil
	}
	nowhere := []point.Point{{Name: "b", Form: point.Form{Functions: []string{"nowhere"}}}}
	out, end := runAsked(t, r, nowhere, aPoint("a"))
	<-emitted
	end()
	if o := <-opened; len(o.Points) != 1 || o.Points[0].Name != "a" || o.Tester != probe.BPF {
		t.Errorf("%+v", o)
	}
	if n := out[event.Point].Load(); n != 1 || notes.Len() > 0 {
		t.Errorf("%d events, %q", n, notes)
	}
}

// TestAskedPointsNotPossible: a line says why the first cannot be reported, once.
func TestAskedPointsNotPossible(t *testing.T) {
	r, notes := namesRunner(t)
	asked := make(chan struct{}, 2)
	r.OpenProbe = func(o probe.Options) (Tracer, error) {
		defer func() { asked <- struct{}{} }()
		return nil, errors.New("no BPF")
	}
	_, end := runAsked(t, r, aPoint("a"), aPoint("b"))
	<-asked
	<-asked
	end()
	if got := notes.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "findings may have less detail: no BPF") {
		t.Errorf("%q", got)
	}
}

// TestAskedPointsEnough: points that are reached for each packet are removed when they were reported often enough, while
// drops go on.
func TestAskedPointsEnough(t *testing.T) {
	r, _ := namesRunner(t)
	source := new(busy)
	r.OpenProbe = func(probe.Options) (Tracer, error) { return source, nil }
	out, end := runAsked(t, r, aPoint("a"))
	for source.closed.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	end()
	if n, lost := out[event.Point].Load(), out[event.Loss].Load(); n != enoughEvents || lost > 0 || source.closed.Load() != 1 {
		t.Errorf("%d events, %d losses, closed %d times", n, lost, source.closed.Load())
	}
}
