package event_test

import (
	"testing"

	"dropwatch/internal/event"
)

// TestClonesOfAReached share no memory with the event, and use that of the event before.
func TestClonesOfAReached(t *testing.T) {
	e := event.Event{Reached: &event.Reached{Point: "udp_queue", Args: []event.Arg{{Name: "rmem", Number: 1}}}}
	into := event.Event{Reached: &event.Reached{Args: make([]event.Arg, 7)}}
	memory, arg := into.Reached, &into.Reached.Args[0]
	clone := e.Clone()
	e.CloneInto(&into)
	e.Reached.Point, e.Reached.Args[0].Number = "other", 2
	for _, r := range []*event.Reached{clone.Reached, into.Reached} {
		if r.Point != "udp_queue" || len(r.Args) != 1 || r.Args[0].Number != 1 {
			t.Errorf("%+v", r)
		}
	}
	if into.Reached != memory || &into.Reached.Args[0] != arg {
		t.Error("the memory of the event before is not used")
	}
	if without := (&event.Event{}).Size(); e.Size() <= without {
		t.Errorf("%d bytes, without a point %d", e.Size(), without)
	}
	(&event.Event{}).CloneInto(&into)
	if into.Reached != nil {
		t.Error("the clone of a drop has the point of the event before")
	}
}

// TestCloneIntoCopiesPacketsInPackets, and removes them where there are none.
func TestCloneIntoCopiesPacketsInPackets(t *testing.T) {
	inner := event.Headers{Fields: event.FieldSrcPort, Network: event.IPv4, SrcPort: 9}
	flows := []*event.Flow{
		{Headers: event.Headers{Transport: event.TCP}},
		{Headers: event.Headers{Transport: event.UDP}, Tunnel: event.Tunnel{Kind: event.VXLAN}, Inner: inner},
		{Headers: event.Headers{Transport: event.ICMP}, Quoted: inner, Stop: event.Stop{Why: event.Truncated}},
		{Headers: event.Headers{Transport: event.ICMPv6}, Quoted: inner},
		nil,
	}
	for i, before := range flows {
		for j, f := range flows {
			var to event.Event
			(&event.Event{Packet: event.Packet{Flow: before}}).CloneInto(&to)
			(&event.Event{Packet: event.Packet{Flow: f}}).CloneInto(&to)
			if got := to.Packet.Flow; (got == nil) != (f == nil) || f != nil && (*got != *f || got == f) {
				t.Errorf("flow %d after %d: %+v, want a copy of %+v", j, i, got, f)
			}
		}
	}
}
