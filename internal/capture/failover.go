package capture

import (
	"context"
	"errors"
	"slices"
	"time"

	"dropwatch/internal/pipeline"
)

// failover returns the source of the run. If it may be replaced, another one takes
// over when a program stops it: every user of the drop monitor can (NET_DM_CMD_STOP
// has no owner). A source that the user named just ends.
func (r *run) failover() pipeline.Source {
	if !r.source.replaceable(r.spec) {
		return r.source.Source
	}
	if r.source.pair != nil {
		r.source.pair.Handover = r.handOver
	}
	return &pipeline.Failover{Source: r.source.Source, Next: r.nextSource}
}

// handOver opens the next source while the one beside the drop monitor still reports
// drops, so that none is missed. It returns between which times the next one began.
func (r *run) handOver(ctx context.Context, _ error) (from, until time.Time, ok bool) {
	r.openNext(ctx)
	if r.next == nil {
		return from, until, false
	}
	t, ok := r.next.Source.(Tracer)
	if ok {
		from, until = t.Began()
	}
	return from, until, ok
}

// openNext opens the next source that works and was not used in this run, if there is
// one.
func (r *run) openNext(ctx context.Context) {
	r.used = append(r.used, r.source.candidate)
	for _, c := range r.spec.candidates() {
		if slices.Contains(r.used, c.Name) {
			continue
		}
		if opened, err := c.try(ctx, r.Runner, r.spec); err == nil {
			r.next = opened
			return
		}
	}
}

// nextSource returns the next source, which it opens unless handOver has, and its name.
// If there is none, or the source ended for another reason, the error is cause.
//
// It is called between two sources, when no event is in a stage, so the stages may
// be rearranged.
func (r *run) nextSource(ctx context.Context, cause error) (pipeline.Source, string, error) {
	if _, stopped := errors.AsType[*pipeline.StoppedError](cause); !stopped {
		return nil, "", cause
	}
	if r.next == nil {
		r.openNext(ctx)
	}
	if r.next == nil {
		return nil, "", cause
	}
	if r.source.restore != nil {
		r.source.restore()
	}
	r.source, r.next = r.next, nil
	r.arrangeStages()
	r.Notices.Note("%v: going on with source %s", cause, r.source.name)
	r.noteLimits(r.source)
	return r.source.Source, r.source.name, nil
}
