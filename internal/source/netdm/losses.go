package netdm

import (
	"errors"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/netlink"
)

// queueStats are the kernel's counts of packets that found a queue full. Both the queues and
// the counts exist since Linux 5.4.
type queueStats struct {
	netlink.Stats
	known bool // they could be read
}

func readQueueStats(m Monitor) queueStats {
	s, err := m.Stats()
	return queueStats{s, err == nil}
}

// since returns how many packets were lost after before was read.
func (q queueStats) since(before queueStats) uint64 {
	if !q.known || !before.known {
		return 0
	}
	return increase(before.Software, q.Software) + increase(before.Hardware, q.Hardware)
}

// increase returns how much was counted: a count that fell began at 0 again, because the
// module was loaded again.
func increase(from, to uint64) uint64 {
	if to < from {
		return to
	}
	return to - from
}

// account reports what was lost at the socket and in the kernel's queue of a CPU.
func (r *Run) account(out pipeline.Output) error {
	err := r.checkSocket(out)
	pipeline.Lose(out, event.InQueue, readQueueStats(r.session.monitor).since(r.queue))
	return err
}

// checkSocket reports what was lost at the socket since the last time. A kernel before
// Linux 4.12 reports only that something was.
func (r *Run) checkSocket(out pipeline.Output) error {
	lost, err := r.listener.Lost()
	if errors.Is(err, netlink.ErrUnsupported) {
		n := r.listener.Overruns() - r.overruns
		r.overruns += n
		pipeline.Lose(out, event.Overflow, n)
		return nil
	}
	at := event.AtSocket
	if r.summary {
		at = event.LostSummary
	}
	pipeline.Lose(out, at, lost-r.lost)
	r.lost = lost
	return err
}

// drops returns how many drops msg reports; a message that cannot be decoded counts as one.
func (r *Run) drops(msg []byte) (n uint64) {
	if err := r.decoder.Decode(msg, &r.alert); err != nil || r.alert.Packet {
		return 1
	}
	for _, p := range r.alert.Points {
		n += uint64(p.Count)
	}
	for _, t := range r.alert.Traps {
		n += uint64(t.Count)
	}
	return n
}
