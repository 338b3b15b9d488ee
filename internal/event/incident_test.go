package event_test

import (
	"testing"
	"time"

	"dropwatch/internal/event"
)

// TestIncident: what is said of one, of which others chose the names.
func TestIncident(t *testing.T) {
	begun := event.Incident{Alert: "dns\x1b", Events: 120, Noun: "drop", Window: 10 * time.Second, ID: "NO_SOCKET", Cause: "No socket."}
	again, over, unknown := begun, begun, begun
	again.Unreported = 1
	over.Over, over.Lasted, over.Events = true, 89700*time.Millisecond, 1
	unknown.ID, unknown.Cause, unknown.Noun = "", "", "retransmitted segment"
	found := event.Incident{
		Over: true, Lasted: 4003600 * time.Microsecond, Events: 2, Noun: "drop", ID: "NO_SOCKET\x1b", Severity: "maybe",
		Detail: &event.Detail{Rank: 3},
	}
	noise := found
	noise.Detail, noise.Severity = nil, "noise"
	for want, i := range map[string]*event.Incident{
		`alert dns\x1b: 120 drops within 10s: NO_SOCKET: No socket.`:                                    &begun,
		`alert dns\x1b: 120 drops within 10s, after 1 incident without a report: NO_SOCKET: No socket.`: &again,
		`alert dns\x1b: over after 1m30s, 1 drop: NO_SOCKET: No socket.`:                                &over,
		`alert dns\x1b: 120 retransmitted segments within 10s`:                                          &unknown,
		`finding 3, maybe: 2 drops within 4.004s: NO_SOCKET\x1b`:                                        &found,
		`finding, noise: 2 drops within 4.004s: NO_SOCKET\x1b`:                                          &noise,
	} {
		if got := string(i.AppendTo(nil)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestFindingsAreAccountedFor: in a ledger they are beside the drops.
func TestFindingsAreAccountedFor(t *testing.T) {
	var unwritten event.Ledger
	finding := event.Event{Kind: event.Finding, Count: 1, Incident: &event.Incident{Alert: "a"}}
	for range 2 {
		unwritten.Add(&finding)
	}
	l := unwritten
	l.Lose(&unwritten)
	if want := (event.Ledger{Findings: event.FindingCounts{Lost: 2}}); l != want || l.Report() != "lost 2 findings\n" {
		t.Errorf("%+v: %q", l, l.Report())
	}
	losses := unwritten.Losses(time.Time{})
	if len(losses) != 1 || losses[0].Count != 2 || losses[0].Incident == nil || unwritten.Unwritten() != "2 findings" {
		t.Errorf("%+v, %s", losses, unwritten.Unwritten())
	}
	var again event.Ledger
	again.Add(&losses[0])
	if again != l {
		t.Errorf("%+v, want %+v", again, l)
	}
	var into event.Event
	finding.CloneInto(&into)
	clone := finding.Clone()
	if clone.Incident == finding.Incident || into.Incident == finding.Incident || *into.Incident != *clone.Incident {
		t.Error("a copy shares the incident")
	}
}
