// Package pair joins two sources into one stream without a blind spot and without
// reporting a drop twice: one that reports packets, but not all of them, as NET_DM does,
// and one that reports every packet that the kernel frees, but no bytes, as
// skb:kfree_skb does.
//
// A packet is emitted when it comes, or held until its match comes: the drop that the other
// source reports, freed at the same location at the same time. A drop whose packet does not
// come within a certain time is emitted as TraceOnly. If the packet comes after that, it is
// ignored, as its drop was counted.
//
// # Why the ledger closes
//
// Let the kernel free n packets, of which the source of all loses l and reports n-l. Each of
// these n-l is either matched by a packet, which is emitted, or emitted itself as TraceOnly. In
// addition c packets without a match are emitted; their drops are among the l. So n-l+c drops
// are shown and l-c are lost: those that the source of all lost, less those of them that the
// source of packets reported. Losses of the source of packets do not enter the sum: the drop
// of a lost packet has no match, so it is emitted as TraceOnly, or it is among the l-c.
//
// The sum does not depend on which of several packets is matched with which drop, nor on
// holding: every packet that is held is emitted in the end. It requires that the source of all
// runs from before the source of packets begins until after it ends.
//
// Where the second source reports exactly what the first cannot, nothing needs to be matched:
// see [Disjoint].
package pair

import (
	"context"
	"errors"
	"time"

	"dropwatch/internal/pipeline"
)

// A Source is a pipeline.Source. Its fields are set before it runs.
type Source struct {
	packets, all pipeline.Source

	// Wait: packets are held until their drops come, from which they get task and stack
	// trace. A packet is emitted without them if its drop does not come in time, or if too
	// many are held. Packets keep their order. Those that were held have no Event.Raw.
	Wait bool

	// Warn is called at the end with the error of the source of all, if it failed. From the
	// failure on only packets were emitted, and all losses of both sources are reported,
	// though the drops of some lost packets may have been shown as TraceOnly.
	Warn func(error)

	// Devices: the source of packets also reports drops by devices. The source of all does
	// not see those, so the losses of the source of packets are reported too.
	Devices bool

	// Handover, unless it is nil, is called when another program has stopped the source
	// of packets, while the source of all still runs. It opens the next source, and returns
	// between which times that began: it reports no drop from before from, and every drop
	// after until. It returns false if there is no next source.
	Handover func(ctx context.Context, cause error) (from, until time.Time, ok bool)
}

// New joins a source of packets, which reports drops individually, and a source of all, which
// reports every drop by the kernel individually, with location and time, and counts exactly
// what it loses. The source of all must have been switched on first.
func New(packets, all pipeline.Source) *Source {
	return &Source{packets: packets, all: all, Warn: func(error) {}}
}

// Run emits drops and losses to out until ctx ends. The source of packets ends first, then the
// source of all, which so has reported the drop of every packet; then what still waits is
// emitted. The error is that of the source of packets: if the source of all fails the run
// goes on. In a [pipeline.StoppedError] Since is when the source of all ended, which
// reported everything until then. After a Handover Since and Until are the same, unless drops
// came while the next source began: they are left to that one, which may not report them.
func (s *Source) Run(ctx context.Context, out pipeline.Output) error {
	watching, stopAll := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAll()
	m := newMatcher(out)
	m.wait = s.Wait
	ended := make(chan error)
	go func() { ended <- m.allEnded(s.all.Run(watching, (*dropOutput)(m))) }()
	err := s.packets.Run(ctx, (*packetOutput)(m))
	covered := time.Now()
	stopped, _ := errors.AsType[*pipeline.StoppedError](err)
	if stopped != nil && s.Handover != nil && ctx.Err() == nil {
		m.freeze()
		if from, until, ok := s.Handover(ctx, err); ok {
			m.cut(from, until)
		}
	}
	stopAll()
	allErr := <-ended
	if allErr != nil {
		s.Warn(allErr)
	}
	m.finish(s.Devices || allErr != nil)
	if stopped != nil && allErr == nil {
		stopped.Since, stopped.Until = m.gap(covered)
	}
	return err
}
