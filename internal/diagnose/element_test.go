package diagnose_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// TestElements: a rule is shown with the elements of its sets, and the one that all packets are can be deleted.
func TestElements(t *testing.T) {
	const remove = "ip netns exec blue nft delete rule ip t c handle 2"
	const known = `{"text":"ip saddr @blocked drop","element":"10.0.0.1","set":"@blocked","delete":"ip t blocked { 10.0.0.1 }"}`
	const unnamed = `{"text":"udp dport { 7, 53 } drop","element":"53"}`
	for name, test := range map[string]struct {
		about   string
		answers [2]string // of two packets
		want    string    // rule
		fix     string
	}{
		"an element": {"ip saddr @blocked drop", [2]string{known, known},
			"(ip saddr @blocked drop), element 10.0.0.1 of @blocked", "ip netns exec blue nft delete element ip t blocked { 10.0.0.1 }"},
		"another one": {
			"ip saddr @blocked drop",
			[2]string{known, strings.ReplaceAll(known, "10.0.0.1", "10.0.0.9")}, "(ip saddr @blocked drop)", remove,
		},
		"no name": {
			"udp dport { ... } drop", [2]string{unnamed, unnamed},
			"(udp dport { 7, 53 } drop), element 53", remove,
		},
		"not for a shell": {
			"iifname @names drop",
			[2]string{
				strings.NewReplacer("10.0.0.1", "$(id)", "ip saddr @blocked", "iifname @names").Replace(known),
				strings.NewReplacer("10.0.0.1", "$(id)", "ip saddr @blocked", "iifname @names").Replace(known),
			}, "(iifname @names drop), element $(id) of @blocked", remove,
		},
		"gone":   {"ip saddr @blocked drop", [2]string{"{}", "{}"}, "(ip saddr @blocked drop)", remove},
		"no set": {"udp dport 53 drop", [2]string{known, known}, "(udp dport 53 drop)", remove},
	} {
		t.Run(name, func(t *testing.T) {
			var packets []*event.Event
			for i := range byte(2) {
				e := dropped(1, "lo", "ip_local_deliver")
				e.Packet.Proto, e.Packet.HasProto, e.Packet.HasData = 0x0800, true, true
				e.Packet.Data = append(make([]byte, 12), 8, 0, 0x45, i)
				e.Packet.Flow.DstPort += uint16(i) // or it is of the same flow
				packets = append(packets, e)
			}
			rule := of(counters.NFTables, "", "drop_packets", 2)
			rule.Object, rule.About, rule.Hook = "ip t c handle 2", test.about, "INPUT"
			diagnosis := func(h *diagnose.Host) *diagnose.Diagnosis {
				d := diagnose.New(collect(t, packets...), rose(rule), nil)
				d.Ask(h)
				return d
			}
			answers, n := make(map[string]json.RawMessage), 0
			asked := diagnose.NewHost(host.FS(fstest.MapFS{}), nil)
			asked.Keep(func(question string, _ []byte) {
				if strings.HasPrefix(question, "rule 7 ip t c handle 2 INPUT ") {
					answers[question] = json.RawMessage(test.answers[n])
					n++
				}
			})
			diagnosis(asked)
			f := &diagnosis(diagnose.RecordedHost(answers)).Findings[0]
			if !strings.HasSuffix(f.Rule.Text, " "+test.want) || f.Rule.Confidence != diagnose.Exactly {
				t.Errorf("the rule is %s %q, want %q", f.Rule.Confidence, f.Rule.Text, test.want)
			}
			if got := strings.Join(f.Meaning.Apply, "; "); got != test.fix {
				t.Errorf("the fix is %q, want %q", got, test.fix)
			}
		})
	}
}
