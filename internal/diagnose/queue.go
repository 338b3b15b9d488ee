package diagnose

import (
	"dropwatch/internal/counters"
	"dropwatch/internal/knowledge"
)

// whyQueued is what a qdisc counts of its drops, and the evidence that it is if it counts all.
var whyQueued = map[string]knowledge.Evidence{"qdisc.flows_plimit": knowledge.FlowLimit, "qdisc.emulated_loss": knowledge.Emulated}

// findQueue narrows a finding of packets that a queueing discipline dropped, if the interface
// has one that counts as many for one cause.
func (f *Finding) findQueue(rows []counters.Row) {
	if f.IfName == "" {
		return
	}
	for i := range rows {
		r := &rows[i]
		if evidence, ok := whyQueued[r.ID()]; ok && r.Delta == f.Count && r.IfName == f.IfName && f.isIn(r) {
			f.Meaning = f.Meaning.With(evidence, f.event())
		}
	}
}
