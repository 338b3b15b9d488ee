package zoo

import (
	"slices"
	"strings"
	"testing"
)

// withOthers has the first round, which is the largest, watched by source trace as well, and
// for the whole table by netdm.
func withOthers(rounds []*round, whole bool) []*round {
	rounds[0].sources = []string{"trace"}
	if whole {
		rounds[0].sources = append(rounds[0].sources, "netdm")
	}
	return rounds
}

// unseen are the findings that the other sources need not make: they are told of no such drops on
// each kernel, or of a less specific reason.
var unseen = []string{
	"XDP_EXCEPTION", "XDP_REDIRECT_ERR", "QDISC_DROP_GENERIC", "QDISC_DROP_OVERLIMIT", "QDISC_DROP_FLOW_LIMIT",
	"retransmissions",
}

// compare holds what was found against what the other sources say of it. They may not know the
// network namespace, so that all that have the same finding count together. What one lost, and says so,
// may be any of them.
func (r *round) compare(t *testing.T, c *result) {
	if c.found.ID == "" {
		return
	}
	var want uint64
	for _, other := range r.cases {
		want += other.found.count(c.found.ID)
	}
	var said []string
	for i, other := range r.others {
		source, got := r.sources[i], other.count(c.found.ID)
		switch {
		case got >= want:
			said = append(said, source)
		case got+other.lost >= want:
			said = append(said, source+", which lost some")
		case slices.Contains(unseen, c.found.ID):
			said = append(said, "not "+source)
		default:
			said = append(said, "WRONG: "+source)
			t.Errorf("%s: source %s says %d of %d: %s", c.Name, source, got, want, other.of(c.netns).text)
		}
	}
	c.other = strings.Join(said, "; ")
}

// count adds up the drops of all findings with an ID.
func (d *diagnosis) count(id string) (n uint64) {
	for _, f := range d.findings {
		n += f.count(id)
	}
	return n
}

// count is how many of its drops have an ID. Sources that do not know the network namespace do not join those of
// several.
func (f *finding) count(id string) (n uint64) {
	for _, p := range f.Parts {
		if p.ID == id {
			return p.Count
		}
	}
	if f.ID == id {
		return f.Count
	}
	return 0
}
