package capture

import (
	"context"
	"slices"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/sink/peers"
)

// peerOptions returns those of the tables of what TCP sends again. What was sent besides, and what the
// kernel counts, is known only of a live run.
func (r *run) peerOptions(o Output, every time.Duration) peers.Options {
	opts := peers.Options{By: o.By, Every: every, Begin: r.recorded()}
	if r.source.recording != nil {
		return opts
	}
	reader := AllCounters(r.Host)
	reader.Helper = r.Helper
	reader.Groups, reader.Nonzero = []counters.Group{counters.Protocol}, true
	held := false
	opts.Connections = func() []counters.Connection {
		if held {
			return nil
		}
		all, err := reader.Connections(context.Background()) // which does not end
		if err != nil {
			r.Notices.Note("what was sent to peers is not known: %v", err)
			held = true
		}
		return all
	}
	opts.Counted = risen(&reader, peers.Counters())
	return opts
}

// risen returns a function that returns by how much counters have risen since the call of risen, in all
// network namespaces together.
func risen(reader *counters.Reader, names []string) func() map[string]uint64 {
	before, _ := reader.Read(context.Background())
	return func() map[string]uint64 {
		after, _ := reader.Read(context.Background())
		sums := make(map[string]uint64)
		for _, c := range counters.Compare(before, after) {
			if slices.Contains(names, c.ID()) {
				sums[c.ID()] += c.Delta
			}
		}
		return sums
	}
}
