// Package pair joins two sources into one stream without a blind spot and
// without a drop in it twice: one that shows packets, but not all of them, as
// NET_DM does, and one that tells of every packet that the kernel frees, as
// skb:kfree_skb does, but shows none.
//
// A packet is given out as it comes, or waits for its twin. That is the drop that
// the other source tells of: freed at the same place at the same time. A drop
// whose packet does not come while it could still be on its way is given out as
// Unseen. A packet that comes after that is not given out any more, as it was
// counted.
//
// # Why the ledger closes
//
// Let the kernel free n packets, of which the source of all loses l and tells
// of the rest. Each of those n-l is either claimed by a packet that is given
// out, or is itself given out as Unseen. Beside them, those packets are given
// out that claim nothing, c of them; the twin of such a packet is among the l.
// So n-l+c are shown, and l-c are lost: what the source of all has lost, less
// what the source of packets showed of it. What the source of packets has lost
// is no part of that sum: it is claimed by nothing, so it is Unseen, or among
// the l-c.
//
// Packets and drops that change twins do not change the sum. It holds as long
// as all is watched for longer than the packets are, before and after.
// Nor does waiting change it: in the end every packet that waits is given out.
package pair

import (
	"context"

	"dropwatch/internal/pipeline"
)

// A Source is a pipeline.Source. Its fields are set before it runs.
type Source struct {
	packets, all pipeline.Source

	// Wait: packets wait for their twins, which have their task and stack. One
	// is given out without if its twin does not come while it could still be on
	// its way, or if too many wait. Packets keep their order; those that waited
	// have no Raw.
	Wait bool

	// Warn is told at the end if all has failed, with its error. Then the
	// drops since are those that packets shows, and all that it has lost is
	// given out as lost, though some of it may be shown as Unseen.
	Warn func(error)

	// Devices: packets shows drops by devices, too. All does not tell of
	// those, so what packets has lost is given out as lost, too.
	Devices bool
}

// New joins a source that gives packets, each by itself, and one that gives
// all drops of the kernel, each by itself, with place and time, and counts
// exactly what it lost. All has to be switched on before packets is.
func New(packets, all pipeline.Source) *Source {
	return &Source{packets: packets, all: all, Warn: func(error) {}}
}

// Run gives drops and losses to out until ctx ends. First packets ends, then
// all, so that it knows of every packet that was shown; then what is left is
// given out. The error is that of packets or of out: without all it goes on.
func (s *Source) Run(ctx context.Context, out pipeline.Output) error {
	running, stop := context.WithCancel(ctx)
	defer stop()
	watching, stopAll := context.WithCancel(context.WithoutCancel(ctx))
	defer stopAll()
	m := newMatcher(out, stop)
	m.wait = s.Wait
	ended := make(chan error)
	go func() { ended <- m.allEnded(s.all.Run(watching, (*drops)(m))) }()
	err := s.packets.Run(running, (*packets)(m))
	stopAll()
	allErr := <-ended
	if allErr != nil {
		s.Warn(allErr)
	}
	return m.finish(err, s.Devices || allErr != nil)
}
