package capture

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/point"
	"dropwatch/internal/source/probe"
)

// A scripted source emits an event of a kind, and fails or runs until the end.
type scripted struct {
	kind event.Kind
	err  error
}

func (s *scripted) Run(ctx context.Context, out pipeline.Output) error {
	out.Emit(&event.Event{Kind: s.kind, Count: 1})
	if s.err == nil {
		<-ctx.Done()
	}
	return s.err
}

// Close does nothing.
func (s *scripted) Close() error { return s.err }

// Began is not asked.
func (s *scripted) Began() (from, until time.Time) { return from, until }

// An emitted is an Output that tells of each event.
type emitted chan event.Kind

func (e emitted) Emit(of *event.Event) { e <- of.Kind }

func (e emitted) Flush() {}

// TestPointsNotPossible: where no function can be probed, drops are reported as ever, and that is noted.
func TestPointsNotPossible(t *testing.T) {
	r, notes := namesRunner(t)
	r.OpenProbe = func(probe.Options) (Tracer, error) { return nil, errors.New("no kprobes") }
	spec := &Spec{Input: Input{Points: point.Builtin()[:1], IfPossible: true}}
	if p, names, err := r.openPoints(spec); p != nil || names != nil || err != nil || !spec.wantsDrops() {
		t.Errorf("%v, %v, %v", p, names, err)
	}
	if !strings.Contains(notes.String(), "no points are reported: no kprobes") {
		t.Error(notes.String())
	}
}

// TestPossiblePoints: only what the kernel has is opened, and what the source cannot do is not reported.
func TestPossiblePoints(t *testing.T) {
	r, _ := namesRunner(t)
	at := func(name, function string) point.Point {
		return point.Point{Name: name, Form: point.Form{Functions: []string{function}}}
	}
	var asked []string
	r.OpenProbe = func(o probe.Options) (Tracer, error) {
		for _, p := range o.Points {
			asked = append(asked, p.Name)
		}
		o.Lacking(&o.Points[0], errors.New("no such member"))
		return &scripted{}, nil
	}
	_, names, err := r.openPossible([]point.Point{at("a", "tcp_v4_rcv"), at("b", "nowhere"), at("c", "udp_rcv")})
	if err != nil || !slices.Equal(asked, []string{"a", "c"}) || !slices.Equal(names, []string{"c"}) {
		t.Errorf("asked for %q, reported %q, %v", asked, names, err)
	}
}

// TestPointsFail: points that cannot be read any more do not end the drops, and that is noted.
func TestPointsFail(t *testing.T) {
	r, notes := namesRunner(t)
	points := &scripted{event.Point, errors.New("no ring")}
	merged := pipeline.Merge(&scripted{kind: event.Drop}, &optional{points, r.Notices})
	ctx, stop := context.WithCancel(t.Context())
	out, ended := make(emitted), make(chan error)
	go func() { ended <- merged.Run(ctx, out) }()
	seen := map[event.Kind]bool{<-out: true, <-out: true}
	select {
	case err := <-ended:
		t.Errorf("ended: %v", err)
	default:
	}
	stop()
	if err := <-ended; err != nil || !seen[event.Drop] || !seen[event.Point] {
		t.Errorf("%v, %v", seen, err)
	}
	if !strings.Contains(notes.String(), "no points are reported any more: no ring") {
		t.Error(notes.String())
	}
}
