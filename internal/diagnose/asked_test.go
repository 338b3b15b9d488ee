package diagnose_test

import (
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/point"
)

// refusedAt is a drop by a firewall at a hook that a function calls.
func refusedAt(caller string) *event.Event {
	e := at("nf_hook_slow", "", 1)
	e.Reason, e.Individual = "NETFILTER_DROP", true
	e.Stack = []event.Frame{{Lookup: event.Found, Symbol: caller}}
	return e
}

// tableAt is the point of iptables at a hook.
func tableAt(hook string) *event.Event {
	return &event.Event{
		Kind: event.Point, Point: "iptables", Count: 1, Netns: blue,
		Args: []event.Arg{{Name: "table", Text: "filter"}, {Name: "hook", Text: hook}},
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
	want := [][]string{{"iptables", "nftables", "nftables_policy", "conntrack_drop", "conntrack_helper"}, {"rp_filter"}, {"martian_source"}}
	if !slices.EqualFunc(asked, want, slices.Equal) {
		t.Errorf("%q, want %q", asked, want)
	}
}

// TestAskBegun: points that are watched from the begin are not asked for again.
func TestAskBegun(t *testing.T) {
	reversePath, _ := point.Lookup("rp_filter")
	c := &diagnose.Collector{Begun: []point.Point{reversePath}, Ask: func(points []point.Point) { t.Errorf("asked for %+v", points) }}
	if err := c.Write(udp("IP_RPFILTER", 1)); err != nil {
		t.Fatal(err)
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
		refusedAt("ip_local_deliver"), refusedAt("ip_local_deliver"), tableAt("NF_INET_LOCAL_IN"),
		tableAt("NF_INET_FORWARD"), refusedAt("ip_local_deliver"), tableAt("NF_INET_LOCAL_IN"),
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
	const want = "values dropped by iptables: table filter, chain ?, rule ?: ?; hook NF_INET_LOCAL_IN, in ?, out ?, 2 times " +
		"(read after the first drops; likely the same for those)"
	if !strings.Contains(text, want) {
		t.Errorf("%s, want %q", text, want)
	}
}

// ruleAt is tableAt with a rule that source probe has found.
func ruleAt(number uint64, text string) *event.Event {
	e := tableAt("NF_INET_LOCAL_IN")
	rule := event.Arg{Name: "rule", Number: number}
	if number == 0 {
		rule.Text = "policy"
	}
	e.Args = append(e.Args, event.Arg{Name: "family", Number: 2}, event.Arg{Name: "chain", Text: "INPUT"}, rule,
		event.Arg{Name: "text", Text: text})
	return e
}

// TestRuleSeen: the rule of iptables is the one that its point has seen, exactly if that is all of the drops.
func TestRuleSeen(t *testing.T) {
	third, policy := ruleAt(3, "-p udp -j DROP"), ruleAt(0, "-P INPUT DROP")
	drop := refusedAt("ip_local_deliver")
	for name, tt := range map[string]struct {
		events []*event.Event
		want   string
	}{
		"all":    {[]*event.Event{drop, drop, third, third}, "exactly iptables ip filter INPUT -p udp -j DROP (rule 3)"},
		"policy": {[]*event.Event{drop, policy}, "policy of chain iptables ip filter INPUT"},
		"several": {[]*event.Event{drop, drop, drop, third, policy, third}, "one of iptables ip filter INPUT -p udp -j DROP (rule 3) +2; " +
			"iptables ip filter INPUT policy (policy DROP) +1"},
		"some":    {[]*event.Event{drop, drop, third}, "likely iptables ip filter INPUT -p udp -j DROP (rule 3) +1"},
		"unnamed": {[]*event.Event{drop, tableAt("NF_INET_LOCAL_IN")}, " "},
	} {
		d := diagnose.New(collect(t, tt.events...), rose(), nil)
		d.Ask(diagnose.RecordedHost(nil))
		f := &d.Findings[0]
		if got := string(f.Rule.Confidence) + " " + f.Rule.Text; got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
		if fix := strings.Join(f.Meaning.Apply, "\n"); name == "all" && !strings.Contains(fix, "iptables-legacy -t filter -D INPUT 3") {
			t.Errorf("fix %s", fix)
		}
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

// TestAskedRule: the rule of later drops is likely that of all, unless the samples show one for certain.
func TestAskedRule(t *testing.T) {
	const both = `{"object":"ip t c handle 2","text":"ct state established drop"},{"object":"ip t c handle 4","text":"ct state new drop"}`
	for suspects, want := range map[string]string{
		both: "likely nftables inet filter input handle 17 (ct state new drop)",
		`{"object":"ip t c handle 3","text":"udp dport 53 drop","certain":true}`: "exactly nftables ip t c handle 3 (udp dport 53 drop)",
	} {
		drop := dropped(7, "lo", "ip_local_deliver")
		p := &drop.Packet
		p.Proto, p.HasProto, p.Data, p.HasData = 0x0800, true, append(make([]byte, 12), 8, 0, 0x45, 0), true
		answers, asked := make(map[string]json.RawMessage), diagnose.NewHost(host.FS(fstest.MapFS{}), nil)
		asked.Keep(func(question string, _ []byte) {
			switch {
			case strings.HasPrefix(question, "rules "):
				answers[question] = json.RawMessage(`{"known":true,"suspects":[` + suspects + `]}`)
			case strings.HasPrefix(question, "verdict "):
				answers[question] = json.RawMessage(`{"object":"inet filter input handle 17","text":"ct state new drop","hook":"INPUT"}`)
			}
		})
		diagnose.New(collect(t, drop, verdict(3, 17)), rose(), nil).Ask(asked)
		d := diagnose.New(collect(t, drop, verdict(3, 17)), rose(), nil)
		d.Ask(diagnose.RecordedHost(answers))
		if f := &d.Findings[0]; string(f.Rule.Confidence)+" "+f.Rule.Text != want {
			t.Errorf("%s %s, want %s", f.Rule.Confidence, f.Rule.Text, want)
		}
	}
}
