package diagnose_test

import (
	"net/netip"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// TestRoutes: the route or the rule that dropped is named, and the interface that packets were too big
// for.
func TestRoutes(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	const name = "dropwatch-routes"
	ns.Name(name)
	ns.Peer()
	ns.Run("ip", "route", "add", "prohibit", "10.9.0.0/16")
	ns.Run("ip", "route", "add", "10.8.0.0/16", "via", "10.0.0.2")
	ns.Run("ip", "rule", "add", "pref", "100", "to", "10.7.0.0/16", "blackhole")
	drop := func(reason, location, to string, arg event.Arg) *event.Event {
		e := udp(reason, 40001)
		e.Netns, e.Port = event.Netns{Inode: ns.Inode(), Name: name}, event.Port{IfName: "eth9"}
		e.Where.Symbol, e.Where.Lookup = location, event.Found
		e.Packet.Flow.Dst, e.Args = netip.MustParseAddr(to), []event.Arg{arg}
		return e
	}
	d := diagnose.New(collect(t,
		drop("", "ip_error", "10.9.0.1", event.Arg{Name: "route", Text: "prohibit"}),
		drop("", "ip_error", "10.7.0.1", event.Arg{Name: "route", Text: "blackhole"}),
		drop("PKT_TOO_BIG", "ip_forward", "10.8.0.1", event.Arg{Name: "mtu", Number: 1300}),
	), new(counters.Report), nil)
	d.Ask(diagnose.NewHost(host.New("/"), nil))
	text := textOf(t, d)
	for _, want := range []string{
		"   values    mtu 1300, to leave by interface far\n", "   route     prohibit 10.9.0.0/16, table main\n",
		"   route     rule 100: from all to 10.7.0.0/16 blackhole\n", "             ip netns exec " + name + " ip rule del pref 100\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	var b strings.Builder
	if err := d.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"args":{"mtu":1300},"egress":"far"`,
		`"routes":[{"type":"blackhole","rule":"100: from all to 10.7.0.0/16 blackhole","pref":100}]`,
		`"args":{"route":"prohibit"},"routes":[{"type":"prohibit","prefix":"10.9.0.0/16","table":"main"}]`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%s is missing in\n%s", want, b.String())
		}
	}
}
