package diagnose_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestRuleFix: the commands are those for the very rule, in its network namespace.
func TestRuleFix(t *testing.T) {
	const nft, ipt = counters.NFTables, counters.IPTables
	const in, general = "ip netns exec blue ", "Allow the traffic if it is wanted. nft monitor trace shows the rule."
	const list = in + "iptables-legacy -t filter -L INPUT --line-numbers -v -n  # iptables, if there is no iptables-legacy"
	for object, want := range map[string]struct {
		group             counters.Group
		about, check, fix string
	}{
		"inet fw in handle 7": {nft, "udp dport 9 drop", in + "nft -a list chain inet fw in", in + "nft delete rule inet fw in handle 7"},
		"inet fw in policy": {
			nft, "policy drop", in + "nft -a list chain inet fw in", in + "nft add rule inet fw in ip saddr 10.0.0.1 udp dport 53 accept",
		},
		"inet fw in handle 8": {
			nft, "udp dport vmap { 53 : drop, 54 : accept }", in + "nft -a list chain inet fw in",
			in + "nft insert rule inet fw in handle 8 ip saddr 10.0.0.1 udp dport 53 accept",
		},
		"inet fw in handle 9": {
			nft, "ip saddr { 10.0.0.1, 10.0.0.3 } drop", in + "nft -a list chain inet fw in",
			in + "nft insert rule inet fw in handle 9 ip saddr 10.0.0.1 udp dport 53 accept",
		},
		"ip filter INPUT -j DROP": {
			ipt, "rule 3", list,
			in + "iptables-legacy -t filter -D INPUT 3",
		},
		"ip filter INPUT policy": {
			ipt, "policy DROP", list, "",
		},
		"ip filter $(reboot) -j DROP": {ipt, "rule 3", in + "nft list ruleset | grep -A20 'hook input'", ""},
	} {
		row := of(want.group, "", "drop_packets", 5)
		row.Object, row.About, row.Hook = object, want.about, "INPUT"
		d := diagnose.New(collect(t, dropped(5, "lo", "ip_local_deliver")), rose(row), nil)
		m := d.Findings[0].Meaning
		if m.Check[0] != want.check || strings.Join(m.Apply, "; ") != want.fix {
			t.Errorf("%s: check %q, fix %q", object, m.Check, m.Apply)
		}
		if (m.Fix == general) != strings.Contains(object, "$") {
			t.Errorf("%s: %s", object, m.Fix)
		}
	}
}

// TestDiscoveryFix: neighbour discovery is accepted before the rule or the policy that dropped it.
func TestDiscoveryFix(t *testing.T) {
	const nft, ipt = counters.NFTables, counters.IPTables
	for object, want := range map[string]struct {
		group counters.Group
		about string
		fixes []string
	}{
		"ip6 filter INPUT policy": {nft, "policy drop", []string{
			"nft insert rule ip6 filter INPUT icmpv6 type nd-neighbor-solicit accept",
			"nft insert rule ip6 filter INPUT icmpv6 type nd-neighbor-advert accept",
		}},
		"inet fw in handle 7": {nft, "meta l4proto ipv6-icmp drop", []string{
			"nft insert rule inet fw in handle 7 icmpv6 type nd-neighbor-solicit accept",
			"nft insert rule inet fw in handle 7 icmpv6 type nd-neighbor-advert accept",
		}},
		"ip6 filter INPUT -j DROP": {ipt, "rule 3", []string{
			"ip6tables-legacy -t filter -I INPUT 3 -p ipv6-icmp --icmpv6-type neighbour-solicitation -j ACCEPT",
			"ip6tables-legacy -t filter -I INPUT 3 -p ipv6-icmp --icmpv6-type neighbour-advertisement -j ACCEPT",
		}},
	} {
		row := of(want.group, "", "drop_packets", 5)
		row.Object, row.About, row.Hook = object, want.about, "INPUT"
		drop := dropped(5, "lo", "ip6_input")
		drop.Packet = event.Packet{Proto: event.EtherIPv6, HasProto: true, Flow: &event.Flow{Headers: event.Headers{
			Fields: event.FieldSrc | event.FieldDst | event.FieldICMPType, Network: event.IPv6, Transport: event.ICMPv6, ICMPType: 135,
			Protocol: 58, Src: netip.MustParseAddr("fe80::1"), Dst: netip.MustParseAddr("ff02::1:ff00:2"),
		}}}
		m := diagnose.New(collect(t, drop), rose(row), nil).Findings[0].Meaning
		for i, fix := range want.fixes {
			want.fixes[i] = "ip netns exec blue " + fix
		}
		if !strings.HasPrefix(m.Fix, "Accept ICMPv6") || !slices.Equal(m.Apply, want.fixes) {
			t.Errorf("%s: %s %q", object, m.Fix, m.Apply)
		}
	}
}

// TestConditionFix: a number is raised, and a route corrected, where a rule drops by those; a comment does not count.
func TestConditionFix(t *testing.T) {
	const in = "ip netns exec blue "
	const replace = in + "nft replace rule inet fw in handle 7 "
	for about, want := range map[string][2]string{
		"udp dport 9 limit rate over 10/second drop": {"Raise the limit", replace + "udp dport 9 limit rate over 21/second drop"},
		"limit rate over 10/minute burst 9 packets drop": { // 5 drops in 10 seconds
			"Raise the limit", replace + "limit rate over 80/minute burst 9 packets drop",
		},
		"limit rate over 10 kbytes/second drop":      {"Raise the limit", replace + "limit rate over N kbytes/second drop"},
		`iifname "a" limit rate over 10/second drop`: {"Raise the limit", replace + "RULE"},
		"limit rate over 10/second reject":           {"Raise the limit", replace + "RULE"},
		"ct count over 2 drop":                       {"Raise the count", replace + "ct count over N drop"},
		"quota over 10 mbytes used 10 mbytes drop":   {"The quota of this rule is used up", replace + "quota over N mbytes drop"},
		`quota name "q" drop`:                        {"The quota that this rule uses", in + "nft reset quota inet fw q"},
		"fib saddr . iif oif missing drop":           {"This rule filters by the reverse path", in + "ip route add "},
		"fib saddr . iif oif 0 drop":                 {"This rule filters by the reverse path", in + "ip route add "},
		"limit rate 10/second drop":                  {"Allow the traffic", in + "nft delete rule inet fw in handle 7"},
		`drop comment "limit rate over 1/second"`:    {"Allow the traffic", in + "nft delete rule inet fw in handle 7"},
		"fib daddr type local drop":                  {"Allow the traffic", in + "nft delete rule inet fw in handle 7"},
	} {
		row := of(counters.NFTables, "", "drop_packets", 5)
		row.Object, row.About, row.Hook = "inet fw in handle 7", about, "INPUT"
		m := diagnose.New(collect(t, dropped(5, "lo", "ip_local_deliver")), rose(row), nil).Findings[0].Meaning
		if !strings.HasPrefix(m.Fix, want[0]) || len(m.Apply) != 1 || !strings.HasPrefix(m.Apply[0], want[1]) {
			t.Errorf("%s: %s %q", about, m.Fix, m.Apply)
		}
	}
}
