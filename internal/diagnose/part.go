package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
)

// A Part is the drops of a finding that another reason or function names, of the same cause.
type Part struct {
	ID    string `json:"id"`
	Count uint64 `json:"count"`
}

// joinParts makes one finding of those of one cause: that which says most of it has the drops of the others. They
// keep the counters that each raised.
func joinParts(all []Finding) []Finding {
	for i := range all {
		if whole := all[i].wholeIn(all); whole != nil && whole != &all[i] {
			whole.addCounters([]*Finding{&all[i]})
			whole.addPart(&all[i])
		}
	}
	return slices.DeleteFunc(all, func(f Finding) bool { return f.joined })
}

// wholeIn returns the finding that the drops are part of, maybe this one itself: of several the one with the most
// drops. It is nil if there is none.
func (f *Finding) wholeIn(all []Finding) (whole *Finding) {
	for i := range all {
		o := &all[i]
		says := o.Meaning.Entry != nil && slices.Contains(f.Meaning.PartOf, o.Meaning.Entry.Name)
		if says && !o.joined && f.isBeside(o) && (whole == nil || o.Count > whole.Count) {
			whole = o
		}
	}
	return whole
}

// isBeside reports whether two findings are of the same interface and network namespace, if that is known, and of
// the same destination as far as that is.
func (f *Finding) isBeside(o *Finding) bool {
	if f.Netns.Inode == 0 || f.IfName != o.IfName || f.Netns.Inode != o.Netns.Inode {
		return false
	}
	return len(f.Flows) == 0 || len(o.Flows) == 0 || slices.ContainsFunc(f.Flows, func(c FlowCount) bool {
		return slices.ContainsFunc(o.Flows, func(other FlowCount) bool { return c.Flow.Dst.Addr() == other.Flow.Dst.Addr() })
	})
}

// addPart adds the drops of another finding, which says less of the same cause.
func (f *Finding) addPart(part *Finding) {
	f.namePart(part)
	if f.Owner.Process.PID == part.Owner.Process.PID {
		f.OwnerCount += part.OwnerCount
	}
	args := slices.Clone(f.Args)
	f.add(part)
	f.Args, part.joined = args, true
	f.ipv6.drops += part.ipv6.drops
	f.ipv6.segments += part.ipv6.segments
	slices.SortStableFunc(f.Flows, func(a, b FlowCount) int { return cmp.Compare(b.Count, a.Count) })
}

// namePart adds the drops of another finding to the parts of this one, which has none while all have the same ID.
func (f *Finding) namePart(part *Finding) {
	if f.Parts == nil {
		if part.ID == f.ID {
			return
		}
		f.Parts = []Part{{f.ID, f.Count}}
	}
	i := slices.IndexFunc(f.Parts, func(p Part) bool { return p.ID == part.ID })
	if i < 0 {
		f.Parts = append(f.Parts, Part{part.ID, part.Count})
		return
	}
	f.Parts[i].Count += part.Count
}

// parts names them: "NEIGH_FAILED 3, NEIGH_QUEUEFULL 97".
func (f *Finding) parts() string {
	var all []string
	for _, p := range f.Parts {
		all = append(all, fmt.Sprintf("%s %d", event.Escape(p.ID), p.Count))
	}
	return strings.Join(all, ", ")
}
