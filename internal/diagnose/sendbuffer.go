package diagnose

import (
	"slices"

	"dropwatch/internal/counters"
	"dropwatch/internal/knowledge"
)

// findSendBuffer narrows a finding of datagrams that could not be sent: it was the send buffer of their socket, unless a
// queueing discipline of the network namespace dropped packets meanwhile, or that could not be read.
func (f *Finding) findSendBuffer(report *counters.Report) {
	queueFull := func(r counters.Row) bool { return r.ID() == queueDrops && r.Delta > 0 && f.isIn(&r) }
	if f.mayBe(knowledge.SendBuffer) && !f.isUnread(report, counters.Qdisc) && !slices.ContainsFunc(report.Rows, queueFull) {
		f.Meaning = f.Meaning.With(knowledge.SendBuffer, f.event())
	}
}

// isUnread reports whether the counters of a group could not be read in the network namespace of the finding.
func (f *Finding) isUnread(report *counters.Report, group counters.Group) bool {
	return slices.ContainsFunc(report.Failures, func(e counters.Failure) bool {
		return e.Netns.Inode == f.Netns.Inode && (e.Group == group || e.Group == "")
	})
}
