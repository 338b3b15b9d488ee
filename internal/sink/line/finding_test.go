package line_test

import (
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/line"
)

// TestFinding: below the line of a diagnosis is all that it knows, escaped, as a recording may be forged; below that of an alert
// only if it is to be explained. A log has the line alone.
func TestFinding(t *testing.T) {
	found := event.Event{Kind: event.Finding, Time: at, Count: 1, Incident: &event.Incident{
		Over: true, Lasted: 10 * time.Second, Events: 5, Noun: "drop", ID: "NETFILTER_DROP", Severity: "maybe",
		Cause: "A chain dropped it.",
		Fix:   "Delete the rule: nft delete rule a\x1b; reboot",
		Detail: &event.Detail{
			Rank: 1,
			Facts: []event.Fact{
				{Name: "flows", Text: "udp 10.0.0.1 > 10.0.0.2:53  5\x1b[2J"}, {Name: "flows", Text: "and 2 more"},
				{Name: "rule\n", Text: "policy"},
			},
			Check: []string{"nft list ruleset", "nstat"}, Apply: []string{"nft delete rule a\x1b", "reboot"},
		},
	}}
	const head = "finding 1, maybe: 5 drops within 10s: NETFILTER_DROP: A chain dropped it.\n"
	const below = `    flows     udp 10.0.0.1 > 10.0.0.2:53  5\x1b[2J
              and 2 more
    rule\x0a  policy
    check     nft list ruleset
              nstat
    fix       Delete the rule:
              nft delete rule a\x1b
              reboot
`
	alert := found
	alert.Incident = &event.Incident{
		Alert: "many", Events: 5, Noun: "drop", Window: time.Second, Fix: found.Incident.Fix, Detail: found.Incident.Detail,
	}
	const alertHead = "alert many: 5 drops within 1s\n"
	for _, tt := range []struct {
		of      string
		options line.Options
		e       *event.Event
		want    string
	}{
		{"diagnosis", line.Options{}, &found, "03:42:35.698459 " + head + below},
		{"diagnosis in a log", line.Options{Bare: true}, &found, head},
		{"alert", line.Options{}, &alert, "03:42:35.698459 " + alertHead},
		{"alert to be explained", line.Options{Explain: true}, &alert, "03:42:35.698459 " + alertHead + below},
	} {
		if got := format(t, tt.options, *tt.e); got != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.of, got, tt.want)
		}
	}
}
