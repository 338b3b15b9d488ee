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
	Gauge   bool      // as that of its counters
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

// Of returns the counters of an object, such as "arp", and those of which there is only one. An
// empty object is any.
func (s *Snapshot) Of(object string) *Snapshot {
	if object == "" {
		return s
	}
	of := *s
	of.Counters = slices.DeleteFunc(slices.Clone(s.Counters), func(c Counter) bool { return c.Object != object && c.Object != "" })
	return &of
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
	if p.Gauge && len(p.Objects) == 1 && p.Objects[0].named() == "" && p.Objects[0].Limit > 0 {
		text += fmt.Sprintf(" of %d", p.Objects[0].Limit)
	}
	var of []string
	for i, c := range p.Objects {
		name := c.named()
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

// named is the object for a person, empty if there is only one.
func (c *Counter) named() string { return event.Escape(strings.TrimSpace(c.IfName + " " + c.Object)) }

// NearLimit reports whether a level has three quarters of its limit, at which packets are lost.
func (p Present) NearLimit() bool {
	return p.Gauge && slices.ContainsFunc(p.Objects, func(c Counter) bool { return c.Limit > 0 && c.Value >= c.Limit-c.Limit/4 })
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
