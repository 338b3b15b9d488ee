package nftables

import (
	"testing"

	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// details are rules with sets, as they are written for a datagram from 192.0.2.1 to port 9 of 198.51.100.2.
var details = []struct {
	name, rule string
	want       Detail
}{
	{"no set", "udp dport 9 drop", Detail{Text: "udp dport 9 drop"}},
	{"a set", "udp dport { 9, 7 } drop", Detail{Text: "udp dport { 7, 9 } drop", Element: "9"}},
	{"not in it", "udp dport { 8, 7 } drop", Detail{Text: "udp dport { 7, 8 } drop"}},
	{"not the others", "udp dport != { 8, 7 } drop", Detail{Text: "udp dport != { 7, 8 } drop"}},
	{
		"many", "udp dport { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 } drop",
		Detail{Text: "udp dport { 1, 2, 3, 4, 5, 6, 7, 8, and 2 more } drop", Element: "9"},
	},
	{"intervals", "udp dport { 1-5, 8-10, 12 } drop", Detail{Text: "udp dport { 1-5, 8-10, 12 } drop", Element: "8-10"}},
	{"to the end", "udp dport { 1, 8-65535 } drop", Detail{Text: "udp dport { 1, 8-65535 } drop", Element: "8-65535"}},
	{
		"networks", "ip saddr { 192.0.2.0/25, 198.51.100.7-198.51.100.9 } drop",
		Detail{Text: "ip saddr { 192.0.2.0/25, 198.51.100.7-198.51.100.9 } drop", Element: "192.0.2.0/25"},
	},
	{
		"half of all", "ip saddr { 10.0.0.0/8, 128.0.0.0/1 } drop",
		Detail{Text: "ip saddr { 10.0.0.0/8, 128.0.0.0/1 } drop", Element: "128.0.0.0/1"},
	},
	{"protocols", "meta l4proto { tcp, udp } drop", Detail{Text: "meta l4proto { tcp, udp } drop", Element: "udp"}},
	{"interfaces", `iifname { "eth0", "lo" } drop`, Detail{Text: `iifname { "eth0", "lo" } drop`, Element: `"eth0"`}},
	{
		"a concatenation", "ip saddr . udp dport { 192.0.2.1 . 9, 192.0.2.1 . 7 } drop",
		Detail{Text: "ip saddr . udp dport { 192.0.2.1 . 7, 192.0.2.1 . 9 } drop", Element: "192.0.2.1 . 9"},
	},
	{
		"ranges in it", "ip saddr . udp dport { 192.0.2.0/24 . 5-10 } drop",
		Detail{Text: "ip saddr . udp dport { 192.0.2.0/24 . 5-10 } drop", Element: "192.0.2.0/24 . 5-10"},
	},
	{"verdicts", "udp dport vmap { 9 : drop, 7 : jump sub }", Detail{Text: "udp dport vmap { 7 : jump sub, 9 : drop }"}},
	{
		"a name", "ip saddr @blocked counter drop comment \"list\"",
		Detail{
			Text: `ip saddr @blocked counter drop comment "list"`, Element: "192.0.2.1", Set: "@blocked",
			Delete: "inet t blocked { 192.0.2.1 }",
		},
	},
	{
		"elements that expire", "ip saddr @dyn drop",
		Detail{Text: "ip saddr @dyn drop", Element: "192.0.2.1", Set: "@dyn", Delete: "inet t dyn { 192.0.2.1 }"},
	},
	{"constant", "udp dport @fixed drop", Detail{Text: "udp dport @fixed drop", Element: "9", Set: "@fixed"}},
	{"two sets", "ip saddr @blocked udp dport @fixed drop", Detail{Text: "ip saddr @blocked udp dport @fixed drop"}},
	{"a name, not in it", "ip daddr @blocked drop", Detail{Text: "ip daddr @blocked drop"}},
	{"a state", "ct state { invalid, new } drop", Detail{Text: "ct state { invalid, new } drop"}},
}

// TestDetail: the elements of sets are as nft has them, and the one is named that the packet is.
func TestDetail(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	p := datagram(t, "192.0.2.1", "198.51.100.2", 9)
	const sets = "set blocked { type ipv4_addr; elements = { 192.0.2.1, 192.0.2.7 }; };" +
		" set dyn { type ipv4_addr; flags dynamic, timeout; timeout 9m; elements = { 192.0.2.1 }; };" +
		" set fixed { type inet_service; flags constant; elements = { 9 }; };"
	for _, test := range details {
		t.Run(test.name, func(t *testing.T) {
			withRuleset(t, ns, "table inet t { "+sets+" chain sub { }; chain c { type filter hook input priority 0; "+test.rule+"; }; }",
				func(r *Ruleset) {
					name := r.rules["inet t c"][0].name()
					if got, ok := r.Detail(name, "INPUT", &p); !ok || got != test.want {
						t.Errorf("got\n%+v, want\n%+v", got, test.want)
					}
					if got, ok := r.Detail(name, "INPUT", nil); !ok || got != (Detail{Text: test.want.Text}) {
						t.Errorf("without a packet: %+v", got)
					}
					if got, ok := r.Detail(name+"0", "INPUT", &p); ok {
						t.Errorf("a rule that is not there: %+v", got)
					}
				})
		})
	}
}

// TestReached: a handle names the rule of its table, in any chain, and none the policy.
func TestReached(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	const other = "table ip t { chain c { type filter hook output priority 0; policy accept; meta l4proto tcp drop; }; }; "
	withRuleset(t, ns, other+"table inet t { chain sub { udp dport 9 drop; }; "+
		"chain c { type filter hook input priority 0; policy drop; udp dport { 7, 9 } jump sub; }; }", func(r *Ruleset) {
		sub := r.rules["inet t sub"][0]
		for _, tt := range []struct {
			family byte
			chain  string
			handle uint64
			want   Suspect
			hook   string
		}{
			{1, "c", sub.handle, Suspect{Object: sub.name(), Text: "udp dport 9 drop", Certain: true}, "INPUT"},
			{1, "c", r.rules["inet t c"][0].handle,
				Suspect{Object: r.rules["inet t c"][0].name(), Text: "udp dport { 7, 9 } jump sub", Certain: true}, "INPUT"},
			{1, "c", 0, Suspect{Object: "inet t c", Text: "policy drop", Policy: true, Certain: true}, "INPUT"},
			{2, "c", r.rules["ip t c"][0].handle,
				Suspect{Object: r.rules["ip t c"][0].name(), Text: "meta l4proto tcp drop", Certain: true}, "OUTPUT"},
			{1, "c", 999, Suspect{}, "INPUT"},
			{1, "gone", sub.handle, Suspect{}, ""},
			{99, "c", sub.handle, Suspect{}, ""},
		} {
			if got, hook := r.Reached(tt.family, "t", tt.chain, tt.handle); got != tt.want || hook != tt.hook {
				t.Errorf("%d %s %d: %+v at %q, want %+v at %q", tt.family, tt.chain, tt.handle, got, hook, tt.want, tt.hook)
			}
		}
	})
}

// TestStatefulText: rules that limit, count or look a route up are as nft lists them.
func TestStatefulText(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	const objects = "quota q { over 10 mbytes; }; limit l { rate 5/second; }; counter n { };"
	for _, rule := range []string{
		"limit rate over 10/second drop", "limit rate 10/minute drop", "limit rate over 400/hour burst 7 packets drop",
		"limit rate over 10 kbytes/second drop", "limit rate over 10 mbytes/second burst 9000 kbytes drop",
		"limit rate over 1500 bytes/day drop", "limit rate 1/week drop", "ct count over 2 drop", "ct count 3 drop",
		"fib saddr . iif oif missing drop", "fib saddr . iif oif exists drop", "fib saddr . iif oif != 0 drop", "fib daddr type local drop",
		"fib daddr . iif type != { local, broadcast, multicast } drop", `fib saddr . mark oifname "lo" drop`,
		"quota over 10 mbytes drop", "quota 1500 bytes used 100 bytes drop", "numgen inc mod 2 offset 4 4 drop",
		`quota name "q" drop`, `limit name "l" drop`, `counter name "n" drop`,
		`osf name "Linux" drop`, `osf ttl loose version "Linux:3.0" drop`, `osf ttl skip name != "unknown" drop`,
		"socket transparent 1 drop", "socket mark 0x00000007 drop", "socket wildcard 0 drop",
		"jhash ip saddr mod 2 0 drop", "jhash ip saddr . ip daddr mod 8 seed 0xdeadbeef offset 100 104 drop", "symhash mod 2 1 drop",
		`log prefix "dropped: " drop`, `log prefix "d" level debug drop`, `log prefix "d" group 3 drop`, "log drop",
	} {
		withRuleset(t, ns, "table ip t { "+objects+" chain c { type filter hook prerouting priority 0; "+rule+"; }; }", func(r *Ruleset) {
			if got, ok := r.Detail(r.rules["ip t c"][0].name(), "PREROUTING", nil); !ok || got.Text != rule {
				t.Errorf("%q, want %q", got.Text, rule)
			}
		})
	}
}
