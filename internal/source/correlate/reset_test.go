package correlate

import (
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
)

// reset is a RST that this host sends after some time, as the answer to what came from the port of headers.
func reset(after time.Duration, seq, ack uint32, fields event.Fields) event.Event {
	h := headers(50000, seq, event.RST)
	h.Src, h.Dst, h.SrcPort, h.DstPort = h.Dst, h.Src, h.DstPort, h.SrcPort
	h.Fields, h.Ack = h.Fields&^event.FieldSeq|fields, ack
	flow := event.TCPFlow(h)
	return event.Event{
		Kind: event.Reset, Time: began.Add(after), Count: 1, Packet: event.Packet{Flow: &flow}, Netns: event.Netns{Inode: 7},
		Segment: &event.Segment{Direction: event.Outgoing},
	}
}

// received is a packet that was dropped, with an acknowledgment if its flags say so.
func received(after time.Duration, seq, ack uint32, flags event.TCPFlags, size uint32) event.Event {
	h := headers(50000, seq, flags)
	h.Ack = ack
	h.Fields |= event.FieldAck
	e := lost(after, h, size)
	e.Reason, e.Where.Symbol, e.Where.HasPC = "NO_SOCKET", "tcp_v4_rcv", true
	return e
}

// TestResets: a reset has the drop of the packet that it answers, and no other.
func TestResets(t *testing.T) {
	const second, seqs, both = time.Second, event.FieldSeq, event.FieldSeq | event.FieldAck
	syn := received(second, 1000, 0, event.SYN, 0)
	elsewhere := received(second, 1000, 0, event.SYN, 0)
	elsewhere.Netns.Inode = 8
	rst := received(second, 1000, 5, event.RST|event.ACK, 0)
	incoming := reset(second, 0, 1001, both)
	incoming.Segment.Direction = event.Incoming
	for name, tt := range map[string]struct {
		reset event.Event
		drops []event.Event
		want  bool
	}{
		"of a SYN":                 {reset(second-1, 0, 1001, both), []event.Event{syn}, true},
		"of a SYN, dropped before": {reset(second+1, 0, 1001, both), []event.Event{syn}, true},
		"of an ACK":                {reset(second, 77, 0, seqs), []event.Event{received(second, 9, 77, event.ACK, 0)}, true},
		"of data":                  {reset(second, 77, 0, seqs), []event.Event{received(second, 9, 77, event.ACK, 300)}, true},
		"of data without ACK":      {reset(second, 0, 309, both), []event.Event{received(second, 9, 0, 0, 300)}, true},
		"of one between others": {
			reset(second, 77, 0, seqs), []event.Event{syn, received(second, 9, 77, event.ACK, 0), syn}, true,
		},
		"another SYN":                           {reset(second, 0, 1002, both), []event.Event{syn}, false},
		"another ACK":                           {reset(second, 78, 0, seqs), []event.Event{received(second, 9, 77, event.ACK, 0)}, false},
		"of what has an ACK":                    {reset(second, 0, 10, both), []event.Event{received(second, 9, 77, event.ACK, 1)}, false},
		"too late":                              {reset(2*second, 0, 1001, both), []event.Event{syn}, false},
		"too early":                             {reset(0, 0, 1001, both), []event.Event{syn}, false},
		"in another namespace":                  {reset(second, 0, 1001, both), []event.Event{elsewhere}, false},
		"of a connection that this host aborts": {reset(second, 0, 0, 0), []event.Event{syn}, false},
		"of a RST":                              {reset(second, 5, 0, seqs), []event.Event{rst}, false},
		"that came in":                          {incoming, []event.Event{syn}, false},
		"none":                                  {reset(second, 0, 1001, both), nil, false},
	} {
		s := &Source{Drops: new(script), Resets: true, out: new(list)}
		dropAll(s, tt.drops...)
		s.judge(&tt.reset)
		_, ok := tt.reset.Dropped()
		if reason := tt.reset.Segment.Drop.Reason; ok != tt.want || tt.want != (reason == "NO_SOCKET") || tt.reset.Reason != "" {
			t.Errorf("%s: a drop %t for %q, want %t", name, ok, reason, tt.want)
		}
	}
}

// TestResetWaits until what is dropped after it has been read, and its drop has the flow of the packet.
func TestResetWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tcp := &script{events: []event.Event{reset(0, 0, 1001, event.FieldSeq|event.FieldAck)}}
		drops := &script{events: []event.Event{received(maxAnswer, 1000, 0, event.SYN, 0)}}
		got := fates(t, &Source{TCP: tcp, Drops: drops, Resets: true}, time.Second)
		if len(got) != 1 {
			t.Fatalf("%+v", got)
		}
		d, ok := got[0].Dropped()
		if f := d.Packet.Flow; !ok || d.Kind != event.Drop || d.Reason != "NO_SOCKET" || f.SrcPort != 443 || f.DstPort != 50000 {
			t.Errorf("%t %+v", ok, d)
		}
	})
}

// TestRule: the rule of a firewall is asked for of its drops alone, with the packet, while drops may come.
func TestRule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		byRule, other := lost(0, headers(50000, 1000, event.ACK), 100), lost(0, headers(50001, 1000, event.ACK), 100)
		byRule.Stack = []event.Frame{{Symbol: "nft_do_chain"}, {Symbol: "ip_local_deliver"}}
		byRule.Packet.Data, byRule.Packet.HasData = []byte{0x45}, true
		tcp := &script{events: []event.Event{
			resent(time.Minute, headers(50000, 1000, event.ACK), 100), resent(time.Minute, headers(50001, 1000, event.ACK), 100),
		}}
		s := &Source{TCP: tcp, Drops: &script{events: []event.Event{byRule, other}}}
		asked := 0
		s.Rule = func(drop *event.Event) (rule, confidence string) {
			asked++
			if !s.mu.TryLock() {
				t.Error("drops have to wait for a rule")
			} else {
				s.mu.Unlock()
			}
			if drop.Kind != event.Drop || len(drop.Packet.Data) != 1 || drop.Reason != "NETFILTER_DROP" || len(drop.Stack) != 2 {
				t.Errorf("asked for the rule of %+v", drop)
			}
			return "inet fw input handle 7", "exactly"
		}
		got := fates(t, s, time.Second)
		want := event.SegmentDrop{Rule: "inet fw input handle 7", RuleConfidence: "exactly"}
		if len(got) != 2 || got[0].Segment.Drop != want || got[1].Segment.Drop != (event.SegmentDrop{}) || asked != 1 {
			t.Errorf("asked %d times: %+v", asked, got)
		}
	})
}
