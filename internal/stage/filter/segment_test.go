package filter_test

import (
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/stage/filter"
)

// TestSegments selects what TCP did.
func TestSegments(t *testing.T) {
	again := event.Event{Kind: event.Retransmit, Segment: &event.Segment{
		Type: event.TimeoutRetrans, Direction: event.Outgoing, Fate: event.LostHere,
	}}
	received := event.Event{Kind: event.Retransmit, Segment: &event.Segment{Type: event.Spurious, Direction: event.Incoming}}
	again.Segment.Drop = event.SegmentDrop{Rule: "nftables inet fw in handle 7 (tcp dport 9 drop)"}
	again.Reason = "NETFILTER_DROP"
	drop := event.Event{Reason: "NETFILTER_DROP"}
	point := event.Event{Kind: event.Point, Point: "accept_queue", Args: []event.Arg{{Name: "limit", Number: 3}}}
	for text, want := range map[string][4]condition.Truth{
		"kind == retransmit":            {condition.True, condition.True, condition.False, condition.False},
		"kind drop":                     {condition.False, condition.False, condition.True, condition.False},
		"kind != reset":                 {condition.True, condition.True, condition.True, condition.True},
		"tcp.type rto or tcp.type fast": {condition.True, condition.False, condition.False, condition.False},
		"tcp.incoming":                  {condition.False, condition.True, condition.False, condition.False},
		"tcp.lost here":                 {condition.True, condition.False, condition.False, condition.False},
		"not tcp.lost here":             {condition.False, condition.True, condition.True, condition.True},
		"kind point and args.limit < 4": {condition.False, condition.False, condition.False, condition.True},
		"tcp.lost":                      {condition.True, condition.False, condition.False, condition.False},
		"tcp.cause netfilter_drop":      {condition.True, condition.False, condition.False, condition.False},
		"tcp.cause != NO_SOCKET":        {condition.True, condition.False, condition.False, condition.False},
		`tcp.rule ~ "handle 7 "`:        {condition.True, condition.False, condition.False, condition.False},
	} {
		f, err := filter.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range []*event.Event{&again, &received, &drop, &point} {
			if got := f.Decide(e); got != want[i] {
				t.Errorf("%s of event %d: %v, want %v", text, i, got, want[i])
			}
		}
	}
	if _, err := filter.Parse("tcp.type rot"); err == nil || err.Error() == "" {
		t.Error("tcp.type rot is a type")
	}
}
