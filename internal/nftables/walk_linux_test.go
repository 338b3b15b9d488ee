package nftables

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// datagram is a packet of UDP from port 40000, of either family, that came in by eth0.
func datagram(t testing.TB, from, to string, port uint16) Packet {
	t.Helper()
	src, dst := netip.MustParseAddr(from), netip.MustParseAddr(to)
	udp := binary.BigEndian.AppendUint16([]byte{0x9c, 0x40}, port)
	udp = append(udp, 0, 9, 0, 0, 'x')
	e := event.Event{Port: event.Port{IfIndex: 2, IfName: "eth0"}}
	data := []byte{0x45, 0, 0, 29, 0, 1, 0, 0, 64, 17, 0, 0}
	e.Packet.Proto = event.EtherIPv4
	if src.Is6() {
		e.Packet.Proto = event.EtherIPv6
		data = []byte{0x60, 0, 0, 0, 0, 9, 17, 64}
	}
	data = append(append(data, src.AsSlice()...), dst.AsSlice()...)
	e.Packet.Data = binary.BigEndian.AppendUint16([]byte{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2}, e.Packet.Proto)
	e.Packet.Data = append(append(e.Packet.Data, data...), udp...)
	e.Packet.HasData, e.Packet.HasProto, e.Packet.HasLen, e.Packet.Len = true, true, true, uint32(len(e.Packet.Data))
	p, ok := NewPacket(&e)
	if !ok {
		t.Fatal("no packet")
	}
	return p
}

// suspects writes what may drop a packet: "surely" or "perhaps", and the chain or rule.
func suspects(t testing.TB, rules *Ruleset, hook string, p Packet) string {
	t.Helper()
	found, err := rules.Suspects(hook, &p)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, s := range found {
		words := "perhaps "
		if s.Certain {
			words = "surely "
		}
		if s.Policy {
			words += s.Object + " "
		}
		all = append(all, words+s.Text)
	}
	return strings.Join(all, "; ")
}

// inputs are chains at INPUT, with what may drop a datagram from 192.0.2.1 to port 9 of
// 198.51.100.2, or its beginning.
var inputs = []struct{ name, rules, want string }{
	{"no rule", "", ""},
	{"a port", "udp dport 9 drop", "surely udp dport 9 drop"},
	{"another port", "udp dport 10 drop", ""},
	{"another protocol", "tcp dport 9 drop", ""},
	{"reject", "udp dport 9 reject", "surely udp dport 9 reject"},
	{"the first of two", "udp dport 9 drop; meta l4proto udp drop", "surely udp dport 9 drop"},
	{"accept before", "udp dport 9 accept; drop", ""},
	{"a network", "ip saddr 192.0.2.0/24 drop", "surely ip saddr 192.0.2.0/24 drop"},
	{"another network", "ip saddr 192.0.3.0/28 drop", ""},
	{"IPv6", "ip6 saddr 2001:db8::/32 drop", ""},
	{"a range", "udp dport 5-9 drop", "surely udp dport >= 5 udp dport <= 9 drop"},
	{"not a range", "udp dport != 5-9 drop", ""},
	{"an order", "udp dport > 8 drop", "surely udp dport > 8 drop"},
	{"an interface", `iifname "eth0" drop`, `surely iifname "eth0" drop`},
	{"the beginning of one", `iifname "et*" drop`, `surely iifname "et*" drop`},
	{"another interface", `iifname "lo" drop`, ""},
	{"no interface to leave by", `oifname "eth0" drop`, ""},
	{"an Ethernet address, of an interface of unknown type", "ether saddr 02:00:00:00:00:02 drop", "perhaps"},
	{"another Ethernet address", "ether saddr 02:00:00:00:00:03 drop", ""},
	{"a mark", "meta mark 7 drop", "perhaps meta mark 0x00000007 drop"},
	{"a state", "ct state invalid drop", "perhaps ct state invalid drop"},
	{"a state before", "ct state established accept; udp dport 9 drop", "perhaps udp dport 9 drop"},
	{"a share", "udp dport 9 numgen random mod 25 0 drop", "perhaps udp dport 9 numgen random mod 25 0 drop"},
	{"a share in turn", "udp dport 9 numgen inc mod 3 < 2 drop", "perhaps udp dport 9 numgen inc mod 3 < 2 drop"},
	{"what is not known", "udp dport 9 fib saddr oif 0 drop", "perhaps udp dport 9 fib saddr oif 0 drop"},
	{"over a limit", "limit rate over 10/second drop", "perhaps limit rate over 10/second drop"},
	{"over a count", "ct count over 2 drop", "perhaps ct count over 2 drop"},
	{"a limit", "udp dport 9 limit rate 1/second accept; drop", "perhaps drop"},
	{
		"a later policy", "ct state new drop; }; chain d { type filter hook input priority 5; policy drop",
		"perhaps ct state new drop; perhaps inet t d policy drop",
	},
	{
		"another priority first", "udp dport 9 drop; }; chain d { type filter hook input priority -5; udp dport 9 accept; drop",
		"surely udp dport 9 drop",
	},
	{
		"as early as another", "udp dport 9 drop; }; chain d { type filter hook input priority 0; meta l4proto udp drop",
		"perhaps udp dport 9 drop; perhaps meta l4proto udp drop",
	},
	{"a set", "udp dport { 7, 9 } drop", "surely udp dport { 7, 9 } drop"},
	{"not in a set", "udp dport != { 7, 9 } drop", ""},
	{"intervals", "udp dport { 1-5, 8-10 } drop", "surely"},
	{"between intervals", "udp dport { 1-8, 10-11 } drop", ""},
	{"networks", "ip saddr { 192.0.2.0/25, 198.51.100.0/24 } drop", "surely"},
	{"to the end", "udp dport { 8-65535 } drop", "surely"},
	{"a concatenation", "ip saddr . udp dport { 192.0.2.1 . 9 } drop", "surely"},
	{"another concatenation", "ip saddr . udp dport { 192.0.2.1 . 7, 192.0.2.2 . 9 } drop", ""},
	{"ranges in a concatenation", "ip saddr . udp dport { 192.0.2.0/24 . 5-10 } drop", "surely"},
	{"other ranges", "ip saddr . udp dport { 192.0.2.0/24 . 10-12 } drop", ""},
	{"part of it is unknown", "meta mark . udp dport { 1 . 9 } drop", "perhaps"},
	{"enough of it is known", "meta mark . udp dport { 1 . 7 } drop", ""},
	{"a map of verdicts", "udp dport vmap { 9 : drop, 7 : accept }", "surely"},
	{"a map of verdicts by state", "ct state vmap { established : accept, invalid : drop }", "perhaps"},
	{"jump", "udp dport 9 jump s; }; chain s { ip saddr 192.0.2.1 drop", "surely ip saddr 192.0.2.1 drop"},
	{"return", "udp dport 9 jump s; udp dport 9 drop; }; chain s { ip saddr 192.0.2.1 return; drop", "surely udp dport 9 drop"},
	{"goto", "udp dport 9 goto s; udp dport 9 drop; }; chain s { ip saddr 192.0.2.2 drop", ""},
	{
		"perhaps a jump", "ct state new jump s; drop; }; chain s { ip saddr 192.0.2.1 drop",
		"perhaps ip saddr 192.0.2.1 drop; perhaps drop",
	},
	{"a counter that did not rise", "udp dport 9 counter drop; meta l4proto udp drop", "surely meta l4proto udp drop"},
	{"the length of a header", "ip hdrlength 5 drop", "surely"},
	{"a dynamic set", "ip saddr @dyn drop", "perhaps ip saddr @dyn drop"},
	{"beyond the packet", "@th,512,16 1 drop", ""},
	{"translated before", "udp dport set 7; udp dport 9 drop", "perhaps udp dport 9 drop"},
	{"another protocol's map", "meta l4proto vmap { udp : jump s, tcp : drop }; }; chain s { drop", "surely drop"},
	{"a dormant table", "}; }; table inet asleep { flags dormant; chain c { type filter hook input priority -9; drop", ""},
}

// TestSuspects: rules that nft made, against a packet.
func TestSuspects(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	p := datagram(t, "192.0.2.1", "198.51.100.2", 9)
	for _, test := range inputs {
		t.Run(test.name, func(t *testing.T) {
			withRuleset(t, ns, "table inet t { set dyn { type ipv4_addr; flags dynamic, timeout; timeout 9m; elements = { 192.0.2.7 }; };"+
				" chain c { type filter hook input priority 0; "+test.rules+"; }; }", func(r *Ruleset) {
				got := suspects(t, r, "INPUT", p)
				if test.want == "" && got != "" || !strings.HasPrefix(got, test.want) {
					t.Errorf("got %q, want %q", got, test.want)
				}
			})
		})
	}
}

// TestLimits: the rule is found that accepts such packets up to a limit, before the one that dropped what was over it.
func TestLimits(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	p := datagram(t, "192.0.2.1", "198.51.100.2", 9)
	const objects = "limit l { rate 5/second; }; quota q { 9 mbytes; };"
	for _, test := range []struct{ rules, want string }{
		{"udp dport 9 limit rate 5/second accept; udp dport 9 drop", "udp dport 9 limit rate 5/second accept"},
		{"udp dport 9 limit rate 5/second accept; counter drop", "udp dport 9 limit rate 5/second accept"},
		{"limit rate 5/second udp dport 9 counter accept; drop", "limit rate 5/second udp dport 9 counter accept"},
		{`limit name "l" accept; drop`, `limit name "l" accept`},
		{`quota name "q" accept; drop`, `quota name "q" accept`},
		{"ct count 9 accept; drop", "ct count 9 accept"},
		{"udp dport 7 limit rate 5/second accept; udp dport 9 drop", ""}, // for other packets
		{"ct state established limit rate 5/second accept; udp dport 9 drop", ""},
		{"limit rate 5/second log; udp dport 9 drop", ""},
		{"udp dport 9 drop; limit rate 5/second accept", ""}, // after it
		{"udp dport 9 limit rate over 5/second drop", ""},
	} {
		chain := " chain c { type filter hook input priority 0; " + test.rules + "; }; }"
		withRuleset(t, ns, "table inet t { "+objects+chain, func(r *Ruleset) {
			rules := r.rules["inet t c"]
			dropped := rules[slices.IndexFunc(rules, func(one *rule) bool { return strings.HasSuffix(one.text, "drop") })]
			if got, ok := r.Limits(dropped.name(), "INPUT", &p); got.Text != test.want || ok != (test.want != "") {
				t.Errorf("%s: %q", test.rules, got.Text)
			}
		})
	}
	const policy = "policy drop; udp dport 9 limit rate 5/second accept"
	withRuleset(t, ns, "table inet t { chain c { type filter hook input priority 0; "+policy+"; }; }", func(r *Ruleset) {
		if _, ok := r.Limits("inet t c", "INPUT", &p); !ok {
			t.Error("nothing before the policy")
		}
	})
	const two = "table inet t { chain c { type filter hook input priority 0; limit rate 5/second accept; };" +
		" chain d { type filter hook input priority 5; drop; }; }"
	withRuleset(t, ns, two, func(r *Ruleset) {
		if got, ok := r.Limits(r.rules["inet t d"][0].name(), "INPUT", &p); ok {
			t.Errorf("another chain, to which all packets come: %q", got.Text)
		}
	})
}

// withRuleset calls use with the rules that nft makes of a text.
func withRuleset(t *testing.T, ns *drops.Namespace, text string, use func(*Ruleset)) {
	t.Helper()
	ns.Do(func() error {
		out, err := exec.Command("nft", "flush ruleset; "+text).CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		rules, err := Read()
		if err == nil {
			use(rules)
		}
		return err
	})
}

// TestSuspectsOfOthers: other hooks, families and packets of which less is known.
func TestSuspectsOfOthers(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	short := datagram(t, "192.0.2.1", "198.51.100.2", 9)
	short.Network, short.Whole = short.Network[:20], false
	fragment := datagram(t, "192.0.2.1", "198.51.100.2", 9)
	fragment.Network[7] = 1
	fragment.findTransport()
	fragment.transport = -1
	const text = "table ip t { chain c { type filter hook forward priority 0; policy drop; udp dport 9 accept; }; };" +
		" table ip6 t { chain c { type filter hook input priority 0; ip6 daddr 2001:db8::9 udp dport 9 drop; }; }"
	withRuleset(t, ns, text, func(r *Ruleset) {
		for _, test := range []struct {
			name, hook string
			p          Packet
			want       string
		}{
			{"accepted", "FORWARD", datagram(t, "192.0.2.1", "198.51.100.2", 9), ""},
			{"dropped by policy", "FORWARD", datagram(t, "192.0.2.1", "198.51.100.2", 7), "surely ip t c policy drop"},
			{"bridged", "bridge FORWARD", datagram(t, "192.0.2.1", "198.51.100.2", 7), "surely ip t c policy drop"},
			{"truncated", "FORWARD", short, "perhaps ip t c policy drop"},
			{"a later fragment", "FORWARD", fragment, "surely ip t c policy drop"},
			{"IPv6", "INPUT", datagram(t, "2001:db8::1", "2001:db8::9", 9), "surely ip6 daddr 2001:db8::9 udp dport 9 drop"},
			{"of another family", "FORWARD", datagram(t, "2001:db8::1", "2001:db8::9", 9), ""},
			{"no chain", "OUTPUT", short, ""},
		} {
			if got := suspects(t, r, test.hook, test.p); got != test.want {
				t.Errorf("%s: got %q, want %q", test.name, got, test.want)
			}
		}
		if names := r.Chains(); !slices.Equal(names, []Chain{{"ip t c", "FORWARD", true}, {"ip6 t c", "INPUT", false}}) {
			t.Errorf("chains %v", names)
		}
	})
}
