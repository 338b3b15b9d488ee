package counters

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/iptables"
)

func newReading(group Group) *reading { return &reading{group: group, into: new(Snapshot)} }

// text is the counters, one a line.
func (r *reading) text() string {
	var b strings.Builder
	for i := range r.into.Counters {
		c := &r.into.Counters[i]
		fmt.Fprintf(&b, "%s | %s | %s | %s | %d\n", c.ID(), c.Object, c.About, c.Hook, c.Value)
	}
	return b.String()
}

// TestIPTables: rules are known by their text, so that a rule more or less before one
// changes nothing.
func TestIPTables(t *testing.T) {
	r := newReading(IPTables)
	same := make(map[string]int)
	for i, rule := range []iptables.Rule{
		{Chain: "INPUT", Hook: "INPUT", Number: 1, Matches: "-s 10.0.0.0/8", Verdict: "DROP", Packets: 4},
		{Chain: "INPUT", Hook: "INPUT", Number: 2, Matches: "-m conntrack ...", Verdict: "sub"},
		{Chain: "INPUT", Hook: "INPUT", Verdict: "DROP", Packets: 5},
		{Chain: "sub", Number: 1, Verdict: "REJECT"},
		{Chain: "sub", Number: 2, Verdict: "REJECT"},
		{Chain: "sub", Number: 3},
	} {
		if i == 2 {
			r.xtPolicy(&iptables.IPv4, "filter", &rule)
			continue
		}
		r.xtRule(&iptables.IPv4, "filter", &rule, same)
	}
	const want = `iptables.drop_packets | ip filter INPUT -s 10.0.0.0/8 -j DROP | rule 1 | INPUT | 4
iptables.packets | ip filter INPUT -m conntrack ... -j sub | rule 2 | INPUT | 0
iptables.drop_packets | ip filter INPUT policy | policy DROP | INPUT | 5
iptables.drop_packets | ip filter sub -j REJECT | rule 1 |  | 0
iptables.drop_packets | ip filter sub -j REJECT (2) | rule 2 |  | 0
iptables.packets | ip filter sub | rule 3 |  | 0
`
	if got := r.text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestIPTablesDamaged: an error, never rules that are not there.
func TestIPTablesDamaged(t *testing.T) {
	r := newReading(IPTables)
	if err := r.xtTable(&iptables.IPv4, "filter", &iptables.Table{Entries: make([]byte, 300)}); err == nil || len(r.into.Counters) != 0 {
		t.Errorf("%d counters, %v: want an error alone", len(r.into.Counters), err)
	}
}

// TestPermission: the error says what to do.
func TestPermission(t *testing.T) {
	f := Failure{event.Netns{}, IPTables, os.ErrPermission}
	if got := f.Error(); !slices.Contains(strings.Fields(got), "(try") {
		t.Errorf("got %s", got)
	}
}
