package diagnose

import (
	"slices"

	"dropwatch/internal/counters"
	"dropwatch/internal/knowledge"
)

// overlaps is the counter of IPv4 fragments that overlap others; IPv6 shows none.
const overlaps = "IpExtReasmOverlaps"

// freeing are the counters of IPv6 that rise when memory of fragments becomes free, but for fragments that contradict
// others.
var freeing = []string{"Ip6ReasmOKs", "Ip6ReasmTimeout"}

// findFragments narrows findings of fragments that were not stored, without a reason of the kernel: by the counter of
// those that overlap, if it rose by as many as were dropped in the network namespace, or by the memory for fragments.
// Where that is not full and nothing became free meanwhile, it was not full before either.
func findFragments(all []Finding, report *counters.Report) {
	for i := range all {
		f := &all[i]
		if f.Netns.Inode == 0 || !f.mayBe(knowledge.Overlap) {
			continue
		}
		ofIPv6 := f.ipv6.drops == f.Count
		in, dropped := f.fragmentsIn(report, ofIPv6), f.ofFunction(all)
		switch {
		case !ofIPv6 && in.overlapping == dropped, ofIPv6 && in.failed >= dropped && !in.full && !in.freed:
			f.Meaning = f.Meaning.With(knowledge.Overlap, f.event())
		case in.full:
			f.Meaning = f.Meaning.With(knowledge.NoRoom, f.event())
		}
	}
}

// A fragmentsIn is what a network namespace counted of fragments of one version of IP.
type fragmentsIn struct {
	overlapping, failed uint64
	freed               bool // memory became free, or maybe
	full                bool // at the end of the interval
}

// fragmentsIn returns that of the network namespace of the finding. Memory of which no fragment uses any has no counter.
func (f *Finding) fragmentsIn(report *counters.Report, ofIPv6 bool) (in fragmentsIn) {
	family := "ipv4"
	if ofIPv6 {
		family = "ipv6"
	}
	in.freed = f.isUnread(report, counters.Fragment)
	for i := range report.Rows {
		r := &report.Rows[i]
		switch id := r.ID(); {
		case r.Netns.Inode != f.Netns.Inode:
		case id == overlaps:
			in.overlapping += r.Delta
		case id == "Ip6ReasmFails":
			in.failed += r.Delta
		case slices.Contains(freeing, id):
			in.freed = in.freed || r.Delta > 0
		case id == "fragment.memory" && r.Object == family:
			in.full = r.Value > r.Limit
		}
	}
	return in
}
