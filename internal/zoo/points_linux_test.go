package zoo

import (
	"fmt"
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

// A reach is a built-in point, a scenario that reaches it once for each packet that it loses, and else not, and some of
// the values that are read there.
type reach struct{ point, scenario, values string }

var (
	reached = []reach{
		{"tcp_accept_queue", "TCP accept queue full, somaxconn is smaller", "qlen=2 limit=1 port=9"},
		{"tcp_accept_queue_ack", "TCP accept queue full at the end of a handshake", "qlen=1 limit=0 port=9"},
		{"checksum", "UDP with a wrong checksum", "len=8"},
		{"nftables", "nft OUTPUT", "table=t chain=c hook=NF_INET_LOCAL_OUT out=lo"},
		{"nftables_policy", "nft INPUT, by policy", "table=t chain=c hook=NF_INET_LOCAL_IN in=lo"},
		{"netfilter_drop", "nft OUTPUT", "hook=NF_INET_LOCAL_OUT family=2 out=lo"},
		{
			"conntrack_insert", "conntrack entry that clashes (insert_failed)", "src=10.0.0.1 sport=1000 dst=10.0.0.2 dport=53 " +
				"reply_src=10.0.0.2 reply_sport=53 reply_dst=10.0.0.1 reply_dport=1000 zone=0",
		},
		{"rp_filter", "rp_filter", "src=192.0.2.1 dst=10.0.0.1 dev=far rp_filter=1 all=0"},
		{"martian_source", "source address of this host", "src=10.0.0.1 dev=far"},
		{"pmtu", "too big, and DF is set", "mtu=1000 len=1428 dev=far"},
		{"fragment_memory", "fragment memory full", "protocol=ip4-frags"},
		{"vlan_unknown", "VLAN tag without an interface", "vid=77 dev=far"},
		{"forward_mtu", "bridged frame that exceeds the MTU of a port", "dev=left mtu=1500 len=4042"},
		{"tc_action", "tc police action", "kind=police index=1 actions=1 dev=far"},
		{"cpu_backlog", "backlog of a CPU full", "dev=q0 len=46"},
	}

	// alike are on all kernels alike, so that the oldest and the newest are enough.
	alike = []reach{
		{"tcp_syn_reserve", "TCP SYN queue of the host nearly full, no cookies", "limit=8 port=9"},
		{"tcp_backlog", "TCP socket backlog full", "port=9 peer_port=1 headroom=65536"},
		{"tcp_out_of_order", "TCP out-of-order queue pruned", "port=9 peer_port=1 rcvbuf=2304"},
		{"udp_queue", "UDP receive buffer full, its reader is asleep", "rcvbuf=2304 len=100 port=9"},
		{"neighbour_queue", "neighbour queue full", "dev=far family=2 addr=10.0.0.3 limit=1024"},
		{"qdisc_enqueue", "tbf limit", "qlen=21 backlog=2982 dev=far"},
	}
)

// TestEveryPointIsReached: each built-in point is in one of the tables, so that guests reach it.
func TestEveryPointIsReached(t *testing.T) {
	tested := []string{"tcp_syn_queue"} // TestGuestSYNQueue
	for _, r := range slices.Concat(reached, alike) {
		tested = append(tested, r.point)
	}
	for _, f := range firings {
		tested = append(tested, f.point)
	}
	for _, c := range counted {
		tested = append(tested, c.point)
	}
	for _, name := range point.Names() {
		if !slices.Contains(tested, name) {
			t.Errorf("no test reaches the point %s: add it to reached or firings", name)
		}
	}
}

// probing are the types and symbols of this kernel, with its modules that points are of.
func probing(t *testing.T) probe.Options {
	t.Helper()
	for _, module := range []string{"ip_tables", "ip6_tables", "nf_tables", "nf_conntrack", "bridge", "8021q"} {
		loadModule(module)
	}
	symbols := new(kallsyms.Live)
	if err := symbols.Load(); err != nil {
		t.Fatal(err)
	}
	return probe.Options{Types: member.Running(), Symbols: symbols}
}

// watch runs points that are reached in a namespace. Some do not tell in which they are.
func watch(t *testing.T, o probe.Options, ns *drops.Namespace, points ...point.Point) *sourcetest.Running {
	t.Helper()
	o.Points = points
	source, err := probe.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	inode := ns.Inode()
	return sourcetest.Run(t, source, func(e *event.Event) bool {
		return e.Kind == event.Point && (e.Netns.Inode == 0 || e.Netns.Inode == inode)
	})
}

// valuesOf returns the values of an event as text.
func valuesOf(e *event.Event) (all []string) {
	for _, a := range e.Args {
		text := a.Text
		if text == "" {
			text = fmt.Sprint(a.Number)
		}
		all = append(all, a.Name+"="+text)
	}
	return all
}

// checkValues fails the test unless there are n events, each of which has these values.
func checkValues(t *testing.T, events []event.Event, n int, want string) {
	t.Helper()
	if len(events) != n {
		t.Errorf("reached %d times, want %d", len(events), n)
	}
	for i := range events {
		got := valuesOf(&events[i])
		for _, value := range strings.Fields(want) {
			if !slices.Contains(got, value) {
				t.Errorf("%s is missing in %q", value, got)
			}
		}
	}
}

// TestGuestPoints: what happens at a point is what it says, as often as packets are lost.
func TestGuestPoints(t *testing.T) {
	o, ns := probing(t), drops.NewNamespace(t)
	all := reached
	if !guest.IsBetween() {
		all = slices.Concat(reached, alike)
	}
	for _, r := range all {
		p, ok := point.Lookup(r.point)
		i := slices.IndexFunc(Scenarios, func(s Scenario) bool { return s.Name == r.scenario })
		if !ok || i < 0 {
			t.Errorf("there is no point %s, or no scenario %s", r.point, r.scenario)
			continue
		}
		t.Run(r.point, func(t *testing.T) {
			n := ns.Of(t)
			lose := (&result{Scenario: &Scenarios[i], netns: "points"}).prepare(n)
			if lose == nil {
				t.Fatal(n.Lacks())
			}
			if strings.HasPrefix(r.point, "nftables") && !guest.AtLeast(6, 1) { // modules have no types
				return
			}
			running := watch(t, o, n, p)
			lose()
			running.Await(packets)
			events := running.End()
			checkValues(t, events, packets, r.values)
			if r.point == "tcp_backlog" {
				checkBacklog(t, events)
			}
		})
	}
}

// checkBacklog holds the limit of a backlog against that of the kernel, which all guests have since 2024, also the oldest.
func checkBacklog(t *testing.T, events []event.Event) {
	t.Helper()
	for i := range events {
		args := make(map[string]uint64)
		for _, a := range events[i].Args {
			args[a.Name] = a.Number
		}
		want := 2*args["rcvbuf"] + args["sndbuf"]/2 + 65536
		if args["limit"] != want || args["queued"] <= want || args["queued"] > want+4096 || args["queued"] != args["backlog"]+args["rmem"] {
			t.Errorf("limit %d, want %d: %v", args["limit"], want, args)
		}
	}
}
