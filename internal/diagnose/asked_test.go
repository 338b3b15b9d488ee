package diagnose_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/point"
)

// refusedAt is a drop by a firewall at a hook that a function calls.
func refusedAt(caller string) *event.Event {
	e := at("nf_hook_slow", "", 1)
	e.Reason, e.Individual = "NETFILTER_DROP", true
	e.Stack = []event.Frame{{Lookup: event.Found, Symbol: caller}}
	return e
}

// chainAt is the point of nftables in a chain of a hook.
func chainAt(chain, hook string) *event.Event {
	return &event.Event{
		Kind: event.Point, Point: "nftables", Count: 1, Netns: blue,
		Args: []event.Arg{{Name: "table", Text: "filter"}, {Name: "chain", Text: chain}, {Name: "hook", Text: hook}},
	}
}

// TestAsk: a new cause of drops asks for the points that say more of it, once; one of noise for none.
func TestAsk(t *testing.T) {
	var asked [][]string
	c := &diagnose.Collector{Ask: func(points []point.Point) {
		var names []string
		for _, p := range points {
			names = append(names, p.Name)
		}
		asked = append(asked, names)
	}}
	noise := udp("SOCKET_FILTER", 1)
	for _, e := range []*event.Event{
		noise, refusedAt("ip_local_deliver"), refusedAt("ip_local_deliver"), refusedAt("ip_forward"), udp("IP_RPFILTER", 1),
		udp("NO_SOCKET", 1), at("ip_rcv_finish_core", "eth0", 1),
	} {
		if err := c.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	want := [][]string{{"iptables", "nftables", "conntrack_drop", "conntrack_helper"}, {"rp_filter"}, {"martian_source"}}
	if !slices.EqualFunc(asked, want, slices.Equal) {
		t.Errorf("%q, want %q", asked, want)
	}
}

// TestAskBound: no more points are asked for than is said.
func TestAskBound(t *testing.T) {
	n := 0
	c := &diagnose.Collector{Ask: func(points []point.Point) { n += len(points) }}
	for _, p := range point.Builtin() {
		for _, name := range p.Drops {
			if err := c.Write(udp(name, 1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	if n != diagnose.MaxAsked {
		t.Errorf("%d points, want %d", n, diagnose.MaxAsked)
	}
}

// TestAskedValues: what a point says that drops asked for is in their finding, as likely of the first; what it says of
// another hook is not.
func TestAskedValues(t *testing.T) {
	c := &diagnose.Collector{Ask: func([]point.Point) {}}
	for _, e := range []*event.Event{
		refusedAt("ip_local_deliver"), refusedAt("ip_local_deliver"), chainAt("input", "NF_INET_LOCAL_IN"),
		chainAt("forward", "NF_INET_FORWARD"), refusedAt("ip_local_deliver"), chainAt("input", "NF_INET_LOCAL_IN"),
	} {
		if err := c.Write(e); err != nil {
			t.Fatal(err)
		}
	}
	d := diagnose.New(c, rose(), nil)
	if f := &d.Findings[0]; len(f.Points) != 1 || f.Points[0].Count != 2 || !f.Points[0].Later {
		t.Errorf("%+v", f.Points)
	}
	text := strings.Join(strings.Fields(textOf(t, d)), " ")
	const want = "values dropped by nftables: table filter, chain input, or one that it jumps to, in ?, out ?, 2 times " +
		"(read after the first drops; likely the same for those)"
	if !strings.Contains(text, want) {
		t.Errorf("%s, want %q", text, want)
	}
}

// TestAskedAddress: a point speaks of a finding only if it was reached by a packet from the same source.
func TestAskedAddress(t *testing.T) {
	for src, want := range map[string]int{"10.0.0.2": 1, "10.0.0.3": 0} {
		drop := udp("IP_RPFILTER", 1)
		drop.Packet.Flow.Src = netip.MustParseAddr("10.0.0.2")
		reached := &event.Event{
			Kind: event.Point, Point: "rp_filter", Count: 1, Netns: drop.Netns, Port: drop.Port,
			Args: []event.Arg{{Name: "src", Text: src}},
		}
		d := diagnose.New(collect(t, drop, reached), rose(), nil)
		if got := len(d.Findings[0].Points); got != want {
			t.Errorf("%s: %d points, want %d", src, got, want)
		}
	}
}
