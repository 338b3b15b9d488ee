package diagnose_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestEvents: outputs get of a finding what the report has: proof, class, severity, the commands to check and to fix; and of
// noise that it has no rank.
func TestEvents(t *testing.T) {
	row := of(counters.NFTables, "", "drop_packets", 5)
	row.Object, row.About, row.Hook = "inet fw in handle 7", "udp dport 9 drop", "INPUT"
	lldp := &event.Event{Kind: event.Drop, Count: 5, Reason: "UNHANDLED_PROTO", Packet: event.Packet{Proto: 0x88cc, HasProto: true}}
	all := diagnose.New(collect(t, dropped(5, "lo", "ip_local_deliver"), lldp), rose(row), nil).Events()
	if len(all) != 2 {
		t.Fatalf("%d events: %+v", len(all), all)
	}
	const remove = "ip netns exec blue nft delete rule inet fw in handle 7"
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	want := event.Event{
		Kind: event.Finding, Time: begun.Add(10 * time.Second), Count: 1, Reason: "NETFILTER_DROP",
		Port: event.Port{IfName: "lo"}, Netns: blue,
		Incident: &event.Incident{
			Over: true, Begun: begun, Lasted: 10 * time.Second, Events: 5, Noun: "drop", ID: "NETFILTER_DROP", Severity: "maybe",
			Cause: "An INPUT chain dropped the packet, or connection tracking could not confirm its connection (insert_failed).",
			Fix:   "Allow the traffic before this rule if it is wanted, or delete the rule: " + remove,
			Detail: &event.Detail{
				Rank: 1, Layer: "network", Module: "netfilter", Class: "policy",
				Rule: "nftables inet fw in handle 7 (udp dport 9 drop)", RuleConfidence: "exactly",
				Facts: []event.Fact{
					{Name: "amount", Text: "5 drops, 0.5/s, 50 % of all drops"},
					{Name: "where", Text: "interface lo, network namespace blue"},
					{Name: "rule", Text: "exactly nftables inet fw in handle 7 (udp dport 9 drop)"},
					{Name: "flows", Text: "udp 10.0.0.1 > 10.0.0.2:53  5"},
					{Name: "counters", Text: "nftables.drop_packets +5"},
				},
				Check: []string{"ip netns exec blue nft -a list chain inet fw in"}, Apply: []string{remove},
			},
		},
	}
	if got := all[0]; !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\n     %+v\n     %+v\nwant %+v\n     %+v\n     %+v", got, got.Incident, got.Incident.Detail, want, want.Incident,
			want.Incident.Detail)
	}
	if noise := all[1].Incident; noise.ID != "UNHANDLED_PROTO" || noise.Severity != "noise" || noise.Events != 5 || noise.Detail.Rank != 0 {
		t.Errorf("%+v, %+v", noise, noise.Detail)
	}
}

// TestEventsOfCounters: what no drop shows is counted, and a fact that goes on in several lines keeps its name.
func TestEventsOfCounters(t *testing.T) {
	for name, want := range map[string]string{"UdpRcvbufErrors": "counted packet", "TcpExtListenOverflows": "counted packet"} {
		all := diagnose.New(collect(t), report(name, 5), nil).Events()
		if len(all) != 1 || all[0].Incident.Noun != want || all[0].Incident.Events != 5 {
			t.Errorf("%s: %+v", name, all)
		}
	}
	var many []*event.Event
	for client := range uint16(5) {
		e := udp("NO_SOCKET", 40000)
		e.Packet.Flow.DstPort += client
		many = append(many, e)
	}
	var flows []string
	for _, f := range diagnose.New(collect(t, many...), report("UdpNoPorts", 5), nil).Events()[0].Incident.Detail.Facts {
		if f.Name == "flows" {
			flows = append(flows, f.Text)
		}
	}
	if len(flows) != 4 || !slices.Contains(flows, "and 2 more") {
		t.Errorf("%q", flows)
	}
}
