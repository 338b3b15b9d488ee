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
	"dropwatch/internal/nftables"
)

// TestInvalidRule: a rule that drops what connection tracking calls INVALID is right, and no fix
// deletes it. It is exactly the one if no other may have dropped, and as many were INVALID.
func TestInvalidRule(t *testing.T) {
	const entry, none = `{"state":"ESTABLISHED"}`, `{"state":"none"}`
	const loose, stray = "nf_conntrack_tcp_loose", "none"
	for _, test := range []struct {
		name, rule, answer string
		invalid            uint64
		flags              event.TCPFlags // 0: a datagram
		confidence         diagnose.Confidence
		setting            string // that may decide it; empty: the rule is as any other
	}{
		{"no entry", "ct state invalid drop", none, 7, 0, diagnose.Exactly, loose},
		{"counted a moment earlier", "ct state { invalid } drop", none, 70, 0, diagnose.Exactly, loose},
		{"does not fit", "ct state established,invalid drop", entry, 7, 0, diagnose.Exactly, "nf_conntrack_tcp_be_liberal"},
		{"few of them", "ct state invalid drop", none, 6, 0, diagnose.Likely, loose},
		{"all but those", "ct state != invalid drop", none, 7, 0, diagnose.Likely, ""},
		{"a name", `iifname "invalid" drop`, none, 7, 0, diagnose.Likely, ""},
		{"data", "ct state invalid drop", none, 7, event.PSH | event.ACK, diagnose.Exactly, loose},
		{"end", "ct state invalid drop", none, 7, event.FIN | event.PSH | event.ACK, diagnose.Exactly, stray},
		{"reset", "ct state invalid drop", none, 7, event.RST, diagnose.Exactly, stray},
		{"answer", "ct state invalid drop", none, 7, event.SYN | event.ACK, diagnose.Exactly, stray},
		{"end that fits none", "ct state invalid drop", entry, 7, event.FIN | event.ACK, diagnose.Exactly, "nf_conntrack_tcp_be_liberal"},
	} {
		t.Run(test.name, func(t *testing.T) {
			drop := dropped(7, "lo", "ip_local_deliver")
			p := &drop.Packet
			p.Proto, p.HasProto, p.Data, p.HasData = 0x0800, true, append(make([]byte, 12), 8, 0, 0x45, 0), true
			p.Flow.Fields |= event.FieldProtocol
			p.Flow.Protocol = 17
			if test.flags != 0 {
				p.Flow.Transport, p.Flow.Protocol, p.Flow.TCPFlags = event.TCP, 6, test.flags
				p.Flow.Fields |= event.FieldTCPFlags
			}
			suspects, err := json.Marshal(map[string]any{
				"known": true, "suspects": []any{nftables.Suspect{Object: "ip f in handle 2", Text: test.rule}},
			})
			if err != nil {
				t.Fatal(err)
			}
			diagnosis := func() *diagnose.Diagnosis {
				return diagnose.New(collect(t, drop), rose(tracked("invalid", test.invalid)), nil)
			}
			answers := map[string]json.RawMessage{"sender 7 tcp 10.0.0.1:40001 10.0.0.2:53": json.RawMessage(`{"netns":9}`)}
			asked := diagnose.NewHost(host.FS(fstest.MapFS{}), nil)
			asked.Keep(func(question string, _ []byte) {
				switch {
				case strings.HasPrefix(question, "rules "):
					answers[question] = suspects
				case strings.HasPrefix(question, "connection "):
					answers[question] = json.RawMessage(test.answer)
				}
			})
			diagnosis().Ask(asked)
			d := diagnosis()
			d.Ask(diagnose.RecordedHost(answers))
			f := &d.Findings[0]
			if f.Rule.Confidence != test.confidence || !strings.Contains(f.Rule.Text, test.rule) {
				t.Errorf("the rule is %s %s, want %s", f.Rule.Confidence, f.Rule.Text, test.confidence)
			}
			settings := strings.Join(f.Meaning.Settings, " ")
			if test.setting == stray {
				checkStray(t, d)
				return
			}
			deletes := strings.Contains(strings.Join(f.Meaning.Apply, "\n"), "nft delete rule")
			if deletes != (test.setting == "") || !strings.HasSuffix(settings, test.setting) {
				t.Errorf("the rule is to be deleted: %t; settings %s; %s", deletes, settings, f.Meaning.Fix)
			}
			if !strings.Contains(f.Meaning.Check[0], "nft -a list chain ip f in") {
				t.Errorf("check %q", f.Meaning.Check)
			}
		})
	}
	row := of(counters.IPTables, "", "drop_packets", 7)
	row.Object, row.About, row.Hook = "ip filter INPUT -m conntrack --ctstate INVALID -j DROP", "rule 3", "INPUT"
	d := diagnose.New(collect(t, dropped(7, "lo", "ip_local_deliver")), rose(row), nil)
	d.Ask(diagnose.RecordedHost(nil))
	if m := d.Findings[0].Meaning; len(m.Apply) > 0 || !strings.HasPrefix(m.Fix, "The rule is right") {
		t.Errorf("iptables: %q %s", m.Apply, m.Fix)
	}
}

// checkStray holds the finding of segments that conntrack never accepts without an entry against what is to be said.
func checkStray(t *testing.T, d *diagnose.Diagnosis) {
	t.Helper()
	text := strings.Join(strings.Fields(textOf(t, d)), " ")
	for _, want := range []string{
		"of no connection that it knows", "Find why 10.0.0.1 sends segments", "sender network namespace 9 of this host",
		"The rule is right: keep it", "ip route get 10.0.0.1",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "loose") || strings.Contains(text, "nft delete") {
		t.Errorf("what cannot help is said in\n%s", text)
	}
}
