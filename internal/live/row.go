package live

import (
	"cmp"
	"maps"
	"slices"

	"dropwatch/internal/event"
)

// A Row is the events that have some names in common.
type Row struct {
	Names   Names   // by the keys of the Subject
	Total   uint64  // since the Counter was made
	History History // the last minute, by second

	// Likely is the likely owner of the events that were reported individually, in a
	// row without an owner because others were only counted. It is [Several] if
	// there is more than one, and empty if there is none.
	Likely string

	// Sampled means that the numbers are too small: they are of events that were
	// reported individually, and others with the same owner may have been counted in
	// the row without one.
	Sampled bool

	// Example is an event of the row's largest kind; nil for Other.
	Example *event.Event
	largest uint64 // the count of that kind
}

// Several is a Likely that stands for more than one owner.
const Several = "several?"

// Text returns the name by a key as it is to be shown.
func (r *Row) Text(k Key) string {
	if k == Owner && r.Likely != "" {
		return r.Likely
	}
	return r.Names[k]
}

// Sum returns the row of all events. It has no names.
func (c *Counter) Sum() Row {
	r := Row{Total: c.total}
	c.clock.addTo(&r.History, c.second)
	return r
}

// Rows returns a row for each combination of names by the keys of g, in no
// particular order.
func (c *Counter) Rows(g Group) []*Row {
	rows := make(map[Names]*Row)
	for k := range c.kinds.All {
		names := g.of(c.names(k))
		r, ok := rows[names]
		if !ok {
			r = &Row{Names: names}
			rows[names] = r
		}
		c.addTo(r, k)
	}
	return slices.Collect(maps.Values(rows))
}

// names returns those of a kind. A likely owner is dropped if there are counts
// without an owner that may belong to it: a source that counts in the kernel never
// guesses.
func (c *Counter) names(e *entry) Names {
	if e.Key.guessed && c.sampled(e) {
		return c.kinds.Find(e.Key.unowned()).Value.names
	}
	return e.Value.names
}

// sampled reports whether the events of this kind were all reported individually,
// while others that differ only in having no owner were counted.
func (c *Counter) sampled(e *entry) bool {
	if e.Value.counted || e.Key.owner == (ownerKey{}) {
		return false
	}
	u := c.kinds.Find(e.Key.unowned())
	return u != nil && u.Value.counted
}

// addTo adds the events of a kind to a row.
func (c *Counter) addTo(r *Row, e *entry) {
	k := e.Value
	r.Total += e.Count
	k.clock.addTo(&r.History, c.second)
	if r.Example == nil || e.Count > r.largest {
		r.Example, r.largest = k.example, e.Count
	}
	switch owner := k.names[Owner]; {
	case r.Names[Owner] == "": // not grouped by owner
	case owner == r.Names[Owner]:
		r.Sampled = r.Sampled || c.sampled(e)
	case r.Likely == "":
		r.Likely = owner
	case r.Likely != owner:
		r.Likely = Several
	}
}

// A Detail is a Row with more about its events.
type Detail struct {
	Row
	Seen  uint64         // those with a known flow: those reported individually
	Flows []Flow         // the flow with most first
	Rest  uint64         // those of Seen for whose flow there was no room
	Last  []*event.Event // the last packets, the latest first
	Netns []string       // network namespaces of the events, sorted, as in Names; none is known: empty
}

// A Flow is the packets from one address and port to another. All ports of a client
// count as one.
type Flow struct {
	Name  string // ready to print
	Count uint64 // packets
}

// Detail returns the row with these names by the keys of g, and more about it. It
// is empty if there is no such row.
func (c *Counter) Detail(g Group, names Names) Detail {
	d := Detail{Row: Row{Names: names}}
	flows := make(map[string]uint64)
	for k := range c.kinds.All {
		if g.of(c.names(k)) != names {
			continue
		}
		c.addTo(&d.Row, k)
		if name := c.names(k)[Netns]; name != "-" && !slices.Contains(d.Netns, name) {
			d.Netns = append(d.Netns, name)
		}
		d.Seen += k.Value.seen
		for name, n := range k.Value.flows {
			flows[name] += n
		}
		d.Last = append(d.Last, k.Value.last.events...)
	}
	d.sort(flows)
	return d
}

// sort fills in the flows and puts everything in order.
func (d *Detail) sort(flows map[string]uint64) {
	slices.Sort(d.Netns)
	d.Rest = d.Seen
	for name, n := range flows {
		d.Flows = append(d.Flows, Flow{name, n})
		d.Rest -= n
	}
	slices.SortFunc(d.Flows, func(a, b Flow) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
	})
	slices.SortStableFunc(d.Last, func(a, b *event.Event) int { return b.Time.Compare(a.Time) })
	d.Last = d.Last[:min(len(d.Last), maxLast)]
}
