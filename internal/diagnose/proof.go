package diagnose

import (
	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A proof is what drops mean if a counter rose by as many: without a reason of the kernel
// their function may have several.
type proof struct {
	counter string
	meaning knowledge.Explanation
}

// proofsOf returns those of a drop whose reason the kernel does not state.
func proofsOf(e *event.Event, en *knowledge.Entry) (all []proof) {
	if en == nil || e.HasReason() {
		return nil
	}
	for _, p := range en.Proofs() {
		with := *e
		with.Reason = p.Reason
		meaning, _ := knowledge.Of(&with)
		all = append(all, proof{p.Counter, meaning})
	}
	return all
}

// prove gives findings of functions the meaning that a counter proves.
func prove(all []Finding, rows []counters.Row) {
	proved := make([]*knowledge.Explanation, len(all))
	for i := range all {
		proved[i] = all[i].proved(all, rows)
	}
	for i, meaning := range proved {
		if meaning != nil {
			all[i].Meaning = *meaning
		}
	}
}

// proved returns the meaning of the first proof whose counter rose, nil unless it rose by
// as many as were dropped by the function.
func (f *Finding) proved(all []Finding, rows []counters.Row) *knowledge.Explanation {
	if f.Netns.Inode == 0 {
		return nil
	}
	for i := range f.proofs {
		p := &f.proofs[i]
		var rise uint64
		ofInterface := false
		for j := range rows {
			r := &rows[j]
			if r.ID() == p.counter && !r.Part && r.Netns.Inode == f.Netns.Inode && (r.IfName == "" || r.IfName == f.IfName) {
				rise += r.Delta
				ofInterface = r.IfName != ""
			}
		}
		switch {
		case rise == f.Count, !ofInterface && rise > 0 && rise == f.ofFunction(all):
			return &p.meaning
		case rise > 0:
			return nil
		}
	}
	return nil
}

// ofFunction is how many its function dropped in the network namespace, by all interfaces.
func (f *Finding) ofFunction(all []Finding) (n uint64) {
	for i := range all {
		if o := &all[i]; o.ID == f.ID && o.Netns.Inode == f.Netns.Inode {
			n += o.Count
		}
	}
	return n
}
