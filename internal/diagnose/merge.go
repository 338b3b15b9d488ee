package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A NetnsCount is how many of the drops were in a network namespace.
type NetnsCount struct {
	Netns   event.Netns
	InNetns event.Process // as that of a [Finding]
	Count   uint64
}

// Bounds of network namespaces with the same cause: of how many each has a finding of its
// own, and how many are named where they share one.
const (
	maxSeparate = 3
	maxNamed    = 5
)

// A sameness is what findings that are merged have in common.
type sameness struct {
	entry                      *knowledge.Entry
	narrow                     *knowledge.Case
	id, reason, location, rule string
	severity                   knowledge.Severity
}

// sameness is equal of findings that only differ in the network namespace.
func (f *Finding) sameness() sameness {
	return sameness{f.Meaning.Entry, f.Meaning.Case, f.ID, f.Reason, f.Location, f.Rule.Text, f.Severity()}
}

// merge makes one finding of those with the same cause in many network namespaces.
func merge(all []Finding) (merged []Finding) {
	same := make(map[sameness][]*Finding)
	inodes := make(map[sameness]map[uint32]bool)
	for i := range all {
		f := &all[i]
		if f.shared || f.Netns.Inode == 0 {
			continue
		}
		k := f.sameness()
		same[k] = append(same[k], f)
		if inodes[k] == nil {
			inodes[k] = make(map[uint32]bool)
		}
		inodes[k][f.Netns.Inode] = true
	}
	for i := range all {
		f := &all[i]
		k := f.sameness()
		switch group := same[k]; {
		case !slices.Contains(group, f) || len(inodes[k]) <= maxSeparate:
			merged = append(merged, *f)
		case group[0] == f:
			merged = append(merged, join(group))
		}
	}
	return merged
}

// join adds up findings with the same cause. It is that with the most drops, with what the
// others have more.
func join(group []*Finding) Finding {
	counts := make(map[uint32]*NetnsCount)
	for _, f := range group {
		if counts[f.Netns.Inode] == nil {
			counts[f.Netns.Inode] = &NetnsCount{Netns: f.Netns}
		}
		counts[f.Netns.Inode].Count += f.Count
	}
	group = slices.Clone(group)
	slices.SortStableFunc(group, func(a, b *Finding) int {
		return cmp.Or(cmp.Compare(counts[b.Netns.Inode].Count, counts[a.Netns.Inode].Count), cmp.Compare(b.Count, a.Count))
	})
	joined := *group[0]
	joined.Counters = nil
	joined.addCounters(group)
	for _, f := range group[1:] {
		joined.add(f)
	}
	for _, f := range group {
		if n := counts[f.Netns.Inode]; n != nil {
			joined.Namespaces = append(joined.Namespaces, *n)
			delete(counts, f.Netns.Inode)
		}
	}
	slices.SortStableFunc(joined.Flows, func(a, b FlowCount) int { return cmp.Compare(b.Count, a.Count) })
	return joined
}

// add adds a finding of another network namespace or interface.
func (f *Finding) add(o *Finding) {
	f.Count += o.Count
	f.Segments += o.Segments
	f.Unseen += o.Unseen
	f.Rate += o.Rate
	f.Reported += o.Reported
	f.lengths.join(o.lengths)
	f.Share += o.Share
	for i := range o.Flows {
		f.Flows = addFlow(f.Flows, &o.Flows[i])
	}
	f.Objects = append(f.Objects, o.Objects...)
	f.Points = append(f.Points, o.Points...)
	for _, t := range o.through {
		f.through = addThrough(f.through, t)
	}
	if f.IfName != o.IfName {
		f.IfName = ""
	}
	if f.Resent != nil && o.Resent != nil {
		f.Resent.add(o.Resent)
	}
	f.Args = slices.DeleteFunc(f.Args, func(a event.Arg) bool { return !slices.Contains(o.Args, a) })
}

// addCounters adds the rises of the counters of several findings, which may have the
// same of one network namespace.
func (f *Finding) addCounters(of []*Finding) {
	added := make(map[counters.Key]bool)
	for _, r := range f.Counters {
		added[r.Key] = true
	}
	for _, one := range of {
		for _, r := range one.Counters {
			if added[r.Key] {
				continue
			}
			added[r.Key] = true
			same := func(c counters.Row) bool { return c.ID() == r.ID() && c.IfName == r.IfName }
			if i := slices.IndexFunc(f.Counters, same); i >= 0 {
				f.Counters[i].Delta += r.Delta
			} else {
				f.Counters = append(f.Counters, r)
			}
		}
	}
}

// namespaces names those with the most drops: "in 30 network namespaces: blue 41, green 40, ...".
func (f *Finding) namespaces() string {
	var named []string
	for i, n := range f.Namespaces {
		if i == maxNamed {
			named = append(named, "...")
			break
		}
		name := strings.TrimPrefix(describeNetns(n.Netns, n.InNetns), "network namespace ")
		named = append(named, fmt.Sprintf("%s %d", name, n.Count))
	}
	return fmt.Sprintf("in %d network namespaces: %s", len(f.Namespaces), strings.Join(named, ", "))
}
