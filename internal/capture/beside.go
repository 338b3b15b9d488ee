package capture

import (
	"slices"

	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/correlate"
	"dropwatch/internal/source/retrans"
	"dropwatch/internal/stage/decode"
	"dropwatch/internal/stage/resolve"
)

// correlateStages say of a drop what is shown of it at a segment that is sent again.
func (r *Runner) correlateStages() []pipeline.Stage {
	return slices.Concat([]pipeline.Stage{decode.Packets()}, r.Symbols.stages(), []pipeline.Stage{
		resolve.Interfaces(resolve.NewHostInterfaces(r.Host).Name),
	})
}

// andRetrans returns a source of drops that also reports what TCP sends again, and which of that this
// host dropped before; the same source where that cannot be traced: counters say how much it is.
func (r *Runner) andRetrans(drops Tracer) Tracer {
	d, ok := drops.(correlate.Drops)
	if !ok {
		return drops
	}
	tcp, err := r.OpenRetrans(retrans.Options{RingSize: besideDrops})
	if err != nil {
		return drops
	}
	return &correlate.Source{TCP: tcp, Drops: d, PassDrops: true, Stages: r.correlateStages()}
}

// besideDrops is the size of the ring of what TCP sends again, in bytes, where drops matter more: it
// has room for a thousand segments between two reads.
const besideDrops = 256 << 10
