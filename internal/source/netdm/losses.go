package netdm

import (
	"errors"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/netlink"
)

// queueStats are the kernel's counts of packets that found a queue full, if it
// keeps them: since Linux 5.4, which also brought the queues.
type queueStats struct {
	netlink.Stats
	known bool
}

func readQueueStats(m Monitor) queueStats {
	s, err := m.Stats()
	return queueStats{s, err == nil}
}

// since counts what was lost after before. The kernel begins anew when its
// module is loaded again.
func (q queueStats) since(before queueStats) uint64 {
	if !q.known || !before.known {
		return 0
	}
	return grown(before.Software, q.Software) + grown(before.Hardware, q.Hardware)
}

func grown(from, to uint64) uint64 {
	if to < from {
		return to
	}
	return to - from
}

// account reports what was lost at our socket and in the kernel's queue.
func (r *Run) account(out pipeline.Output) error {
	err := r.checkSocket(out)
	inQueue := readQueueStats(r.session.monitor).since(r.queue)
	return pipeline.Also(err, r.lose(out, event.InQueue, inQueue))
}

// checkSocket reports what our socket has lost since it was looked at last. A
// kernel before Linux 4.12 does not tell.
func (r *Run) checkSocket(out pipeline.Output) error {
	lost, err := r.listener.Lost()
	if errors.Is(err, netlink.ErrUnsupported) {
		return nil
	}
	n := lost - r.lost
	r.lost = lost
	if r.summary {
		return pipeline.Also(err, r.lose(out, event.LostSummary, n))
	}
	return pipeline.Also(err, r.lose(out, event.AtSocket, n))
}

// lose gives out that n drops were lost, if any were.
func (r *Run) lose(out pipeline.Output, at event.Place, n uint64) error {
	if n == 0 {
		return nil
	}
	return out.Emit(&event.Event{Kind: event.Loss, Time: time.Now(), Count: n, Place: at})
}

// drops counts the drops that msg reports.
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
