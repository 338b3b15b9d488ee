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
