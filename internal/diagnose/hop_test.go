package diagnose_test

import (
	"encoding/json"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// TestNextHop: of packets whose TTL expired the route is said, and that it sends them back.
func TestNextHop(t *testing.T) {
	const route = `{"prefix":"10.0.0.0/8","via":"192.0.2.1","ifname":"eth0","table":"main"}`
	for name, test := range map[string]struct {
		reason, answer string
		ttl            uint8
		want           string
	}{
		"a loop": {
			"IP_INHDR", strings.ReplaceAll(route, "eth0", "lo"), 1,
			"route 10.0.0.0/8 via 192.0.2.1 dev lo, table main: back by the interface where they arrived flows",
		},
		"another interface": {"IP_INHDR", route, 1, "route 10.0.0.0/8 via 192.0.2.1 dev eth0, table main flows"},
		"a reason of its own": {
			"IP_TTL_EXCEEDED", `{"prefix":"0.0.0.0/0","ifname":"eth0","table":"vpn"}`, 1, "route default dev eth0, table vpn flows",
		},
		"a damaged header": {"IP_INHDR", route, 64, ""},
		"no route":         {"IP_INHDR", `{}`, 1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			e := udp(test.reason, 40001)
			e.Packet.Flow.TTL, e.Packet.Flow.Fields = test.ttl, e.Packet.Flow.Fields|event.FieldTTL
			d := diagnose.New(collect(t, e), new(counters.Report), nil)
			d.Ask(diagnose.RecordedHost(map[string]json.RawMessage{"hop 7 10.0.0.1 10.0.0.2 lo": json.RawMessage(test.answer)}))
			text := strings.Join(strings.Fields(textOf(t, d)), " ")
			if !strings.Contains(text, test.want) || test.want == "" && strings.Contains(text, " route 10") {
				t.Errorf("want %q in %s", test.want, text)
			}
			var b strings.Builder
			if err := d.WriteJSON(&b); err != nil || strings.Contains(b.String(), `"hop":`+test.answer) != (test.want != "") {
				t.Errorf("%v: %s", err, b.String())
			}
		})
	}
}
