package diagnose_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/nftables"
)

// A ruleRow is the counter of a rule, by how much it rose.
type ruleRow struct {
	group        counters.Group
	object, hook string
	netns        event.Netns
	rose         uint64
}

// ruleReport is of ten seconds.
func ruleReport(rows ...ruleRow) *counters.Report {
	before := &counters.Snapshot{Time: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
	after := &counters.Snapshot{Time: before.Time.Add(10 * time.Second)}
	for _, r := range rows {
		c := counters.Counter{
			Key:  counters.Key{Netns: r.netns, Group: r.group, Object: r.object, Name: "drop_packets"},
			Bits: 64, Hook: r.hook, About: "text",
		}
		before.Counters = append(before.Counters, c)
		c.Value = r.rose
		after.Counters = append(after.Counters, c)
	}
	return counters.NewReport(before, after)
}

// dropped is n drops by a firewall on an interface, at the hook that callers are of.
func dropped(n uint64, ifname, caller string) *event.Event {
	e := udp("NETFILTER_DROP", 40001)
	e.Count, e.Segments, e.Port.IfName = n, n, ifname
	if caller != "" {
		e.Stack = []event.Frame{{Symbol: "nf_hook_slow"}, {Symbol: caller}}
	}
	return e
}

func TestRules(t *testing.T) {
	green := event.Netns{Inode: 8, Name: "green"}
	const nft, ipt = counters.NFTables, counters.IPTables
	a, b := ruleRow{nft, "inet fw in handle 1", "INPUT", blue, 5}, ruleRow{nft, "inet fw in handle 2", "INPUT", blue, 3}
	with := func(r ruleRow, rose uint64) ruleRow { r.rose = rose; return r }
	for _, test := range []struct {
		name        string
		drops       []*event.Event
		rows        []ruleRow
		want        []string // of the findings, in their order
		unexplained uint64
	}{
		{"as many as one", []*event.Event{dropped(5, "lo", "ip_local_deliver")}, []ruleRow{a, with(b, 0)},
			[]string{"exactly nftables inet fw in handle 1 (text)"}, 0},
		{"as many as several", []*event.Event{dropped(5, "lo", "ip_local_deliver")}, []ruleRow{a, with(b, 5)},
			[]string{"one of nftables inet fw in handle 1 (text) +5; nftables inet fw in handle 2 (text) +5"}, 0},
		{"as many as together", []*event.Event{dropped(8, "lo", "ip_local_deliver")}, []ruleRow{a, b},
			[]string{"one of nftables inet fw in handle 1 (text) +5; nftables inet fw in handle 2 (text) +3"}, 0},
		{"one rule on two interfaces", []*event.Event{dropped(3, "eth0", "ip_local_deliver"), dropped(2, "eth1", "ip_local_deliver")},
			[]ruleRow{a}, []string{"exactly nftables inet fw in handle 1 (text)", "exactly nftables inet fw in handle 1 (text)"}, 0},
		{"a policy", []*event.Event{dropped(5, "lo", "ip_forward")}, []ruleRow{{ipt, "ip filter FORWARD policy", "FORWARD", blue, 5}},
			[]string{"policy of chain iptables ip filter FORWARD"}, 0},
		{"of IP for bridged packets", []*event.Event{dropped(5, "lo", "br_nf_forward_ip")},
			[]ruleRow{{ipt, "ip filter FORWARD policy", "FORWARD", blue, 5}}, []string{"policy of chain iptables ip filter FORWARD"}, 0},
		{"a hook that is not known", []*event.Event{dropped(5, "lo", "")}, []ruleRow{a},
			[]string{"exactly nftables inet fw in handle 1 (text)"}, 0},
		{"a chain that others jump to", []*event.Event{dropped(5, "lo", "ip_forward")},
			[]ruleRow{{nft, "inet fw sub handle 9", "", blue, 5}},
			[]string{"exactly nftables inet fw sub handle 9 (text)"}, 0},
		{"another hook", []*event.Event{dropped(5, "lo", "ip_forward")}, []ruleRow{a},
			[]string{" ", "exactly nftables inet fw in handle 1 (text)"}, 5},
		{"another namespace", []*event.Event{dropped(5, "lo", "ip_local_deliver")},
			[]ruleRow{{nft, "inet fw in handle 1", "INPUT", green, 5}}, []string{" ", "exactly nftables inet fw in handle 1 (text)"}, 5},
		{"of IPv6 only", []*event.Event{dropped(5, "lo", "ip_local_deliver")}, []ruleRow{{nft, "ip6 t c handle 1", "INPUT", blue, 5}},
			[]string{" ", "exactly nftables ip6 t c handle 1 (text)"}, 5},
		{"more than the drops", []*event.Event{dropped(4, "lo", "ip_local_deliver")}, []ruleRow{a},
			[]string{"likely nftables inet fw in handle 1 (text) +5", "exactly nftables inet fw in handle 1 (text)"}, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := diagnose.New(collect(t, test.drops...), ruleReport(test.rows...), nil)
			var got []string
			for i := range d.Findings {
				got = append(got, string(d.Findings[i].Rule.Confidence)+" "+d.Findings[i].Rule.Text)
			}
			if strings.Join(got, "\n") != strings.Join(test.want, "\n") {
				t.Errorf("got %q, want %q", got, test.want)
			}
			var unexplained uint64
			for _, a := range d.Accounts {
				unexplained += a.Rest
			}
			if unexplained != test.unexplained {
				t.Errorf("%d unexplained, want %d", unexplained, test.unexplained)
			}
		})
	}
}

// TestRuleIsShown: in text, where it is escaped, and in JSON beside the owner, if any.
func TestRuleIsShown(t *testing.T) {
	row := ruleRow{counters.NFTables, "inet fw \x1b[1m handle 1", "INPUT", blue, 5}
	d := diagnose.New(collect(t, dropped(5, "lo", "ip_local_deliver")), ruleReport(row), nil)
	var text, line strings.Builder
	if err := d.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	if want := `   rule      exactly nftables inet fw \x1b[1m handle 1 (text)` + "\n"; !strings.Contains(text.String(), want) {
		t.Errorf("got %s, want a line %s", &text, want)
	}
	if err := d.WriteJSON(&line); err != nil {
		t.Fatal(err)
	}
	var finding struct {
		Culprit map[string]json.RawMessage
	}
	if err := json.NewDecoder(strings.NewReader(line.String())).Decode(&finding); err != nil {
		t.Fatal(err)
	}
	const want = `{"text":"nftables inet fw \u001b[1m handle 1 (text)","confidence":"exactly"}`
	if got := string(finding.Culprit["rule"]); got != want || len(finding.Culprit) != 1 {
		t.Errorf("got %s, want %s alone", got, want)
	}
}

// TestSuspectsOfSamples: what several samples of packets say together.
func TestSuspectsOfSamples(t *testing.T) {
	sure := func(name string) nftables.Suspect { return nftables.Suspect{Object: name, Text: "drop", Certain: true} }
	perhaps := func(name string) nftables.Suspect { return nftables.Suspect{Object: name, Text: "drop"} }
	policy := nftables.Suspect{Object: "ip t c", Text: "policy drop", Policy: true, Certain: true}
	type suspects []nftables.Suspect
	for _, test := range []struct {
		name      string
		samples   []suspects
		conntrack bool
		want      string
	}{
		{"none", []suspects{nil}, false, " "},
		{"one", []suspects{{sure("a")}, {sure("a")}}, false, "exactly nftables a (drop)"},
		{"the policy", []suspects{{policy}}, false, "policy of chain nftables ip t c"},
		{"only one can", []suspects{{perhaps("a")}}, false, "likely nftables a (drop)"},
		{"one sample comes to none", []suspects{{sure("a")}, nil}, false, "likely nftables a (drop)"},
		{"the first sample comes to none", []suspects{nil, {sure("a")}}, false, "likely nftables a (drop)"},
		{"not for all", []suspects{{sure("a")}, {perhaps("a")}}, false, "likely nftables a (drop)"},
		{"different rules", []suspects{{sure("a")}, {sure("b")}}, false, "one of nftables a (drop); nftables b (drop)"},
		{"four", []suspects{{perhaps("a"), perhaps("b"), perhaps("c"), sure("d")}}, false,
			"one of nftables a (drop); nftables b (drop); nftables c (drop); and 1 more"},
		{"conntrack dropped, too", []suspects{{sure("a")}}, true, "likely nftables a (drop)"},
		{"conntrack and the policy", []suspects{{policy}}, true, "likely nftables ip t c (policy drop)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var samples [][]nftables.Suspect
			for _, s := range test.samples {
				samples = append(samples, s)
			}
			rule := diagnose.RuleOf(samples, test.conntrack)
			if got := string(rule.Confidence) + " " + rule.Text; got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
