package capture

import (
	"context"
	"errors"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/follow"
	"dropwatch/internal/stage/filter"
)

// openFollowed returns what open returns, a source of drops, with all packets of the expression counted where they
// pass. They are counted from when their drops are reported.
func (r *Runner) openFollowed(spec *Spec, open func() (Tracer, error)) (*openedSource, error) {
	counter, err := r.OpenFlows(follow.Options{Condition: spec.Filter.Kernel(filter.Resolver{})})
	if err != nil {
		return nil, err
	}
	t, err := open()
	if err != nil {
		counter.Close()
		return nil, err
	}
	s := tracerSource("bpf", t)
	s.counter, s.Source = counter, &followed{t, counter}
	s.close = func() { counter.Close(); t.Close() }
	if err := counter.Start(); err != nil {
		s.close()
		return nil, err
	}
	if blind := counter.Blind(); blind != "" {
		r.Notices.Note("%s", blind)
	}
	return s, nil
}

// A followed is a source of drops whose packets are counted, too. The counter stops first: a packet that it counted
// as received may be dropped after that.
type followed struct {
	pipeline.Source
	counter interface{ Stop() error }
}

// Run runs the source of drops until ctx ends.
func (f *followed) Run(ctx context.Context, out pipeline.Output) error {
	counting, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var stopping error
	end := bpfprog.AtEnd(ctx, func() {
		stopping = f.counter.Stop()
		stop()
	})
	err := f.Source.Run(counting, out)
	end()
	return errors.Join(err, stopping)
}

// withFollower returns a source that ends the counting of packets before it ends itself, if any are to be counted: only
// bpf reports all their drops.
func (r *run) withFollower(s pipeline.Source) pipeline.Source {
	f := r.spec.Input.Follower
	if f == nil || r.source.candidate != "bpf" {
		return s
	}
	f.runner = r.Runner
	return &followed{s, f}
}
