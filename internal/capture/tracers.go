package capture

import (
	"cmp"
	"context"
	"slices"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/trace"
	"dropwatch/internal/stage/filter"
)

// wholeBytes is how much bpf reads of a packet that is to be kept whole: more than
// an Ethernet frame of the usual MTU has. The kernel reserves as much for each
// record, whatever the packet's length.
const wholeBytes = 2048

// openBPF opens the source that reads skb:kfree_skb with a BPF program, which tests
// as much of the expression as it can.
func (r *Runner) openBPF(_ context.Context, spec *Spec) (*openedSource, error) {
	in := &spec.Input
	bytes, trunc := spec.bpfBytes()
	o := bpf.Options{
		Sample: spec.sample(), Trunc: bytes, Stack: in.Stack || in.SampledStack,
		ByOwner:      in.ByOwner || len(spec.Filter.Needs(event.FactOwner)) > 0,
		RawAddresses: in.RawAddresses,
	}
	split, err := r.split(spec.Filter)
	if err != nil {
		return nil, err
	}
	o.Condition = split.Kernel
	opened, err := r.openDrops(spec, o)
	if err != nil {
		return nil, err
	}
	opened.trunc = trunc
	opened.arrange = func(steps []filter.Step) []pipeline.Stage {
		return []pipeline.Stage{byKind(spec.Filter.StagesOf(split, steps), spec.Filter.Stages(steps))}
	}
	if len(split.Whole) > 0 { // the program sends all of these, so they are sampled here
		opened.individually = spec.sample()
	}
	return opened, nil
}

// openDrops opens the source, with what the Spec has beside it.
func (r *Runner) openDrops(spec *Spec, o bpf.Options) (*openedSource, error) {
	open := func() (Tracer, error) {
		t, err := r.OpenBPF(o)
		if err == nil && spec.Input.AndRetrans {
			return r.andRetrans(t, spec)
		}
		return t, err
	}
	if spec.Input.Flows {
		return r.openFollowed(spec, open)
	}
	t, err := open()
	if err != nil {
		return nil, err
	}
	return tracerSource("bpf", t), nil
}

// byKind returns a stage that has drops run the one stages, of which the kernel has tested a part, and all else the
// others.
func byKind(drops, others []pipeline.Stage) pipeline.Stage {
	return func(e *event.Event) bool {
		stages := drops
		if e.Kind != event.Drop {
			stages = others
		}
		return !slices.ContainsFunc(stages, func(stage pipeline.Stage) bool { return !stage(e) })
	}
}

// sample returns the number of drops per kind to report individually. A run with a
// limit gets as many as it allows, so that it ends exactly there: a count that
// stands for many drops could exceed it.
func (s *Spec) sample() int {
	const most = 10_000 // per kind and second; more would cost as much as reporting all
	if s.Input.Sample == 0 || s.Limit == 0 {
		return s.Input.Sample
	}
	return max(s.Input.Sample, int(min(s.Limit, most)))
}

// bpfBytes returns how many bytes of each packet bpf reads, and how many of them
// are kept after the filter; trunc 0 means all.
func (s *Spec) bpfBytes() (read int, trunc uint32) {
	switch n := s.Input.Trunc; {
	case n == 0 && !s.keepsPackets():
		return headerBytes, 0
	case s.filterReadsBeyond(n):
		return headerBytes, n
	default:
		return int(cmp.Or(n, wholeBytes)), 0
	}
}

// split divides an expression into what the kernel tests and what is tested here.
func (r *Runner) split(f *filter.Filter) (filter.Split, error) {
	names := filter.Resolver{Function: r.Symbols.function}
	if len(f.Reasons()) > 0 {
		var err error
		if names.Reason, err = bpf.Reasons(); err != nil {
			return filter.Split{}, err
		}
	}
	return f.Split(names, bpf.Counted), nil
}

// openTrace opens the source that reads skb:kfree_skb through perf. The kernel's
// event filter tests as much of the expression as it can.
func (r *Runner) openTrace(_ context.Context, spec *Spec) (*openedSource, error) {
	o := r.traceOptions(spec)
	o.Others, o.FreesFrames = true, r.Symbols.within(trace.FrameFunctions)
	if spec.Filter != nil {
		reasons, err := trace.Reasons()
		if err != nil {
			return nil, err
		}
		wanted := spec.Filter.Kernel(filter.Resolver{Reason: reasons})
		o.Filter = trace.Expression(condition.Or(wanted, trace.Joined(reasons, r.Symbols.everywhere(trace.FrameFunctions))))
	}
	t, err := r.OpenTrace(o)
	if err != nil {
		return nil, err
	}
	return tracerSource("trace", t), nil
}
