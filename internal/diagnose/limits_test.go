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

// TestOverLimit: of packets that were over the limit of a rule which accepts the others, that is to be raised, and neither
// the rule that drops the rest deleted, nor its policy avoided. All samples have to be over the same.
func TestOverLimit(t *testing.T) {
	const limit, other = `{"object":"inet fw in handle 2","text":"udp dport 53 limit rate 5/second accept"}`, `{}`
	const raise = "ip netns exec blue nft replace rule inet fw in handle 2 udp dport 53 limit rate 11/second accept"
	for _, test := range []struct {
		name, object string
		answers      [2]string // of two packets
		fix          string
	}{
		{"a rule", "inet fw in handle 7", [2]string{limit, limit}, raise},
		{"a policy", "inet fw in policy", [2]string{limit, limit}, raise},
		{"not all", "inet fw in handle 7", [2]string{limit, other}, "ip netns exec blue nft delete rule inet fw in handle 7"},
		{"not known", "inet fw in handle 7", [2]string{other, other}, "ip netns exec blue nft delete rule inet fw in handle 7"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var packets []*event.Event
			for i := range byte(2) {
				e := dropped(1, "lo", "ip_local_deliver")
				e.Packet.Proto, e.Packet.HasProto, e.Packet.HasData = 0x0800, true, true
				e.Packet.Data = append(make([]byte, 12), 8, 0, 0x45, i)
				e.Packet.Flow.DstPort += uint16(i)
				packets = append(packets, e)
			}
			row := of(counters.NFTables, "", "drop_packets", 2)
			row.Object, row.About, row.Hook = test.object, "udp dport 53 drop", "INPUT"
			diagnosis := func(h *diagnose.Host) *diagnose.Finding {
				d := diagnose.New(collect(t, packets...), rose(row), nil)
				d.Ask(h)
				return &d.Findings[0]
			}
			answers, n := make(map[string]json.RawMessage), 0
			asked := diagnose.NewHost(host.FS(fstest.MapFS{}), nil)
			asked.Keep(func(question string, _ []byte) {
				if strings.HasPrefix(question, "limit 7 "+strings.TrimSuffix(test.object, " policy")+" INPUT ") {
					answers[question] = json.RawMessage(test.answers[n%2])
					n++
				}
			})
			diagnosis(asked)
			f := diagnosis(diagnose.RecordedHost(answers))
			if got := strings.Join(f.Meaning.Apply, "; "); got != test.fix {
				t.Errorf("the fix is %q, want %q", got, test.fix)
			}
			if said := len(f.Evidence) == 1 && strings.Contains(f.Evidence[0], "handle 2"); said != (test.fix == raise) {
				t.Errorf("evidence %q", f.Evidence)
			}
		})
	}
}
