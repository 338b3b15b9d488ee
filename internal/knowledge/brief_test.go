package knowledge_test

import (
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// TestBrief: it says what the whole explanation says, of every reason and of packets that show cases.
func TestBrief(t *testing.T) {
	flows := []*event.Flow{
		nil,
		{Headers: event.Headers{Fields: event.FieldTTL | event.FieldVLAN, Transport: event.UDP, TTL: 1}},
		{Headers: event.Headers{Fields: event.FieldEthDst, Transport: event.TCP, EthDst: event.MAC{2, 0, 0, 0, 0, 1}}},
	}
	for _, en := range knowledge.All() {
		if en.Kind != knowledge.Reason || en.Name == "NOT_SPECIFIED" {
			continue
		}
		for _, flow := range flows {
			for _, harmless := range []string{"", "closed"} {
				e := event.Event{Reason: en.Name, Harmless: harmless, Packet: event.Packet{Flow: flow, Proto: 0x0800, HasProto: true}}
				x, _ := knowledge.Of(&e)
				got, ok := knowledge.BriefOf(&e)
				want := knowledge.Brief{Entry: x.Entry, Case: x.Case, Class: x.Class, Severity: x.Severity, Cause: x.Cause}
				if !ok || got != want {
					t.Errorf("%s: %+v, want %+v", en.Name, got, want)
				}
			}
		}
	}
	if got, ok := knowledge.BriefOf(&event.Event{Reason: "STRANGE"}); ok {
		t.Errorf("of an unknown reason: %+v", got)
	}
}

func TestBriefDoesNotAllocate(t *testing.T) {
	e := event.Event{Reason: "NO_SOCKET", Packet: event.Packet{Flow: &event.Flow{Headers: event.Headers{Transport: event.UDP}}}}
	if n := testing.AllocsPerRun(100, func() { knowledge.BriefOf(&e) }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}
