package live_test

import (
	"net/netip"
	"slices"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/live"
)

// segment is what TCP sent again from 10.0.0.1 to 10.0.0.2:443, n packets on the wire.
func segment(s event.Segment, n uint64) event.Event {
	e := event.Event{Kind: event.Retransmit, Count: 1, Segments: n, Individual: true, Time: begin, Segment: &s}
	flow := event.TCPFlow(event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
		Src:    netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"), SrcPort: 40000, DstPort: 443,
	})
	e.Packet.Flow = &flow
	return e
}

var (
	fast = event.Segment{Type: event.FastRetransmit, Direction: event.Outgoing, Fate: event.LostHere, Len: 100}
	tlp  = event.Segment{Type: event.TailLossProbe, Direction: event.Outgoing, Fate: event.NotLostHere}
	late = event.Segment{Type: event.Spurious, Direction: event.Incoming}
)

// TestRetransmits: segments are counted as they were on the wire, by peer, type and what became of
// them, whichever end sent them; drops are not.
func TestRetransmits(t *testing.T) {
	c := live.NewCounter(begin, live.Retransmits)
	reset := segment(event.Segment{Direction: event.Outgoing}, 1)
	reset.Kind, reset.Reason = event.Reset, "NO_SOCKET"
	other := segment(event.Segment{Type: event.OutOfOrder}, 1)
	other.Kind = event.TCPEvent
	lost := segment(fast, 4)
	lost.Reason, lost.Where = "NETFILTER_DROP", event.Where{HasPC: true, Kernel: "nft_do_chain+0x3e8/0x400"}
	add(c, begin, lost, segment(fast, 2), segment(tlp, 0), segment(late, 1), reset, other, drop("f", "R", 100))
	all := live.GroupOf(live.Retransmits.Keys...)
	var got []string
	for _, r := range c.Rows(all) {
		text := ""
		for _, k := range live.Retransmits.Keys {
			text += r.Names[k] + " "
		}
		if r.Names[live.Protocol] != "" {
			t.Errorf("a name by protocol, which is no key: %q", r.Names)
		}
		got = append(got, text)
	}
	slices.Sort(got)
	equal(t, "rows", got, []string{
		"10.0.0.1 in spurious - - - - - - ", "10.0.0.2 out fast here - - - - - ",
		"10.0.0.2 out fast here - - - NETFILTER_DROP nft_do_chain+0x3e8 ", "10.0.0.2 out reset - - - - NO_SOCKET - ",
		"10.0.0.2 out tlp not here - - - - - ",
	})
	if c.Total() != 9 {
		t.Errorf("%d segments, want 4 + 2 + 1 + 1 + 1", c.Total())
	}
	byLost := live.GroupOf(live.Lost)
	d := c.Detail(byLost, live.Names{live.Lost: "here"})
	if want := []live.Flow{{Name: "10.0.0.1:* > 10.0.0.2:443 tcp", Count: 6}}; d.Total != 6 || d.Seen != 6 || !slices.Equal(d.Flows, want) {
		t.Errorf("lost here: %d, flows %v, want %v", d.Total, d.Flows, want)
	}
	narrow := c.Narrow(func(e *event.Event) bool { return e.Segment.Fate == event.LostHere })
	again := c.Recount(func(e *event.Event) bool { return e.Segment.Fate == event.LostHere })
	if narrow.Total() != 6 || again.Total() != 6 || again.Subject() != live.Retransmits {
		t.Errorf("of what was lost here: %d, counted again %d, want 6", narrow.Total(), again.Total())
	}
}

// TestOtherSegments: what has no room has the name by the keys of its subject alone.
func TestOtherSegments(t *testing.T) {
	c := live.NewCounter(begin, live.Retransmits)
	for i := range live.MaxKinds + 1 {
		e := segment(tlp, 1)
		e.Netns.Inode = uint32(i + 1)
		c.Add(&e, begin)
	}
	rows := c.Rows(live.GroupOf(live.Peer, live.Netns))
	i := slices.IndexFunc(rows, func(r *live.Row) bool { return r.Names[live.Peer] == live.Other })
	if i < 0 || rows[i].Names[live.Netns] != live.Other || rows[i].Total != 1 || !c.Crowded() {
		t.Errorf("no row of others among %d", len(rows))
	}
}

// TestUnknownSegments: what an event does not say is not guessed.
func TestUnknownSegments(t *testing.T) {
	c := live.NewCounter(begin, live.Retransmits)
	bare := event.Event{Kind: event.Retransmit, Count: 1, Segment: &event.Segment{Fate: event.FateUnknown}}
	none := event.Event{Kind: event.Reset, Count: 1}
	add(c, begin, bare, none)
	for _, r := range c.Rows(live.GroupOf(live.Peer, live.Direction, live.Type, live.Lost)) {
		got := []string{r.Names[live.Peer], r.Names[live.Direction], r.Names[live.Type], r.Names[live.Lost]}
		if !slices.Equal(got, []string{"-", "-", "-", "unknown"}) && !slices.Equal(got, []string{"-", "-", "reset", "-"}) {
			t.Errorf("row %q", got)
		}
	}
}
