package event_test

import (
	"net/netip"
	"testing"

	"dropwatch/internal/event"
)

func TestSegmentWords(t *testing.T) {
	types := map[event.SegmentType]string{
		event.SegmentUnknown: "", event.Retransmission: "retransmission", event.FastRetransmit: "fast", event.Spurious: "spurious",
		event.SYNRetransmit: "syn", event.SYNACKRetransmit: "synack", event.FINRetransmit: "fin", event.KeepAlive: "keep_alive",
		event.TimeoutRetrans: "rto", event.TailLossProbe: "tlp", event.OutOfOrder: "out_of_order", event.DuplicateAck: "duplicate_ack",
		event.ZeroWindow: "zero_window", event.ZeroWindowProbe: "zero_window_probe", event.WindowFull: "window_full",
		event.LostSegment: "lost_segment", event.PortReuse: "port_reuse", event.PortReuse + 1: "unknown",
	}
	for s, want := range types {
		if got := s.String(); got != want {
			t.Errorf("type %d is %q, want %q", s, got, want)
		}
	}
	for d, want := range map[event.Direction]string{event.DirectionUnknown: "unknown", event.Outgoing: "out", event.Incoming: "in"} {
		if got := d.String(); got != want {
			t.Errorf("direction %d is %q, want %q", d, got, want)
		}
	}
	fates := map[event.Fate]string{
		event.FateUnstated: "", event.LostHere: "here", event.NotLostHere: "not_here", event.FateUnknown: "unknown", 9: "unknown",
	}
	for f, want := range fates {
		if got := f.String(); got != want {
			t.Errorf("fate %d is %q, want %q", f, got, want)
		}
	}
	// TCP_CA_Open is 0 in the kernel, TCP_CA_Loss 4.
	if event.CongestionState(0+1).String() != "open" || event.CongestionState(4+1).String() != "loss" {
		t.Error("congestion states are not 1 and the kernel's numbers")
	}
}

func TestKindWords(t *testing.T) {
	words := map[event.Kind]string{
		event.Drop: "drop", event.Retransmit: "retransmit", event.Reset: "reset", event.TCPEvent: "tcp", event.Point: "point",
		event.Rejected: "rejected", event.Loss: "loss", event.End: "end", event.End + 1: "unknown",
	}
	for k, want := range words {
		if got := k.String(); got != want {
			t.Errorf("kind %d is %q, want %q", k, got, want)
		}
		if ofTCP := want == "retransmit" || want == "reset" || want == "tcp"; k.IsTCP() != ofTCP {
			t.Errorf("%s is of TCP: %t", want, k.IsTCP())
		}
	}
}

// TestClonesOfASegment share no memory with the event.
func TestClonesOfASegment(t *testing.T) {
	e := event.Event{Kind: event.Retransmit, Segment: &event.Segment{Len: 1}}
	into := event.Event{Segment: &event.Segment{Len: 7}}
	memory := into.Segment
	clone := e.Clone()
	e.CloneInto(&into)
	e.Segment.Len = 2
	if clone.Segment.Len != 1 || into.Segment.Len != 1 || into.Segment != memory {
		t.Errorf("clones have %d and %d bytes of payload, want 1", clone.Segment.Len, into.Segment.Len)
	}
	(&event.Event{}).CloneInto(&into)
	if into.Segment != nil {
		t.Error("the clone of a drop has the segment of the event before")
	}
}

func TestTCPFlow(t *testing.T) {
	for address, want := range map[string]event.Layer{"192.0.2.1": event.IPv4, "2001:db8::1": event.IPv6} {
		f := event.TCPFlow(event.Headers{Fields: event.FieldSrc | event.FieldSeq, Src: netip.MustParseAddr(address), Seq: 9})
		if f.Network != want || event.NetworkLayer(f.EtherType) != want || f.Transport != event.TCP || f.Protocol != 6 ||
			!f.Has(event.FieldSrc|event.FieldSeq|event.FieldProtocol) || f.Has(event.FieldDst) {
			t.Errorf("of %s: %+v", address, f)
		}
	}
}

// TestResetReason: the kernel's own, or that of the drop, if it says why.
func TestResetReason(t *testing.T) {
	for want, of := range map[string][2]string{
		"": {}, "A": {"A", "B"}, "B": {event.NotSpecified, "B"}, "C": {"", "C"},
		event.NotSpecified: {event.NotSpecified, event.NotSpecified},
	} {
		e := event.Event{Reason: of[0], Segment: &event.Segment{Drop: event.SegmentDrop{Reason: of[1]}}}
		if got := e.ResetReason(); got != want {
			t.Errorf("%q: %q, want %q", of, got, want)
		}
	}
}

// TestDropped: the drop behind an event is where and why it was, of the packet that was dropped.
func TestDropped(t *testing.T) {
	flow := event.TCPFlow(event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort | event.FieldSeq, Seq: 7,
		Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.7"), SrcPort: 443, DstPort: 50000,
	})
	with := func(kind event.Kind, s *event.Segment) *event.Event {
		return &event.Event{
			Kind: kind, Reason: "R", Where: event.Where{HasPC: true}, Packet: event.Packet{Flow: &flow},
			Port: event.Port{IfName: "eth0"}, Netns: event.Netns{Inode: 1}, Segment: s,
		}
	}
	here := event.SegmentDrop{Reason: "NO_SOCKET"}
	away := event.SegmentDrop{Port: event.Port{IfName: "veth0"}, Netns: event.Netns{Inode: 2, Name: "web"}}
	unplaced := with(event.Reset, new(event.Segment))
	unplaced.Where = event.Where{}
	for name, tt := range map[string]struct {
		e      *event.Event
		reason string // empty: there is none
		ifname string
		netns  uint32
		from   uint16
	}{
		"a drop":                    {with(event.Drop, nil), "R", "eth0", 1, 443},
		"lost here":                 {with(event.Retransmit, &event.Segment{Fate: event.LostHere}), "R", "eth0", 1, 443},
		"lost in another namespace": {with(event.Retransmit, &event.Segment{Fate: event.LostHere, Drop: away}), "R", "veth0", 2, 443},
		"not lost here":             {with(event.Retransmit, &event.Segment{Fate: event.NotLostHere}), "", "", 0, 0},
		"a reset":                   {with(event.Reset, &event.Segment{Drop: here}), "NO_SOCKET", "eth0", 1, 50000},
		"a reset without a drop":    {unplaced, "", "", 0, 0},
		"of a capture":              {with(event.TCPEvent, new(event.Segment)), "", "", 0, 0},
		"a loss":                    {with(event.Loss, nil), "", "", 0, 0},
	} {
		d, ok := tt.e.Dropped()
		if ok != (tt.reason != "") {
			t.Errorf("%s: %t", name, ok)
		}
		if ok && (d.Kind != event.Drop || d.Segment != nil || d.Reason != tt.reason || d.Port.IfName != tt.ifname ||
			d.Netns.Inode != tt.netns || d.Packet.Flow.SrcPort != tt.from) {
			t.Errorf("%s: %+v", name, d)
		}
	}
	if flow.SrcPort != 443 {
		t.Error("the flow of the event was changed")
	}
}
