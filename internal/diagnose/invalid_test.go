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
	for _, test := range []struct {
		name, rule, answer string
		invalid            uint64
		confidence         diagnose.Confidence
		setting            string // that may decide it; empty: the rule is as any other
	}{
		{"no entry", "ct state invalid drop", none, 7, diagnose.Exactly, "nf_conntrack_tcp_loose"},
		{"counted a moment earlier", "ct state { invalid } drop", none, 70, diagnose.Exactly, "nf_conntrack_tcp_loose"},
		{"does not fit", "ct state established,invalid drop", entry, 7, diagnose.Exactly, "nf_conntrack_tcp_be_liberal"},
		{"few of them", "ct state invalid drop", none, 6, diagnose.Likely, "nf_conntrack_tcp_loose"},
		{"all but those", "ct state != invalid drop", none, 7, diagnose.Likely, ""},
		{"a name", `iifname "invalid" drop`, none, 7, diagnose.Likely, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			drop := dropped(7, "lo", "ip_local_deliver")
			p := &drop.Packet
			p.Proto, p.HasProto, p.Data, p.HasData = 0x0800, true, append(make([]byte, 12), 8, 0, 0x45, 0), true
			p.Flow.Fields |= event.FieldProtocol
			p.Flow.Protocol = 17
			suspects, err := json.Marshal(map[string]any{
				"known": true, "suspects": []any{nftables.Suspect{Object: "ip f in handle 2", Text: test.rule}},
			})
			if err != nil {
				t.Fatal(err)
			}
			diagnosis := func() *diagnose.Diagnosis {
				return diagnose.New(collect(t, drop), rose(tracked("invalid", test.invalid)), nil)
			}
			answers := map[string]json.RawMessage{}
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
