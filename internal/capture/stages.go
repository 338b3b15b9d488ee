package capture

import (
	"context"
	"os"
	"slices"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/sink/table"
	"dropwatch/internal/stage/decode"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/stage/harmless"
	"dropwatch/internal/stage/owner"
	"dropwatch/internal/stage/resolve"
	"dropwatch/internal/stage/truncate"
)

// startStages creates the steps. What they read in the background, such as the
// symbol table, is read while the source is being opened.
func (r *run) startStages() {
	headers := filter.Step{Stage: decode.Packets(), Adds: event.FactPacket}
	switch {
	case r.spec.Input.recorded(): // the names are in it
		r.steps = []filter.Step{headers}
	case len(r.spec.Captures) > 0: // the source has read all that is known
	case r.spec.Input.Retransmits && !r.spec.needsOwners():
	case r.spec.Input.Retransmits:
		r.steps = r.hostSteps()
	case r.spec.Detail == SymbolsOnly:
		r.steps = r.symbolSteps()
	case r.spec.Detail == Everything: // cheap steps first: the filter may spare the others
		r.steps = slices.Concat([]filter.Step{headers}, r.symbolSteps(), []filter.Step{
			{Stage: resolve.Fragments(r.Symbols.lookup())},
			{Stage: harmless.Stage(r.ownAddresses), Adds: event.FactHarmless},
		}, r.hostSteps())
	}
}

// needsOwners reports whether a filter or an output of what TCP does needs what hostSteps look up, which is the
// largest part of the cost of an event: not a table by peer, network, port or interface.
func (s *Spec) needsOwners() bool {
	const added = event.FactInterface | event.FactTask | event.FactOwner | event.FactNamespace
	return len(s.Filter.Needs(added)) > 0 || slices.ContainsFunc(s.Outputs, func(o Output) bool {
		return o.Format != Table && o.Format != Tables || o.By.NeedsOwner()
	})
}

// hostSteps look up what this host knows of an interface, a task and a socket.
func (r *run) hostSteps() []filter.Step {
	return []filter.Step{
		{Stage: resolve.Interfaces(resolve.NewHostInterfaces(r.Host).Name), Adds: event.FactInterface},
		{Stage: resolve.Tasks(r.Host.ThreadName), Adds: event.FactTask},
		{Stage: owner.Stage(r.Host), Adds: event.FactOwner | event.FactNamespace},
	}
}

// ownAddresses returns the addresses of dropwatch's own network namespace.
func (r *run) ownAddresses() *host.Addresses { return r.Host.Addresses(uint32(os.Getpid())) }

// symbolSteps is empty if locations stay addresses.
func (r *run) symbolSteps() (steps []filter.Step) {
	for _, stage := range r.Symbols.stages() {
		steps = append(steps, filter.Step{Stage: stage, Adds: event.FactLocation})
	}
	return steps
}

// check reports what is known only when the symbols have been read: that there are none,
// and functions of the filter that do not exist. Drops flow meanwhile, and wait only to
// be named. If ctx ends before, none was named, and it reports nothing.
func (r *run) check(ctx context.Context) {
	if r.spec.Detail != Raw {
		if !r.Symbols.waitFor(ctx) {
			return
		}
		r.Symbols.warnOnce(r.Notices.Warn)
	}
	r.CheckFunctions(r.spec.Filter, r.spec.Input.Points...)
}

// arrangeStages places the parts of the filter among the steps, as the source in
// use needs it, so that a rejected drop costs as little as possible.
func (r *run) arrangeStages() {
	if r.atPoints == nil {
		r.atPoints = r.spec.Filter.Stages(r.steps)
		if !r.spec.Input.IfPossible { // a diagnosis reads the rules itself
			r.rule = r.withRule()
			r.atPoints = append(r.atPoints, r.rule)
		}
	}
	r.stages = r.source.arrange(r.steps)
	if r.rule != nil {
		r.stages = append(r.stages, r.rule)
	}
	if n := r.source.trunc; n > 0 {
		r.stages = append(r.stages, truncate.Packets(n), decode.Packets())
	}
	if r.spec.has(Classic) {
		r.stages = append(r.stages, divert(&r.traceOnly))
	}
}

// stage runs the stages of the source in use, which a failover replaces while points go on. A fragment
// of a packet that arrived is not a drop and needs nothing more.
func (r *run) stage(e *event.Event) bool {
	stages := r.atPoints
	if e.Kind != event.Point {
		stages = r.stages
	}
	for i := 0; i < len(stages) && !e.Fragment; i++ {
		if !stages[i](e) {
			return false
		}
	}
	return true
}

// divert keeps drops that packet mode cannot show out of a session's output, which
// is that of the C program. They are counted, and printed when the run ends.
func divert(to *table.Tally) pipeline.Stage {
	return func(e *event.Event) bool {
		if e.TraceOnly {
			to.Add(e)
		}
		return !e.TraceOnly
	}
}
