package capture

import (
	"context"
	"errors"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/follow"
	"dropwatch/internal/stage/filter"
)

// follow has all packets of the expression counted where they pass, from now on, beside the drops of s.
func (r *Runner) follow(s *openedSource, spec *Spec) error {
	counter, err := r.OpenFlows(follow.Options{Condition: spec.Filter.Kernel(filter.Resolver{})})
	if err != nil {
		return err
	}
	drops, close := s.Source, s.close
	s.counter = counter
	s.Source = &followed{drops, counter}
	s.close = func() { counter.Close(); close() }
	if blind := counter.Blind(); blind != "" {
		r.Notices.Note("%s", blind)
	}
	return nil
}

// A followed is a source of drops whose packets are counted, too. The counter stops first: a packet that it counted
// as received may be dropped after that.
type followed struct {
	pipeline.Source
	counter FlowCounter
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
