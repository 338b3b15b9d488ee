package line_test

import (
	"net/netip"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/line"
)

// retransmit is a segment that was sent again when the retransmission timer expired.
func retransmit() event.Event {
	e := event.Event{Kind: event.Retransmit, Time: at, Count: 1, Segments: 3, Individual: true, Owner: nginx()}
	e.Owner.Socket.Receiver = false
	e.Segment = &event.Segment{
		Type: event.TimeoutRetrans, Direction: event.Outgoing, Len: 4344, State: 1, CongestionState: event.CongestionLoss, RTT: 312,
	}
	flow := event.TCPFlow(event.Headers{
		Fields: event.FieldSrc | event.FieldDst | ports | event.FieldSeq, Seq: 1<<32 - 1, SrcPort: 443, DstPort: 50123,
		Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.7"),
	})
	e.Packet.Flow = &flow
	return e
}

// TestPoint: a line has the point, the function, the connection and what was read.
func TestPoint(t *testing.T) {
	e := event.Event{Kind: event.Point, Time: at, Count: 1, Individual: true, Point: "accept_queue", Packet: retransmit().Packet}
	e.Where.Frame, e.Port = event.Frame{PC: 1, Lookup: event.Found, Symbol: "tcp_conn_request"}, event.Port{IfName: "lo", IfIndex: 1}
	e.Args = []event.Arg{{Name: "len", Number: 4}, {Name: "dev", Text: "\x1b[2J"}}
	e.Stack = []event.Frame{{PC: 1}, {PC: 2, Lookup: event.Found, Symbol: "tcp_v4_do_rcv", Offset: 9}}
	const want = "03:42:35.698459 point accept_queue           tcp_conn_request lo    192.0.2.1:443 > 198.51.100.7:50123 tcp " +
		"len 4 dev \\x1b[2J\n    tcp_v4_do_rcv+0x9\n"
	if got := format(t, line.Options{Stack: true}, e); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	lost := event.Event{Kind: event.Loss, Time: at, Count: 2, Place: event.InRing, Point: "accept_queue"}
	if got, want := format(t, line.Options{}, lost), "03:42:35.698459 lost 2 point events in the kernel's ring\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSegments(t *testing.T) {
	change := func(f func(*event.Event)) event.Event {
		e := retransmit()
		f(&e)
		return e
	}
	tests := map[string]struct {
		event event.Event
		want  string
	}{
		"a retransmission": {
			retransmit(), "03:42:35.698459 retransmit out rto            192.0.2.1:443 > 198.51.100.7:50123 tcp " +
				"seq 4294967295 len 4344 established ca loss rtt 312µs segments 3 from nginx/812\n",
		},
		"a reset that was received": {
			change(func(e *event.Event) {
				*e = event.Event{Kind: event.Reset, Time: at, Count: 1, Packet: e.Packet}
				e.Task = event.Task{Known: true, PID: 7, Comm: "bash"} // need not have anything to do with it
				e.Segment = &event.Segment{Direction: event.Incoming}
				e.Packet.Flow.Fields &^= event.FieldSeq
			}),
			"03:42:35.698459 reset in       -              192.0.2.1:443 > 198.51.100.7:50123 tcp len 0\n",
		},
		"one that was sent, with its reason and interface": {
			change(func(e *event.Event) {
				*e = event.Event{
					Kind: event.Reset, Time: at, Count: 1, Reason: "NO_SOCKET", Segment: &event.Segment{Direction: event.Outgoing},
					Port: event.Port{IfName: "eth0", IfIndex: 2},
				}
			}),
			"03:42:35.698459 reset out      NO_SOCKET      eth0  len 0\n",
		},
		"one that answers a packet that was dropped": {
			change(func(e *event.Event) {
				*e = event.Event{Kind: event.Reset, Time: at, Count: 1, Packet: e.Packet}
				e.Where = event.Where{HasPC: true, Frame: event.Frame{Symbol: "tcp_v4_rcv", Offset: 0x91, Lookup: event.Found}}
				e.Segment = &event.Segment{Direction: event.Outgoing, Drop: event.SegmentDrop{Reason: "NO_SOCKET"}}
			}),
			"03:42:35.698459 reset out      NO_SOCKET      192.0.2.1:443 > 198.51.100.7:50123 tcp seq 4294967295 len 0 " +
				"drop at tcp_v4_rcv+0x91 NO_SOCKET (No TCP socket accepts this segment)\n",
		},
		"lost in another namespace, by a rule": {
			change(func(e *event.Event) {
				e.Reason, e.Owner = "NETFILTER_DROP", event.Owner{}
				e.Where.Frame = event.Frame{Symbol: "nft_do_chain", Offset: 0x3e8, Lookup: event.Found}
				e.Stack = []event.Frame{e.Where.Frame, {Symbol: "ip_forward"}}
				e.Segment.Fate = event.LostHere
				e.Segment.Drop = event.SegmentDrop{
					Port: event.Port{IfName: "veth0"}, Netns: event.Netns{Inode: 7, Name: "web"},
					Rule: "nftables inet fw f handle 7 (tcp dport 9 \x1b drop)", RuleConfidence: "exactly",
				}
			}),
			"03:42:35.698459 retransmit out rto            192.0.2.1:443 > 198.51.100.7:50123 tcp seq 4294967295 len 4344 established " +
				"ca loss rtt 312µs lost here: nft_do_chain+0x3e8 NETFILTER_DROP hook FORWARD iface veth0 in netns web " +
				"rule exactly nftables inet fw f handle 7 (tcp dport 9 \\x1b drop) segments 3\n",
		},
		"of a capture file": {
			change(func(e *event.Event) {
				*e = event.Event{Kind: event.TCPEvent, Time: at, Count: 1, Packet: e.Packet}
				e.Segment = &event.Segment{Type: event.ZeroWindowProbe, Len: 1, Frame: 17}
				e.Packet.Flow.Fields |= event.FieldAck | event.FieldTCPFlags
				e.Packet.Flow.Ack, e.Packet.Flow.TCPFlags = 8, event.ACK
			}),
			"03:42:35.698459 tcp            zero_window_probe 192.0.2.1:443 > 198.51.100.7:50123 tcp [.] " +
				"seq 4294967295 ack 8 len 1 frame 17\n",
		},
		"in a tunnel, of one of several files": {
			change(func(e *event.Event) {
				inner := e.Packet.Flow.Headers
				inner.Seq = 9
				outer := event.Headers{
					Fields: event.FieldSrc | event.FieldDst, Network: event.IPv4, Transport: event.GRE, Src: inner.Dst, Dst: inner.Src,
				}
				flow := event.Flow{Headers: outer, Tunnel: event.Tunnel{Kind: event.GRE}, Inner: inner}
				*e = event.Event{Kind: event.TCPEvent, Time: at, Count: 1, Packet: event.Packet{Flow: &flow}}
				e.Segment = &event.Segment{Type: event.OutOfOrder, Len: 5, Frame: 1, File: "my trace.pcap"}
			}),
			"03:42:35.698459 tcp            out_of_order   198.51.100.7 > 192.0.2.1 { 192.0.2.1:443 > 198.51.100.7:50123 tcp } " +
				"seq 9 len 5 frame 1 of \"my trace.pcap\"\n",
		},
		"lost here, by a firewall": {
			change(func(e *event.Event) {
				e.Segment.Fate, e.Reason, e.Args = event.LostHere, "QDISC_DROP", []event.Arg{{Name: "limit", Number: 64}}
				e.Where.Frame, e.Owner = event.Frame{PC: 1, Lookup: event.Found, Symbol: "tbf_enqueue", Offset: 0x1f}, event.Owner{}
			}),
			"03:42:35.698459 retransmit out rto            192.0.2.1:443 > 198.51.100.7:50123 tcp seq 4294967295 len 4344 established " +
				"ca loss rtt 312µs lost here: tbf_enqueue+0x1f QDISC_DROP limit 64 segments 3\n",
		},
		"not lost here": {
			change(func(e *event.Event) { e.Segment.Fate, e.Owner = event.NotLostHere, event.Owner{} }),
			"03:42:35.698459 retransmit out rto            192.0.2.1:443 > 198.51.100.7:50123 tcp seq 4294967295 len 4344 established " +
				"ca loss rtt 312µs not lost here segments 3\n",
		},
		"in doubt": {
			change(func(e *event.Event) { e.Segment.Fate, e.Segment.Doubt = event.FateUnknown, "\x1b[2J" }),
			"03:42:35.698459 retransmit out rto            192.0.2.1:443 > 198.51.100.7:50123 tcp seq 4294967295 len 4344 established " +
				"ca loss rtt 312µs lost here: unknown (\\x1b[2J) segments 3 from nginx/812\n",
		},
		"of an unknown sequence number and length": {
			change(func(e *event.Event) {
				e.Packet.Flow.Fields &^= event.FieldSeq
				*e.Segment = event.Segment{Type: event.Retransmission, Direction: event.Outgoing, State: 1}
				e.Segments, e.Owner = 0, event.Owner{}
			}),
			"03:42:35.698459 retransmit out retransmission 192.0.2.1:443 > 198.51.100.7:50123 tcp established\n",
		},
		"without a segment": {
			event.Event{Kind: event.Retransmit, Time: at, Count: 5}, "03:42:35.698459 retransmit     -              len 0 x5\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := format(t, line.Options{}, tt.event); got != tt.want {
				t.Errorf("got  %swant %s", got, tt.want)
			}
		})
	}
}

// TestSegmentsOnATerminal that is too narrow for columns.
func TestSegmentsOnATerminal(t *testing.T) {
	got := format(t, line.Options{Width: 80}, retransmit())
	const want = "03:42:35.698 retransmit out rto 192.0.2.1:443 > 198.51.100.7:50123 tcp " +
		"seq 4294967295 len 4344 established ca loss rtt 312µs segments 3 from nginx/812\n"
	if got != want {
		t.Errorf("got  %swant %s", got, want)
	}
}
