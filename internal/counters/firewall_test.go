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

// messages are those of nf_tables in testdata, by their type: of Linux 6.18, for
// the rules in TestNFTables.
func messages(t testing.TB) map[string][][]byte { return messagesOf(t, "testdata/nftables.txt") }

func messagesOf(t testing.TB, name string) map[string][][]byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string][][]byte)
	for line := range strings.Lines(string(text)) {
		typ, digits, _ := strings.Cut(strings.TrimSpace(line), " ")
		all[typ] = append(all[typ], unhex(t, digits))
	}
	return all
}

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

// TestNFTables: a rule is a drop only if all that it counts is dropped. The texts are
// nft's, but for elements of unnamed sets, limits and what reject answers.
func TestNFTables(t *testing.T) {
	r, m := newReading(NFTables), messages(t)
	rules := rulesOf{hooks: make(map[string]string), named: make(map[string]*nftRule)}
	for _, message := range m["4"] {
		c, err := parseChain(message)
		if err != nil {
			t.Fatal(err)
		}
		rules.hooks[c.name] = c.hook
	}
	for _, message := range m["7"] {
		rule, err := parseRule(message)
		if err != nil {
			t.Fatal(err)
		}
		r.nftRule(&rule, &rules)
	}
	for _, message := range m["19"] {
		if err := r.nftObject(message, rules.named); err != nil {
			t.Fatal(err)
		}
	}
	const want = `nftables.drop_packets | inet fw input handle 6 | ct state invalid counter drop | INPUT | 0
nftables.packets | inet fw input handle 7 | tcp dport 22 counter accept | INPUT | 0
nftables.drop_packets | inet fw input handle 8 | iifname "eth*" ip saddr 192.168.0.0/16 udp dport 53 counter reject | INPUT | 0
nftables.drop_packets | inet fw input handle 9 | ip saddr @blocked counter drop comment "block list" | INPUT | 0
nftables.drop_packets | inet fw input handle 10 | ip6 saddr fe80::/10 icmpv6 type 128 counter drop | INPUT | 0
nftables.packets | inet fw input handle 11 | counter limit drop | INPUT | 0
nftables.drop_packets | inet fw input handle 14 | udp dport >= 10 udp dport <= 12 counter log drop | INPUT | 0
nftables.packets | inet fw input handle 15 | udp sport != 5 meta mark 0x00000003 counter jump sub | INPUT | 0
nftables.drop_packets | inet fw input handle 18 | tcp flags & 0x12 == 0x02 counter drop | INPUT | 0
nftables.packets | inet fw input handle 19 | meta skuid 0 counter | INPUT | 0
nftables.packets | inet fw input handle 20 | ct state established,related counter accept | INPUT | 0
nftables.drop_packets | inet fw input handle 21 | ip daddr 1.2.3.4 ip protocol tcp counter drop | INPUT | 0
nftables.packets | inet fw input handle 23 | udp dport vmap { ... } counter | INPUT | 0
nftables.drop_packets | inet fw sub handle 24 | counter drop |  | 0
nftables.drop_packets | netdev nd c handle 2 | meta iiftype 1 ether saddr 00:11:22:33:44:55 counter drop | ingress | 0
nftables.drop_packets | bridge br c handle 2 | counter drop | bridge forward | 3
nftables.drop_packets | inet fw counter named | udp dport { ... } counter name "named" drop |  | 0
nftables.packets | inet fw counter both | udp dport 9 counter name "both" drop; udp dport 99 counter name "both" accept |  | 0
`
	if got := r.text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestPolicy: a chain that counts tells what came to its policy.
func TestPolicy(t *testing.T) {
	r := newReading(NFTables)
	r.nftPolicy(&nftChain{name: "ip filter FORWARD", hook: "FORWARD", drop: true, packets: 7, counts: true})
	r.nftPolicy(&nftChain{name: "ip filter INPUT", hook: "INPUT", drop: true})
	const want = "nftables.drop_packets | ip filter FORWARD policy | policy drop | FORWARD | 7\n"
	if got := r.text(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
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

func TestHookNames(t *testing.T) {
	for _, test := range []struct {
		family string
		hook   uint32
		want   string
	}{
		{"ip", 4, "POSTROUTING"}, {"inet", 5, "ingress"}, {"netdev", 1, "egress"}, {"bridge", 0, "bridge prerouting"},
		{"arp", 1, "arp output"}, {"ip", 9, "hook 9"},
	} {
		if got := hookName(test.family, test.hook); got != test.want {
			t.Errorf("hook %d of %s is %s, want %s", test.hook, test.family, got, test.want)
		}
	}
}

// FuzzNFTables: no message makes it fail.
func FuzzNFTables(f *testing.F) {
	for _, of := range messages(f) {
		for _, message := range of {
			f.Add(message)
		}
	}
	f.Fuzz(func(t *testing.T, message []byte) {
		parseChain(message)
		if rule, err := parseRule(message); err == nil {
			newReading(NFTables).nftRule(&rule, &rulesOf{named: make(map[string]*nftRule)})
		}
		newReading(NFTables).nftObject(message, nil)
	})
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
