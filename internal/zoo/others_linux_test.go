package zoo

import (
	"slices"
	"testing"
)

// withOthers has the first round, which is the largest, watched by source trace as well.
func withOthers(rounds []*round) []*round {
	rounds[0].source = "trace"
	return rounds
}

// unseen are the findings that a source need not make, by its name: it is told of no such drops on
// each kernel, or of a less specific reason.
var unseen = map[string][]string{
	"trace": {"XDP_EXCEPTION", "XDP_REDIRECT_ERR", "QDISC_DROP_GENERIC", "QDISC_DROP_OVERLIMIT", "QDISC_DROP_FLOW_LIMIT"},
}

// compare holds what was found against what the other source says of it. That may not know the
// network namespace, so that all that have the same finding count together. What it lost, and says so,
// may be any of them.
func (r *round) compare(t *testing.T, c *result) {
	if r.other == nil || c.found.ID == "" {
		return
	}
	var want uint64
	for _, other := range r.cases {
		if other.found.ID == c.found.ID {
			want += other.found.Count
		}
	}
	got := r.other.count(c.found.ID)
	switch {
	case got >= want:
		c.other = r.source
	case got+r.other.lost >= want:
		c.other = r.source + ", which lost some"
	case slices.Contains(unseen[r.source], c.found.ID):
		c.other = "not " + r.source
	default:
		c.other = "WRONG: " + r.source
		t.Errorf("%s: source %s says %d of %d: %s", c.Name, r.source, got, want, r.other.of(c.netns).text)
	}
}

// count adds up the findings with an ID.
func (d *diagnosis) count(id string) (n uint64) {
	for _, f := range d.findings {
		if f.ID == id {
			n += f.Count
		}
	}
	return n
}
