package filter_test

import (
	"strings"
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
	drop := event.Event{Reason: "NETFILTER_DROP", Args: []event.Arg{{Name: "limit", Number: 3}, {Name: "port", Number: 9}}}
	drop.Reached = &event.Reached{Point: "mine", Args: []event.Arg{{Name: "port", Number: 7}, {Name: "qlen", Number: 7}}}
	point := event.Event{Kind: event.Point, Point: "tcp_accept_queue", Args: []event.Arg{{Name: "limit", Number: 3}}}
	for text, want := range map[string][4]condition.Truth{
		"kind == retransmit":            {condition.True, condition.True, condition.False, condition.False},
		"kind drop":                     {condition.False, condition.False, condition.True, condition.False},
		"kind != reset":                 {condition.True, condition.True, condition.True, condition.True},
		"tcp.type rto or tcp.type fast": {condition.True, condition.False, condition.False, condition.False},
		"tcp.incoming":                  {condition.False, condition.True, condition.False, condition.False},
		"tcp.lost here":                 {condition.True, condition.False, condition.False, condition.False},
		"not tcp.lost here":             {condition.False, condition.True, condition.True, condition.True},
		"point.name tcp_acc*":           {condition.False, condition.False, condition.False, condition.True},
		"point tcp_acc*":                {condition.Unknown, condition.Unknown, condition.Unknown, condition.True},
		"layer transport":               {condition.False, condition.Unknown, condition.False, condition.True},
		"kind point and args.limit < 4": {condition.False, condition.False, condition.False, condition.True},
		"args.limit < 4":                {condition.False, condition.False, condition.True, condition.True},
		"args.qlen 7 and args.Port > 8": {condition.False, condition.False, condition.True, condition.False},
		"args.port 7":                   {condition.False, condition.False, condition.False, condition.False},
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

// TestWhatSourcesOfTCPCannotKnow: a term that such a source could never decide is refused, and undecided of its
// events.
func TestWhatSourcesOfTCPCannotKnow(t *testing.T) {
	const lacking = event.FactSequence | event.FactRetransType | event.FactFate
	again := event.Event{Kind: event.Retransmit, Segment: &event.Segment{Type: event.Retransmission, Direction: event.Outgoing}}
	for text, tt := range map[string]struct {
		can   bool
		needs string
		want  condition.Truth
	}{
		"tcp.type rto":                     {false, "tcp.type", condition.Unknown},
		"tcp.type != fast":                 {false, "tcp.type", condition.Unknown},
		"not tcp.type {rto, tlp}":          {false, "tcp.type", condition.Unknown},
		"tcp.type {rto, syn}":              {true, "", condition.Unknown},
		"tcp.type syn":                     {true, "", condition.False},
		"tcp.type":                         {true, "", condition.True},
		"tcp.type retransmission":          {true, "", condition.True},
		"tcp.lost here":                    {false, "tcp.lost", condition.Unknown},
		"not tcp.lost here":                {false, "tcp.lost", condition.Unknown},
		"tcp.lost here or kind retransmit": {true, "tcp.lost", condition.True},
		"tcp.seq 5":                        {false, "tcp.seq", condition.Unknown},
		"tcp.ack > 5 and port 1":           {false, "tcp.ack", condition.Unknown},
	} {
		f, err := filter.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		needs := strings.Join(f.Needs(lacking), " ")
		if can, got := f.CanMatch(lacking), f.Decide(&again); can != tt.can || needs != tt.needs || got != tt.want {
			t.Errorf("%s: can match %v, needs %q, decides %v, want %+v", text, can, needs, got, tt)
		}
		if !f.CanMatch(0) || f.Needs(0) != nil {
			t.Errorf("%s cannot match what all is known of", text)
		}
	}
	captured := again
	captured.Segment = &event.Segment{Type: event.Retransmission, Frame: 9}
	if f, err := filter.Parse("tcp.type != fast"); err != nil || f.Decide(&captured) != condition.True {
		t.Errorf("of a capture file it is known not to be fast: %v", err)
	}
}
