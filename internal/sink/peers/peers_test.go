package peers_test

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/sink/peers"
)

var begin = time.Unix(1_795_231_701, 0).UTC()

// resent is a retransmission to a peer, of so many segments.
func resent(kind event.SegmentType, peer string, segments uint64) event.Event {
	flow := event.TCPFlow(event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
		Src:    netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr(peer), SrcPort: 443, DstPort: 50000,
	})
	return event.Event{
		Kind: event.Retransmit, Time: begin, Count: 1, Segments: segments, Packet: event.Packet{Flow: &flow},
		Port: event.Port{IfName: "eth0"},
		Owner: event.Owner{
			Socket:  &event.Socket{Cookie: uint64(flow.Dst.As4()[3])},
			Process: event.Process{PID: 812, Comm: "nginx", Confidence: event.Certain},
		},
		Segment: &event.Segment{Type: kind, Direction: event.Outgoing, RTT: 1500, Sent: 90},
	}
}

func reset(d event.Direction, reason string) event.Event {
	return event.Event{Kind: event.Reset, Time: begin, Count: 1, Reason: reason, Segment: &event.Segment{Direction: d}}
}

// live has one connection, which sent 100 segments before the run and 200 in it.
func live() func() []counters.Connection {
	sent := uint64(100)
	return func() []counters.Connection {
		c := counters.Connection{
			Local: netip.MustParseAddrPort("192.0.2.1:443"), Remote: netip.MustParseAddrPort("198.51.100.7:50000"), Sent: sent,
		}
		sent += 200
		return []counters.Connection{c}
	}
}

// write writes events and the End, 2 s after the begin, and returns the table.
func write(t *testing.T, o peers.Options, l event.Ledger, events ...event.Event) string {
	t.Helper()
	var b bytes.Buffer
	o.Begin = begin
	s := peers.New(&b, o)
	events = append(slices.Clip(events), event.Event{Kind: event.End, Time: begin.Add(2 * time.Second), Ledger: &l})
	for i := range events {
		if err := s.Write(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestLostHere: a line for each drop by which segments were lost, the most first, and why resets were sent.
func TestLostHere(t *testing.T) {
	lost := func(segments uint64, reason, rule string, in event.Netns) event.Event {
		e := resent(event.FastRetransmit, "198.51.100.7", segments)
		e.Reason, e.Segment.Fate = reason, event.LostHere
		e.Where.Kernel = "nft_do_chain+0x3e8/0x700"
		e.Segment.Drop = event.SegmentDrop{Rule: rule, RuleConfidence: "exactly", Netns: in}
		return e
	}
	answer := reset(event.Outgoing, "")
	answer.Segment.Drop.Reason = "TCP_ABORT_ON_DATA"
	const rule = "nftables inet fw in handle 7 (tcp dport 9 drop)"
	web := event.Netns{Inode: 7, Name: "web"}
	events := []event.Event{
		answer, lost(1, "OTHER", "", event.Netns{}), lost(2, "NETFILTER_DROP", rule, web), lost(3, "NETFILTER_DROP", rule, web),
	}
	for i := range 5 {
		events = append(events, lost(1, strings.Repeat("R", i+1), "", event.Netns{}))
	}
	const want = `5 segments lost here: nft_do_chain NETFILTER_DROP in netns web rule exactly ` + rule + `
1 segment lost here: nft_do_chain OTHER
1 segment lost here: nft_do_chain R
1 segment lost here: nft_do_chain RR
1 segment lost here: nft_do_chain RRR
and 2 more drop locations
1 reset sent: TCP_ABORT_ON_DATA 1
`
	if got := write(t, peers.Options{}, event.Ledger{}, events...); !strings.HasSuffix(got, want) {
		t.Errorf("got\n%swant at its end\n%s", got, want)
	}
}

// TestSocketsThatChange: one gets a cookie, which stood for its address before, and then the address is that of another
// connection, to which the number of the first is not added.
func TestSocketsThatChange(t *testing.T) {
	said := func(cookie uint64, port uint16, sent uint32) event.Event {
		e := resent(event.FastRetransmit, "198.51.100.7", 1)
		e.Owner.Socket.Cookie, e.Packet.Flow.DstPort, e.Segment.Sent = cookie, port, sent
		return e
	}
	const address = 1<<52 + 9
	events := []event.Event{said(address, 50001, 10), said(5, 50001, 30), said(address, 50002, 400), said(5, 50001, 31)}
	got := write(t, peers.Options{Connections: ended}, event.Ledger{}, events...)
	if want := "        4   431    0.93%  1.5ms  out  198.51.100.7  fast 4\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got\n%swant at its end\n%s", got, want)
	}
}

// ended are the connections of a live run when there are none any more.
func ended() []counters.Connection { return nil }

func TestTable(t *testing.T) {
	three := []event.Event{
		resent(event.FastRetransmit, "198.51.100.7", 8), resent(event.TimeoutRetrans, "198.51.100.7", 2),
		resent(event.SYNRetransmit, "198.51.100.250", 1),
	}
	by := func(text string) (b peers.By) {
		if err := b.Set(text); err != nil {
			t.Fatal(err)
		}
		return b
	}
	const none = "no segments retransmitted in 2.0 s\n"
	tests := map[string]struct {
		opts   peers.Options
		ledger event.Ledger
		events []event.Event
		want   string
	}{
		"nothing": {want: none},
		"by peer, of which one has a connection": {
			peers.Options{Connections: live()}, event.Ledger{}, three,
			"11 segments retransmitted in 2.0 s\n" +
				"  retrans  sent  percent    rtt  dir  peer            types\n" +
				"       10   200    5.00%  1.5ms  out  198.51.100.7    fast 8, rto 2\n" +
				"        1    90    1.11%  1.5ms  out  198.51.100.250  syn 1\n",
		},
		"by network, of a recording": {
			peers.Options{By: by("net/24")}, event.Ledger{}, three,
			"11 segments retransmitted in 2.0 s\n" +
				"  retrans  sent  percent    rtt  dir  net/24           types\n" +
				"       11     -        -  1.5ms  out  198.51.100.0/24  fast 8, rto 2, syn 1\n",
		},
		"by port": {
			peers.Options{By: by("port"), Connections: ended}, event.Ledger{}, three[:1],
			"8 segments retransmitted in 2.0 s\n  retrans  sent  percent    rtt  dir  port  types\n" +
				"        8    90    8.89%  1.5ms  out  443   fast 8\n",
		},
		"by process, though its connection is there": {
			peers.Options{By: by("process"), Connections: live()}, event.Ledger{}, three[:1],
			"8 segments retransmitted in 2.0 s\n  retrans  sent  percent    rtt  dir  process    types\n" +
				"        8    90    8.89%  1.5ms  out  nginx/812  fast 8\n",
		},
		"by interface, on a terminal": {
			peers.Options{By: by("iface"), Connections: ended, Width: func() int { return 60 }}, event.Ledger{},
			append(slices.Clone(three), resent(event.TailLossProbe, "198.51.100.7", 1)),
			"\r12 segments retransmitted in 2.0 s\n" +
				"  retrans  sent  percent    rtt  dir  iface  types\n" +
				"       12   180    6.67%  1.5ms  out  eth0   fast 8, rto 2, syn\n" +
				"                                             1, tlp 1\n",
		},
		"resets": {
			peers.Options{}, event.Ledger{}, []event.Event{
				reset(event.Outgoing, "TCP_STATE"), reset(event.Outgoing, "NO_SOCKET"), reset(event.Outgoing, "NO_SOCKET"),
				reset(event.Incoming, ""),
			},
			none + "3 resets sent: NO_SOCKET 2, TCP_STATE 1\n1 reset received\n",
		},
		"the kernel's counters": {
			peers.Options{Connections: ended, Counted: func() map[string]uint64 {
				return map[string]uint64{"TcpRetransSegs": 15, "TcpExtTCPTimeouts": 3}
			}},
			event.Ledger{TCP: event.TCPCounts{Rejected: 2, Lost: 1}}, three[:1],
			"8 segments retransmitted in 2.0 s\n  retrans  sent  percent    rtt  dir  peer          types\n" +
				"        8    90    8.89%  1.5ms  out  198.51.100.7  fast 8\n2 filtered\nlost 1 TCP segment\n" +
				"kernel counters rose by: RetransSegs 15, TCPTimeouts 3\n" +
				"4 retransmitted segments not reported: as this host could not send them, or as the run began or ended\n",
		},
		"filtered resets, which no counter of retransmissions has": {
			peers.Options{Connections: ended, Counted: func() map[string]uint64 { return map[string]uint64{"TcpRetransSegs": 8} }},
			event.Ledger{TCP: event.TCPCounts{Rejected: 540, Lost: 2}}, three[:1],
			"8 segments retransmitted in 2.0 s\n  retrans  sent  percent    rtt  dir  peer          types\n" +
				"        8    90    8.89%  1.5ms  out  198.51.100.7  fast 8\n540 filtered\nlost 2 TCP segments\n" +
				"kernel counters rose by: RetransSegs 8\n",
		},
		"packets of a source that knows no segments": {
			peers.Options{Counted: func() map[string]uint64 { return map[string]uint64{"TcpRetransSegs": 5} }},
			event.Ledger{}, []event.Event{packet("198.51.100.7")},
			"1 segment retransmitted in 2.0 s\n  retrans  sent  percent  rtt  dir  peer          types\n" +
				"        1     -        -    -  out  198.51.100.7  retransmission 1\n" +
				"kernel counters rose by: RetransSegs 5, TCPFastRetrans 0, TCPTimeouts 0, TCPLossProbes 0, TCPSynRetrans 0\n" +
				"RetransSegs counts segments, and the source packets, each of one segment or several\n",
		},
		"fewer in the counter than reported": {
			peers.Options{Connections: ended, Counted: func() map[string]uint64 { return map[string]uint64{"TcpRetransSegs": 5} }},
			event.Ledger{TCP: event.TCPCounts{Rejected: 7}}, three[:1],
			"8 segments retransmitted in 2.0 s\n  retrans  sent  percent    rtt  dir  peer          types\n" +
				"        8    90    8.89%  1.5ms  out  198.51.100.7  fast 8\n7 filtered\n" +
				"kernel counters rose by: RetransSegs 5\n" +
				"RetransSegs rose by 3 less than was reported: a network namespace has ended, or as the run began\n",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if got := write(t, tt.opts, tt.ledger, tt.events...); got != tt.want {
				t.Errorf("got\n%swant\n%s", got, tt.want)
			}
		})
	}
}

// packet is one that was sent again, by a source that knows neither sequence number nor segments.
func packet(peer string) event.Event {
	e := resent(event.Retransmission, peer, 0)
	e.Segment = &event.Segment{Type: event.Retransmission, Direction: event.Outgoing}
	e.Packet.Flow.Fields &^= event.FieldSeq
	return e
}

// TestIntervals has a table for each second with retransmissions, with what came in it.
func TestIntervals(t *testing.T) {
	later := resent(event.FastRetransmit, "198.51.100.7", 3)
	later.Time = begin.Add(1500 * time.Millisecond)
	got := write(t, peers.Options{Every: time.Second}, event.Ledger{}, resent(event.FastRetransmit, "198.51.100.7", 8), later)
	want := begin.Add(time.Second).Local().Format(time.TimeOnly) + "  8 segments retransmitted\n" +
		"  segs/s  total    rtt  dir  peer          types\n     8.0      8  1.5ms  out  198.51.100.7  fast 8\n"
	if !bytes.HasPrefix([]byte(got), []byte(want)) {
		t.Errorf("got\n%swant it to begin\n%s", got, want)
	}
}

// TestIntervalsOfUnknownTypes: the kernel's counters say in each interval what the source does not know.
func TestIntervalsOfUnknownTypes(t *testing.T) {
	later := packet("198.51.100.7")
	later.Time = begin.Add(1500 * time.Millisecond)
	timeouts := uint64(0)
	counted := func() map[string]uint64 {
		timeouts += 2
		return map[string]uint64{"TcpRetransSegs": 4 * timeouts, "TcpExtTCPTimeouts": timeouts}
	}
	got := write(t, peers.Options{Every: time.Second, Counted: counted}, event.Ledger{}, packet("198.51.100.7"), later)
	const line = "  kernel counters rose by: RetransSegs 8, TCPFastRetrans 0, TCPTimeouts 2, TCPLossProbes 0, TCPSynRetrans 0\n"
	const last = "kernel counters rose by: RetransSegs 24, TCPFastRetrans 0, TCPTimeouts 6, TCPLossProbes 0, TCPSynRetrans 0\n"
	if strings.Count(got, line) != 2 || !strings.Contains(got, last) {
		t.Errorf("got\n%swant twice\n%sand\n%s", got, line, last)
	}
}

func TestByRefuses(t *testing.T) {
	for _, text := range []string{"", "host", "net/", "net/129", "net/-1"} {
		var b peers.By
		if err := b.Set(text); err == nil {
			t.Errorf("%q is %v", text, &b)
		}
	}
	for _, name := range peers.Names() {
		var b peers.By
		if err := b.Set(name); err != nil || b.String() != name {
			t.Errorf("%q is %v: %v", name, &b, err)
		}
	}
}

// TestManyPeers: memory is bounded, and what has no row of its own has a common one.
func TestManyPeers(t *testing.T) {
	var events []event.Event
	for i := range 5000 {
		peer := netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
		events = append(events, resent(event.FastRetransmit, peer.String(), 1))
	}
	got := write(t, peers.Options{}, event.Ledger{}, events...)
	if n := bytes.Count([]byte(got), []byte("\n")); n != 4096+1+2 || !bytes.Contains([]byte(got), []byte("904   904")) &&
		!bytes.Contains([]byte(got), []byte("(others)")) {
		t.Errorf("%d lines", n)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestFailedWrite(t *testing.T) {
	s := peers.New(broken{}, peers.Options{Begin: begin})
	end := event.Event{Kind: event.End, Time: begin, Ledger: new(event.Ledger)}
	if err := errors.Join(s.Write(&end), s.Flush()); err == nil || err.Error() != "write the table: disk full" {
		t.Errorf("error %v", err)
	}
}
