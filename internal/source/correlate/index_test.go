package correlate

import (
	"testing"
	"time"

	"dropwatch/internal/event"
)

// dropAll has a source remember drops.
func dropAll(s *Source, drops ...event.Event) {
	for i := range drops {
		(*dropOutput)(s).Emit(&drops[i])
	}
}

// TestBounds: memory is bounded, the oldest drops are forgotten first, and what was forgotten is a doubt for what may
// have been lost by it.
func TestBounds(t *testing.T) {
	var x index
	const n = 1 << 17
	for i := range n {
		h := headers(uint16(i), uint32(i), 0)
		h.Transport = event.TCP
		f, seq, end, _ := spanOf(&h, 9)
		e := event.Event{Time: began.Add(time.Duration(i)), Reason: "NO_SOCKET"}
		x.add(f, dropped{seq: seq, end: end}, &e, 4<<20)
	}
	kept := len(x.order) - x.oldest
	if x.size > 4<<20 || kept < 10_000 || len(x.order) > 2*kept+1 || !x.forgot.Equal(began.Add(time.Duration(n-kept-1))) {
		t.Fatalf("%d bytes in %d drops, %d in order, forgot %v", x.size, kept, len(x.order), x.forgot)
	}
	var remembered int
	for _, h := range x.histories {
		remembered += len(h.values)
	}
	if remembered != kept {
		t.Errorf("%d drops in flows, %d in order", remembered, kept)
	}
	for range kept {
		x.forget()
	}
	if len(x.histories) != 0 || x.size != 0 {
		t.Errorf("%d flows and %d bytes are left of nothing", len(x.histories), x.size)
	}
}

// TestBoundOfFlow: many drops of a flow put only that one in doubt, and those that are remembered are found.
func TestBoundOfFlow(t *testing.T) {
	s := &Source{Drops: new(script), out: new(list)}
	for i := range 3 * maxPerKey {
		dropAll(s, lost(time.Minute+time.Duration(i), headers(50000, uint32(100*i), event.ACK), 100))
	}
	dropAll(s, lost(time.Minute, headers(50001, 7, event.ACK), 100))
	for name, tt := range map[string]struct {
		headers event.Headers
		want    event.Fate
		doubt   string
	}{
		"the first of the flow":   {headers(50000, 0, event.ACK), event.FateUnknown, "too many drops to remember"},
		"its last":                {headers(50000, 100*(3*maxPerKey-1), event.ACK), event.LostHere, ""},
		"the first that is kept":  {headers(50000, 100*2*maxPerKey, event.ACK), event.LostHere, ""},
		"another flow":            {headers(50001, 7, event.ACK), event.LostHere, ""},
		"another flow, not found": {headers(50001, 1000, event.ACK), event.NotLostHere, ""},
		"a flow without drops":    {headers(50002, 1, event.ACK), event.NotLostHere, ""},
	} {
		e := resent(time.Minute+time.Second, tt.headers, 100)
		if s.judge(&e); e.Segment.Fate != tt.want || e.Segment.Doubt != tt.doubt {
			t.Errorf("%s: %v %q, want %v %q", name, e.Segment.Fate, e.Segment.Doubt, tt.want, tt.doubt)
		}
	}
}

// TestFlood: drops of other protocols, and acknowledgments, take no room of those that segments are sent again for.
func TestFlood(t *testing.T) {
	s := &Source{Drops: new(script), out: new(list)}
	data := headers(50000, 1000, event.ACK)
	dropAll(s, lost(time.Minute, data, 100))
	size := s.index.size
	udp := lost(time.Minute, data, 100)
	udp.Packet.Flow.Transport, udp.Packet.Flow.Protocol = event.UDP, 17
	for i := range 1 << 16 {
		udp.Packet.Flow.SrcPort = uint16(i)
		dropAll(s, udp, lost(time.Minute, headers(uint16(i), 7, event.ACK), 0))
	}
	e := resent(time.Minute+time.Second, data, 100)
	if s.judge(&e); e.Segment.Fate != event.LostHere || s.index.size != size || !s.index.forgot.IsZero() || s.answered.size != 0 {
		t.Errorf("%v %q, %d bytes, were %d", e.Segment.Fate, e.Segment.Doubt, s.index.size, size)
	}
}
