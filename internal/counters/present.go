package counters

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
)

// A Present is what all counters of one ID come to in a snapshot.
type Present struct {
	ID      string
	Gauge   bool
	Value   uint64    // the sum of a total since its objects were made; the highest of a level
	Objects []Counter // of which the value is not 0, the highest first
}

// Present returns those of several IDs that a snapshot has, in the order of the IDs. An
// object that counts what another does, too, is not added to it.
func (s *Snapshot) Present(ids []string) (all []Present) {
	for _, id := range ids {
		var same []Counter
		for i := range s.Counters {
			if s.Counters[i].ID() == id {
				same = append(same, s.Counters[i])
			}
		}
		if len(same) > 0 {
			all = append(all, present(id, same))
		}
	}
	return all
}

// present is that of all counters with an ID.
func present(id string, all []Counter) Present {
	p := Present{ID: id, Gauge: all[0].Gauge}
	partsOnly := !slices.ContainsFunc(all, func(c Counter) bool { return !c.Part })
	for _, c := range all {
		switch {
		case c.Gauge:
			p.Value = max(p.Value, c.Value)
		case !c.Part || partsOnly:
			p.Value += c.Value
		}
		if c.Value > 0 {
			p.Objects = append(p.Objects, c)
		}
	}
	slices.SortStableFunc(p.Objects, func(a, b Counter) int { return cmp.Compare(b.Value, a.Value) })
	return p
}

// maxObjects is how many objects are named.
const maxObjects = 3

// String is the counter for a person: "UdpNoPorts 12", "interface.rx_dropped 5 (eth0 4,
// eth1 1)".
func (p Present) String() string {
	text := fmt.Sprintf("%s %d", p.ID, p.Value)
	var of []string
	for i, c := range p.Objects {
		name := event.Escape(strings.TrimSpace(c.IfName + " " + c.Object))
		switch {
		case name == "":
			continue
		case i == maxObjects:
			of = append(of, fmt.Sprintf("%d more", len(p.Objects)-i))
		case i < maxObjects && c.Limit > 0:
			of = append(of, fmt.Sprintf("%s %d of %d", name, c.Value, c.Limit))
		case i < maxObjects:
			of = append(of, fmt.Sprintf("%s %d", name, c.Value))
		}
	}
	if len(of) == 0 {
		return text
	}
	return text + " (" + strings.Join(of, ", ") + ")"
}

// GroupsOf returns the groups that counters with these IDs are of, so that a [Reader]
// need not read the others.
func GroupsOf(ids []string) (groups []Group) {
	for _, id := range ids {
		group := Protocol
		if first, _, ok := strings.Cut(id, "."); ok {
			group = Group(first)
		}
		if !slices.Contains(groups, group) {
			groups = append(groups, group)
		}
	}
	return groups
}
