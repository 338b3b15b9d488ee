package trace

import (
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// TestJoined: a filter passes the drops that other tracepoints say more of, by their reasons and locations.
func TestJoined(t *testing.T) {
	numbers := map[string]uint64{fullBuffer: 6, noMemory: 20, xdpFamily: 72, event.NotSpecified: 2}
	reasons := func(name string) ([]condition.Span, bool) {
		n, ok := numbers[name]
		if !ok {
			t.Errorf("asked for %s", name)
		}
		return []condition.Span{{Lo: n, Hi: n}}, true
	}
	none := func(string) ([]condition.Span, bool) { return nil, true }
	noSocket := condition.NewTest(condition.Test{Field: condition.Reason, Spans: []condition.Span{{Lo: 3, Hi: 3}}})
	at := []condition.Span{{Lo: 0x1000, Hi: 0x1fff}}
	for want, got := range map[string]condition.Node{
		"reason == 3 || reason == 6 || reason == 20 || reason == 72 || (location >= 4096 && location <= 8191)": Joined(reasons, at),
		"reason == 3 || reason == 6 || reason == 20 || reason == 72 || reason == 2":                            Joined(reasons, nil),
		"reason == 3 || (location >= 4096 && location <= 8191)":                                                Joined(none, at),
		"reason == 3": Joined(none, nil),
	} {
		if got := Expression(condition.Or(noSocket, got)); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if got := Expression(condition.Or(condition.True, Joined(reasons, at))); got != "" {
		t.Errorf("everything is %s", got)
	}
}
