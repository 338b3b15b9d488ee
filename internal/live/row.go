package live

import (
	"cmp"
	"maps"
	"slices"

	"dropwatch/internal/event"
)

// A Row is what is known of the drops that have some names in common.
type Row struct {
	Names   Names
	Total   uint64
	History History

	// Likely is the owner that the packets shown one by one likely had, where
	// others of the same kind were only counted, so that these cannot be told
	// apart by it. It is [Several] if there is more than one; empty: none.
	Likely string
}

// Several stands for more than one owner.
const Several = "~several"

// Text gives the name by a key as it is to be shown.
func (r *Row) Text(k Key) string {
	if k == Owner && r.Likely != "" {
		return r.Likely
	}
	return r.Names[k]
}

// Sum gives the row of all drops, without names.
func (c *Counter) Sum() Row {
	r := Row{Total: c.total}
	c.clock.addTo(&r.History, c.second)
	return r
}

// Rows gives a row for each combination of names by the keys of g, in no order.
func (c *Counter) Rows(g Group) []*Row {
	rows := make(map[Names]*Row)
	for k := range c.all {
		names := g.of(c.names(k))
		r, ok := rows[names]
		if !ok {
			r = &Row{Names: names}
			rows[names] = r
		}
		r.add(k, c.second)
	}
	return slices.Collect(maps.Values(rows))
}

// names gives those of a kind. A likely owner is none if there are counts that may
// have it, too: a source that counts does not guess.
func (c *Counter) names(k *kind) Names {
	if u, ok := c.kinds[k.unowned]; ok && u.counted && !k.counted {
		return u.names
	}
	return k.names
}

func (r *Row) add(k *kind, second int64) {
	r.Total += k.total
	k.clock.addTo(&r.History, second)
	switch owner := k.names[Owner]; {
	case r.Names[Owner] == "" || owner == r.Names[Owner]:
	case r.Likely == "":
		r.Likely = owner
	case r.Likely != owner:
		r.Likely = Several
	}
}

// A Detail is more about the drops of a row.
type Detail struct {
	Row
	Seen  uint64         // drops whose flow was seen, that is of packets shown one by one
	Flows []Flow         // most drops first
	Rest  uint64         // those of Seen whose flow there was no room for
	Last  []*event.Event // the latest packets, the latest first
}

// A Flow is packets from one address to another.
type Flow struct {
	Name  string // ready to print
	Drops uint64
}

// Detail gives more about the row with these names by the keys of g.
func (c *Counter) Detail(g Group, names Names) Detail {
	d := Detail{Row: Row{Names: names}}
	flows := make(map[string]uint64)
	for k := range c.all {
		if g.of(c.names(k)) != names {
			continue
		}
		d.add(k, c.second)
		d.Seen += k.seen
		for name, n := range k.flows {
			flows[name] += n
		}
		d.Last = append(d.Last, k.last.events...)
	}
	d.sort(flows)
	return d
}

func (d *Detail) sort(flows map[string]uint64) {
	d.Rest = d.Seen
	for name, n := range flows {
		d.Flows = append(d.Flows, Flow{name, n})
		d.Rest -= n
	}
	slices.SortFunc(d.Flows, func(a, b Flow) int {
		return cmp.Or(cmp.Compare(b.Drops, a.Drops), cmp.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(d.Last, func(a, b *event.Event) int { return b.Time.Compare(a.Time) })
	d.Last = d.Last[:min(len(d.Last), maxLast)]
}
