package capture

import (
	"errors"
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

// errNoDrops is the error of a source that does not say how far it has read.
var errNoDrops = errors.New("the source of drops does not say how far it has read")

// andRetrans returns a source of drops that also reports what TCP sends again, and which of that this
// host dropped before. Where that cannot be traced it returns the same source, as counters say how much it is, or closes
// it and returns an error if that is wanted.
func (r *Runner) andRetrans(drops Tracer, in *Input) (Tracer, error) {
	d, ok := drops.(correlate.Drops)
	err := errNoDrops
	var tcp Tracer
	if ok {
		tcp, err = r.OpenRetrans(retrans.Options{RingSize: besideDrops, Resets: in.Resets, RawAddresses: in.RawAddresses})
	}
	switch {
	case err == nil:
		return &correlate.Source{TCP: tcp, Drops: d, PassDrops: true, Stages: r.correlateStages()}, nil
	case in.withTCP():
		return nil, errors.Join(err, drops.Close())
	}
	return drops, nil
}

// besideDrops is the size of the ring of what TCP sends again, in bytes, where drops matter more: it
// has room for a thousand segments between two reads.
const besideDrops = 256 << 10
