package diagnose

import (
	"slices"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/knowledge"
)

// trackingHooks are the hooks of netfilter at which connection tracking drops, by the ID of the
// counter that then rises: where it looks up a packet's connection, and where it enters a
// new one (net/netfilter/nf_conntrack_core.c nf_conntrack_in, __nf_conntrack_confirm).
var trackingHooks = map[string][]string{
	"conntrack.drop":          {"PREROUTING", "OUTPUT"},
	"conntrack.insert_failed": {"INPUT", "POSTROUTING"},
	"conntrack.chaintoolong":  {"INPUT", "POSTROUTING"},
}

// invalid is the counter of packets that connection tracking cannot assign to a connection.
const invalid = "conntrack.invalid"

// findTracking narrows findings whose packets connection tracking dropped, or did not
// translate.
func findTracking(findings []Finding, rows []counters.Row) {
	for i := range rows {
		r := &rows[i]
		switch {
		case r.Group != counters.Conntrack || r.Delta == 0:
		case r.ID() == invalid:
			findUntracked(findings, r)
		case trackingHooks[r.ID()] != nil:
			rise := r.Delta - min(r.Delta, included(r, rows))
			for _, f := range droppedByTracking(findings, r, rise) {
				f.setTracking(r)
			}
		}
	}
}

// droppedByTracking chooses the findings that a counter of connection tracking is about:
// the one with as many drops as it rose, or all that may be, if it rose by nearly as many as
// these: the counter is read a moment before and after drops are watched.
func droppedByTracking(findings []Finding, r *counters.Row, rise uint64) (all []*Finding) {
	var exact []*Finding
	var together uint64
	for i := range findings {
		f := &findings[i]
		if !f.mayBeTracking(r) {
			continue
		}
		all = append(all, f)
		if together += f.Count; f.Count == rise {
			exact = append(exact, f)
		}
	}
	switch {
	case len(exact) == 1:
		return exact
	case 10*rise >= 9*together:
		return all
	}
	return nil
}

// mayBeTracking reports whether netfilter dropped the packets where the counter rises, and
// no rule's counter says that it was a rule.
func (f *Finding) mayBeTracking(r *counters.Row) bool {
	hook := strings.ToUpper(strings.TrimPrefix(f.hook, "bridge "))
	return len(f.rules) == 0 && slices.Contains(f.Meaning.Counters, nftablesDrops) && f.isIn(r) &&
		(hook == "" || slices.Contains(trackingHooks[r.ID()], hook))
}

// setTracking gives a finding the meaning of the counter. It keeps the counters that rise
// with what netfilter drops for whatever cause.
func (f *Finding) setTracking(r *counters.Row) {
	always := slices.DeleteFunc(slices.Clone(f.Meaning.Counters), func(id string) bool {
		return id == nftablesDrops || id == iptablesDrops || id == invalid
	})
	f.ID, f.Meaning = r.ID(), r.Meaning
	if f.isTCP() {
		f.Meaning = f.Meaning.With(knowledge.TCP, f.event())
	}
	f.Meaning.Counters = slices.Concat([]string{r.ID()}, r.Meaning.Counters, always)
}

// isTCP reports whether all flows are of TCP, as far as they are known.
func (f *Finding) isTCP() bool {
	return len(f.Flows) > 0 && !slices.ContainsFunc(f.Flows, func(c FlowCount) bool { return c.Flow.Protocol != "tcp" })
}

// findUntracked narrows the findings of segments to no socket, if connection tracking found
// at least as many packets INVALID.
func findUntracked(findings []Finding, r *counters.Row) {
	var all []*Finding
	var together uint64
	for i := range findings {
		f := &findings[i]
		if f.isIn(r) && f.Meaning.Case != nil && f.Meaning.Case.If&knowledge.Midstream != 0 {
			all = append(all, f)
			together += f.Count
		}
	}
	if r.Delta < together {
		return
	}
	for _, f := range all {
		f.Meaning = f.Meaning.With(knowledge.Untracked, f.event())
	}
}
