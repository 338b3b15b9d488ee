package diagnose_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// TestConnection: what connection tracking knows of a flow, and that it has no entry only where
// that says something. What is asked for is the first packet, with the client's port.
func TestConnection(t *testing.T) {
	const question = "connection 7 {17 10.0.0.1:40001 10.0.0.2:53 {0 0 0}}"
	invalid := dropped(2, "lo", "ip_local_deliver")
	rule := of("nftables", "", "drop_packets", 2)
	rule.Object, rule.About, rule.Hook = "ip t c handle 2", "ct state invalid drop", "INPUT"
	for _, test := range []struct {
		name, answer string
		drop         *event.Event
		text, json   string
	}{
		{
			"translated", `{"state":"ESTABLISHED","nat":"source NAT to 10.0.0.9:1234","zone":5}`, udp("NO_SOCKET", 40001),
			"   conntrack ESTABLISHED, source NAT to 10.0.0.9:1234, zone 5\n",
			`"conntrack":{"state":"ESTABLISHED","nat":"source NAT to 10.0.0.9:1234","zone":5}`,
		},
		{"as it came", `{"state":"UNREPLIED"}`, udp("NO_SOCKET", 40001), "   conntrack UNREPLIED\n", `"conntrack":{"state":"UNREPLIED"}`},
		{"no entry", `{"state":"none"}`, udp("NO_SOCKET", 40001), "", ""},
		{"no entry, INVALID", `{"state":"none"}`, invalid, "   conntrack no entry for the first flow\n", `"conntrack":{"state":"none"}`},
		{"it does not run", `{}`, udp("NO_SOCKET", 40001), "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.drop.Packet.Flow.Fields |= event.FieldProtocol
			test.drop.Packet.Flow.Protocol = 17
			d := diagnose.New(collect(t, test.drop), rose(rule), nil)
			d.Ask(diagnose.RecordedHost(map[string]json.RawMessage{question: json.RawMessage(test.answer)}))
			text := textOf(t, d)
			var b strings.Builder
			if err := d.WriteJSON(&b); err != nil {
				t.Fatal(err)
			}
			lines := b.String()
			if !strings.Contains(text, test.text) || !strings.Contains(lines, test.json) {
				t.Errorf("%q and %s are missing in\n%s%s", test.text, test.json, text, lines)
			}
			if test.text == "" && (strings.Contains(text, "conntrack") || strings.Contains(lines, "conntrack\"")) {
				t.Errorf("it says something of conntrack:\n%s%s", text, lines)
			}
		})
	}
}

// TestNoConntrack: a host without it is not asked.
func TestNoConntrack(t *testing.T) {
	drop := udp("NO_SOCKET", 40001)
	drop.Netns = event.Netns{}
	drop.Packet.Flow.Fields |= event.FieldProtocol
	drop.Packet.Flow.Protocol = 17
	answers := make(map[string]string)
	h := diagnose.NewHost(host.FS(fstest.MapFS{}), nil)
	h.Keep(func(question string, answer []byte) { answers[question] = string(answer) })
	d := diagnose.New(collect(t, drop), rose(), nil)
	d.Ask(h)
	got := answers["connection 0 {17 10.0.0.1:40001 10.0.0.2:53 {0 0 0}}"]
	if got != `{"state":""}` || d.Findings[0].Conntrack.State != "" {
		t.Errorf("the answer is %q of %q", got, answers)
	}
}
