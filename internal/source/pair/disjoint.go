package pair

import (
	"context"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// Disjoint joins a source of packets with one that reports exactly the packets that the first
// cannot report. Nothing needs to be matched: what either loses is lost. The drops of the
// second are marked TraceOnly.
func Disjoint(packets, others pipeline.Source) pipeline.Source {
	return pipeline.Merge(packets, marked{others})
}

// marked is a source whose drops are marked TraceOnly.
type marked struct{ pipeline.Source }

// Run runs the source with an output that marks.
func (m marked) Run(ctx context.Context, out pipeline.Output) error {
	return m.Source.Run(ctx, marker{out})
}

// A marker is an output that marks drops.
type marker struct{ pipeline.Output }

// Emit marks drops and passes on everything.
func (m marker) Emit(e *event.Event) {
	e.TraceOnly = e.Kind == event.Drop
	m.Output.Emit(e)
}
