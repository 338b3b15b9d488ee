package zoo

import (
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/member"
	"dropwatch/internal/point"
	"dropwatch/internal/source/probe"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
	"dropwatch/kallsyms"
)

// reached are built-in points and a scenario that reaches each once for each packet that it loses, and else not.
var reached = map[string]string{
	"tcp_accept_queue":     "TCP accept queue full, somaxconn is smaller",
	"tcp_accept_queue_ack": "TCP accept queue full at the end of a handshake",
	"tcp_syn_queue":        "TCP SYN queue full, no cookies",
	"checksum":             "UDP with a wrong checksum",
	"nftables":             "nft OUTPUT",
	"nftables_policy":      "nft INPUT, by policy",
	"netfilter_drop":       "nft OUTPUT",
	"conntrack_insert":     "conntrack entry that clashes (insert_failed)",
	"rp_filter":            "rp_filter",
	"martian_source":       "source address of this host",
	"pmtu":                 "too big, and DF is set",
	"fragment_memory":      "fragment memory full",
	"vlan_unknown":         "VLAN tag without an interface",
	"forward_mtu":          "bridged frame that exceeds the MTU of a port",
	"tc_action":            "tc police action",
}

// TestGuestPoints: what happens at a point is what it says, as often as packets are lost.
func TestGuestPoints(t *testing.T) {
	for _, module := range []string{"nf_tables", "nf_conntrack"} {
		loadModule(module)
	}
	symbols := new(kallsyms.Live)
	if err := symbols.Load(); err != nil {
		t.Fatal(err)
	}
	ns, types := drops.NewNamespace(t), member.Running()
	for name, scenario := range reached {
		p, ok := point.Lookup(name)
		i := slices.IndexFunc(Scenarios, func(s Scenario) bool { return s.Name == scenario })
		if !ok || i < 0 {
			t.Errorf("there is no point %s, or no scenario %s", name, scenario)
			continue
		}
		t.Run(name, func(t *testing.T) {
			c := &result{Scenario: &Scenarios[i], netns: "points"}
			n := ns.Of(t)
			lose := c.prepare(n)
			if lose == nil {
				t.Fatal(n.Lacks())
			}
			source, err := probe.Open(probe.Options{Points: []point.Point{p}, Types: types, Symbols: symbols})
			if strings.HasPrefix(name, "nftables") && !guest.AtLeast(6, 1) { // modules have no types
				if err == nil {
					t.Fatal("it was opened", source.Close())
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r := sourcetest.Run(t, source, func(e *event.Event) bool { // some have no namespace
				return e.Kind == event.Point && (e.Netns.Inode == 0 || e.Netns.Inode == n.Inode())
			})
			lose()
			events := r.End()
			if got := len(events); got != packets {
				t.Errorf("reached %d times, want %d: %+v", got, packets, events)
			}
		})
	}
}
