package diagnose_test

import (
	"encoding/json"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// verdict is n verdicts in the namespace blue, of a rule in the table inet filter or, for 0, of a policy.
func verdict(n uint64, handle uint64) *event.Event {
	e := &event.Event{
		Kind: event.Point, Point: "nftables", Count: n, Netns: blue, Port: event.Port{IfName: "lo"},
		Owner: event.Owner{Socket: &event.Socket{Cookie: handle + n}},
		Args:  []event.Arg{{Name: "family", Number: 1}, {Name: "table", Text: "filter"}, {Name: "chain", Text: "input"}},
	}
	if handle == 0 {
		e.Point = "nftables_policy"
	} else {
		e.Args = append(e.Args, event.Arg{Name: "handle", Number: handle})
	}
	return e
}

// TestVerdicts: the rule is that of the verdicts, for certain if those are as many as the drops.
func TestVerdicts(t *testing.T) {
	const sentence = "dropped by nftables: table inet filter, chain sub, handle 17: udp"
	answers := map[string]json.RawMessage{
		"verdict 7 {1 filter input 17}": []byte(`{"object":"inet filter sub handle 17","text":"udp dport 9 drop","hook":"INPUT"}`),
		"verdict 7 {1 filter input 4}":  []byte(`{"object":"inet filter input handle 4","text":"ct state invalid drop","hook":"INPUT"}`),
		"verdict 7 {1 filter input 5}":  []byte(`{"object":"inet filter output handle 5","text":"drop","hook":"OUTPUT"}`),
		"verdict 7 {1 filter input 0}":  []byte(`{"object":"inet filter input","text":"policy drop","policy":true,"hook":"INPUT"}`),
	}
	const rule = "nftables inet filter sub handle 17 (udp dport 9 drop)"
	const other = "nftables inet filter input handle 4 (ct state invalid drop)"
	unknown := verdict(9, 17)
	unknown.Args = unknown.Args[:3]
	counted := ruleRow{counters.NFTables, "inet filter input handle 9", "INPUT", blue, 5}
	for name, tt := range map[string]struct {
		verdicts []*event.Event
		rows     []ruleRow
		want     string // the rule
		says     string // and what its text has
	}{
		"one rule":       {[]*event.Event{verdict(5, 17)}, nil, "exactly " + rule, sentence},
		"with a counter": {[]*event.Event{verdict(5, 17)}, []ruleRow{counted}, "exactly " + rule, sentence},
		"two sockets":    {[]*event.Event{verdict(2, 17), verdict(3, 17)}, nil, "exactly " + rule, sentence + " dport 9 drop, 5 times"},
		"fewer":          {[]*event.Event{verdict(4, 17)}, nil, "likely " + rule, sentence},
		"fewer than rose": {[]*event.Event{verdict(4, 17)}, []ruleRow{counted},
			"exactly nftables inet filter input handle 9 (text)", sentence},
		"two rules": {[]*event.Event{verdict(1, 4), verdict(4, 17)}, nil, "one of " + rule + "; " + other, sentence},
		"the policy": {[]*event.Event{verdict(5, 0)}, nil, "policy of chain nftables inet filter input",
			"dropped by nftables: table inet filter, chain input: policy drop, 5"},
		"another hook":     {[]*event.Event{verdict(5, 5)}, nil, " ", ""},
		"gone":             {[]*event.Event{verdict(5, 3)}, nil, " ", ""},
		"no rule is known": {[]*event.Event{unknown}, nil, " ", "chain input or one that it jumps to, handle ?"},
	} {
		d := diagnose.New(collect(t, append(tt.verdicts, dropped(5, "lo", "ip_local_deliver"))...), ruleReport(tt.rows...), nil)
		d.Ask(diagnose.RecordedHost(answers))
		f := &d.Findings[0]
		if got := string(f.Rule.Confidence) + " " + f.Rule.Text; got != tt.want {
			t.Errorf("%s: the rule is %q, want %q", name, got, tt.want)
		}
		text := strings.Join(strings.Fields(textOf(t, d)), " ")
		if !strings.Contains(text, tt.says) || tt.says == "" == strings.Contains(text, "dropped by nftables") {
			t.Errorf("%s: %s, want %q", name, text, tt.says)
		}
	}
}
