package counters

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/event"
)

func unhex(t testing.TB, digits string) []byte {
	t.Helper()
	b, err := hex.DecodeString(digits)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

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

// xtTestTables are the tables filter in testdata, of iptables-legacy and ip6tables-legacy.
func xtTestTables(t testing.TB) (all []*xtTable) {
	t.Helper()
	text, err := os.ReadFile("testdata/iptables.txt")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var name, entries string
		x := new(xtTable)
		h, u := &x.hookEntries, &x.underflows
		_, err := fmt.Sscan(line, &name, &x.hooks, &h[0], &h[1], &h[2], &h[3], &h[4], &u[0], &u[1], &u[2], &u[3], &u[4], &entries)
		if err != nil {
			t.Fatal(err)
		}
		x.entries = unhex(t, entries)
		all = append(all, x)
	}
	return all
}

// TestIPTables: rules are known by their text, so that a rule more or less before one
// changes nothing.
func TestIPTables(t *testing.T) {
	r := newReading(IPTables)
	for i, table := range xtTestTables(t) {
		if err := r.xtTable(&xtFamilies[i], "filter", table); err != nil {
			t.Fatal(err)
		}
	}
	const want = `iptables.drop_packets | ip filter INPUT -s 10.0.0.0/8 -p tcp -m tcp --dport 22 -j DROP | rule 1 | INPUT | 0
iptables.drop_packets | ip filter INPUT -d 1.2.3.4/32 ! -i eth+ -p udp -m udp --sport 1:5 -m comment --comment "hello" -j REJECT` +
		` | rule 2 | INPUT | 0
iptables.packets | ip filter INPUT -m conntrack ... -j sub | rule 3 | INPUT | 0
iptables.packets | ip filter INPUT policy | policy ACCEPT | INPUT | 0
iptables.drop_packets | ip filter FORWARD policy | policy DROP | FORWARD | 0
iptables.packets | ip filter OUTPUT policy | policy ACCEPT | OUTPUT | 0
iptables.drop_packets | ip filter sub -p udp -j DROP | rule 1 |  | 0
iptables.drop_packets | ip filter sub -p udp -j DROP (2) | rule 2 |  | 0
iptables.packets | ip filter sub -p udp | rule 3 |  | 0
iptables.packets | ip6 filter INPUT policy | policy ACCEPT | INPUT | 0
iptables.packets | ip6 filter FORWARD policy | policy ACCEPT | FORWARD | 0
iptables.drop_packets | ip6 filter OUTPUT -d fe80::/10 -p udp -j DROP | rule 1 | OUTPUT | 0
iptables.packets | ip6 filter OUTPUT policy | policy ACCEPT | OUTPUT | 0
`
	if got := r.text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestIPTablesCutShort: an error, never rules that are not there.
func TestIPTablesCutShort(t *testing.T) {
	table := xtTestTables(t)[0]
	table.entries = table.entries[:len(table.entries)-1]
	r := newReading(IPTables)
	if err := r.xtTable(&xtFamilies[0], "filter", table); err == nil || len(r.into.Counters) != 0 {
		t.Errorf("%d counters, %v: want an error alone", len(r.into.Counters), err)
	}
}

// FuzzIPTables: no table makes it fail, and none has more rules than there is room for.
func FuzzIPTables(f *testing.F) {
	for _, table := range xtTestTables(f) {
		f.Add(table.entries, table.hooks)
	}
	f.Fuzz(func(t *testing.T, entries []byte, hooks uint32) {
		for i := range xtFamilies {
			r := newReading(IPTables)
			r.xtTable(&xtFamilies[i], "filter", &xtTable{entries: entries, hooks: hooks})
			if n := len(r.into.Counters); n > len(entries)/xtFamilies[i].end {
				t.Errorf("%d rules in %d bytes", n, len(entries))
			}
		}
	})
}

// TestPermission: the error says what to do.
func TestPermission(t *testing.T) {
	f := Failure{event.Netns{}, IPTables, os.ErrPermission}
	if got := f.Error(); !slices.Contains(strings.Fields(got), "(try") {
		t.Errorf("got %s", got)
	}
}
