package capture

import (
	"context"

	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/correlate"
	"dropwatch/internal/source/retrans"
	"dropwatch/internal/stage/filter"
)

// openRetrans opens the source of what TCP sends again. Beside it runs one of the drops of TCP packets,
// which says whether a segment was lost here; without that, it is not known.
func (r *Runner) openRetrans(_ context.Context, spec *Spec) (*openedSource, error) {
	in := &spec.Input
	tcp, err := r.OpenRetrans(retrans.Options{Resets: in.Resets, RawAddresses: in.RawAddresses})
	if err != nil {
		return nil, err
	}
	if in.NoDrops {
		return tracerSource("bpf", tcp), nil
	}
	s := &correlate.Source{TCP: tcp, Stages: r.correlateStages(), Resets: in.Resets, Rule: r.ruleOf()}
	if s.Drops, err = r.openTCPDrops(); err != nil {
		s.Doubt = "drops cannot be watched"
		r.Notices.Note("whether segments were lost here is not known: %v", err)
	}
	return tracerSource("bpf", s), nil
}

// openRetransTrace opens the source of what TCP sends again that needs no BPF. It has no sequence numbers, by
// which a drop would be known to be of a segment.
func (r *Runner) openRetransTrace(_ context.Context, spec *Spec) (*openedSource, error) {
	in := &spec.Input
	tcp, err := r.OpenRetransTrace(retrans.Options{Resets: in.Resets})
	if err != nil {
		return nil, err
	}
	r.Notices.Note("source trace has no sequence numbers and lengths, does not tell rto, fast and tlp apart, and cannot know " +
		"whether segments were lost here")
	return tracerSource("trace", tcp), nil
}

// tcpDropsRing is the size of the ring of the drops of TCP packets in bytes: each is reported individually, and
// what has no room is a doubt.
const tcpDropsRing = 8 << 20

// openTCPDrops opens a source of all drops of TCP packets, each with its headers.
func (r *Runner) openTCPDrops() (correlate.Drops, error) {
	tcp, err := filter.Parse("tcp")
	if err != nil {
		return nil, err
	}
	split, err := r.split(tcp)
	if err != nil {
		return nil, err
	}
	t, err := r.OpenBPF(bpf.Options{Trunc: headerBytes, Condition: split.Kernel, RingSize: tcpDropsRing})
	if err != nil {
		return nil, err
	}
	drops, ok := t.(correlate.Drops)
	if !ok {
		t.Close()
		return nil, errNoDrops
	}
	return drops, nil
}
