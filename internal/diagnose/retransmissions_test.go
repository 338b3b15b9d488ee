package diagnose_test

import (
	"net/netip"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// again are n segments that blue sent again to a peer, 10.0.0.2 if it is empty.
func again(n uint64, peer string, s event.Segment) *event.Event {
	if peer == "" {
		peer = "10.0.0.2"
	}
	flow := event.TCPFlow(event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
		Src:    netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr(peer), SrcPort: 40000, DstPort: 443,
	})
	if s.Direction == event.DirectionUnknown {
		s.Direction = event.Outgoing
	}
	return &event.Event{Kind: event.Retransmit, Count: n, Segments: n, Netns: blue, Packet: event.Packet{Flow: &flow}, Segment: &s}
}

// refused is a segment that the firewall of blue dropped before, by the drop that is returned, too.
func refused(n uint64) (resent, drop *event.Event) {
	drop = at("nft_do_chain", "eth0", n)
	drop.Reason = "NETFILTER_DROP"
	resent = again(n, "", event.Segment{Fate: event.LostHere})
	resent.Reason, resent.Where, resent.Args = drop.Reason, drop.Where, []event.Arg{{Name: "drop_ifname", Text: "eth0"}}
	return resent, drop
}

// tcp are counters of blue, by the names of nstat.
func tcp(sent, again uint64) *counters.Report {
	return rose(
		of(counters.Protocol, "", "TcpOutSegs", sent), of(counters.Protocol, "", "TcpRetransSegs", again),
		of(counters.Protocol, "", "TcpExtTCPDSACKRecv", 3),
	)
}

// contains reports each text that is missing, whatever its spaces.
func contains(t *testing.T, text string, wanted ...string) {
	t.Helper()
	for _, want := range wanted {
		if !strings.Contains(strings.Join(strings.Fields(text), " "), want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

// TestLostBeyond: what this host did not drop is a finding, by peer, with its part of what was sent, and the
// counter is accounted for.
func TestLostBeyond(t *testing.T) {
	d := diagnose.New(collect(t,
		again(20, "", event.Segment{Fate: event.NotLostHere}),
		again(5, "", event.Segment{Fate: event.NotLostHere, Type: event.SYNRetransmit}),
		again(25, "2001:db8::2", event.Segment{Fate: event.FateUnknown, Doubt: "some drops were only counted"}),
		again(2, "", event.Segment{Direction: event.Incoming, Type: event.Spurious}),
	), tcp(950, 50), nil)
	contains(t, textOf(t, d),
		"1. retransmissions 50 segments sent again, 5.00 % of 1000 sent, 5.0/s (transport, tcp, error, maybe)",
		"lost 25 beyond this host", "unknown 25 lost here or beyond: some drops were only counted",
		"spurious 3 that this host sent again had arrived (TCPDSACKRecv); 2 that peers sent again had arrived",
		"peers 10.0.0.2 25, 5 of them to open connections 2001:db8::2 25", "counters TcpRetransSegs +50",
		"check ip netns exec blue ss -nti dst 10.0.0.2", "dropwatch retrans host 10.0.0.2", "tracepath -n 10.0.0.2", "per mille",
		"verdict: no drop that matters was seen, but TCP sends much again: see 1",
	)
	contains(t, jsonOf(t, d),
		`"resent":{"sent":950,"peers":[{"peer":"10.0.0.2","beyond":25,"handshakes":5},{"peer":"2001:db8::2","beyond":0,"unknown":25}],`+
			`"unknown":[{"why":"some drops were only counted","segments":25}],"arrived":3,"received":2}`,
		`"change":50,"netns":"blue","netns_inode":7,"unit":"segments","seen":50,"unexplained":0`,
	)
}

// TestUsualLoss: few segments, or a small part of all, need no attention.
func TestUsualLoss(t *testing.T) {
	for name, test := range map[string]struct {
		n, sent uint64
		want    knowledge.Severity
	}{
		"few": {9, 10, knowledge.Noise}, "per mille": {99, 9_901, knowledge.Noise},
		"a percent": {100, 9_900, knowledge.Maybe}, "of what is not known": {100, 0, knowledge.Maybe},
	} {
		d := diagnose.New(collect(t, again(test.n, "", event.Segment{Fate: event.NotLostHere})), tcp(test.sent, test.n), nil)
		if got := d.Worst(); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
		if text := textOf(t, d); test.want == knowledge.Noise && !strings.Contains(text, "noise: retransmissions") {
			t.Errorf("%s:\n%s", name, text)
		}
	}
}

// TestHandshakes: SYNs that nobody answers are no loss of a connection.
func TestHandshakes(t *testing.T) {
	d := diagnose.New(collect(t, again(12, "", event.Segment{Fate: event.NotLostHere, Type: event.SYNRetransmit})), tcp(4, 12), nil)
	contains(t, textOf(t, d), "75.00 % of 16 sent", "why SYNs, or the answers to them, were sent again",
		"12, 12 of them to open connections", "no firewall on the path")
}

// TestLostHere: what this host dropped is of the finding of these drops, to which that of others points.
func TestLostHere(t *testing.T) {
	resent, drop := refused(30)
	d := diagnose.New(collect(t, drop, resent), tcp(100, 30), nil)
	if len(d.Findings) != 1 || d.Findings[0].ID != "NETFILTER_DROP" {
		t.Fatalf("one fault, and %d findings: %+v", len(d.Findings), d.Findings)
	}
	if a := d.Accounts[0]; a.ID() != "TcpRetransSegs" || a.Seen != 30 || a.Rest != 0 {
		t.Errorf("%s: %d seen, %d not", a.ID(), a.Seen, a.Rest)
	}
	contains(t, textOf(t, d), "again TCP sent 30 segments again that these drops had lost, to 10.0.0.2")
	contains(t, jsonOf(t, d), `"sent_again":[{"peer":"10.0.0.2","segments":30}]`)

	d = diagnose.New(collect(t, drop, resent, again(20, "", event.Segment{Fate: event.NotLostHere})), tcp(100, 50), nil)
	contains(t, textOf(t, d), "2. retransmissions 20 segments", "lost here 30 more, by drops of finding 1 (NETFILTER_DROP)")
	contains(t, jsonOf(t, d), `"lost_here":[{"id":"NETFILTER_DROP","rank":1,"segments":30}]`)
}

// TestLostHereByHiddenDrops: if an expression leaves out the drops, as that of an alert does, segments are still said to be
// lost here.
func TestLostHereByHiddenDrops(t *testing.T) {
	resent, _ := refused(30)
	d := diagnose.New(collect(t, resent, again(5, "", event.Segment{Fate: event.NotLostHere})), tcp(100, 35), nil)
	contains(t, textOf(t, d), "1. retransmissions 35 segments", "this host itself dropped some of them, or all",
		"lost 5 beyond this host", "lost here 30 by drops that are not shown", "dropwatch retrans host 10.0.0.2")
	contains(t, jsonOf(t, d), `"peers":[{"peer":"10.0.0.2","beyond":5,"lost_here_hidden":30}],"lost_here_hidden":30,`)
	for _, p := range d.Findings[0].Resent.Peers {
		if p.Hidden != 30 || p.Beyond != 5 || p.Unknown != 0 || p.Segments() != 35 {
			t.Errorf("of the peer: %+v", p)
		}
	}
	if text := textOf(t, d); strings.Contains(text, "unknown") || strings.Contains(text, "not known") || strings.Contains(text, "path") {
		t.Errorf("it is known:\n%s", text)
	}
}

// TestResentInManyNamespaces: the same in many network namespaces is one finding, with the peers of all, but
// for those with few segments.
func TestResentInManyNamespaces(t *testing.T) {
	all := []*event.Event{again(3, "", event.Segment{Fate: event.NotLostHere})}
	for inode := range uint32(4) {
		e := again(10, "", event.Segment{Fate: event.NotLostHere})
		e.Netns = event.Netns{Inode: 100 + inode}
		all = append(all, e)
	}
	d := diagnose.New(collect(t, all...), tcp(0, 0), nil)
	if len(d.Findings) != 1 {
		t.Fatalf("%d findings", len(d.Findings))
	}
	contains(t, textOf(t, d), "retransmissions 40 segments sent again", "peers 10.0.0.2 40", "in 4 network namespaces")
}

// TestManyPeers: memory is bounded, and no segment is lost.
func TestManyPeers(t *testing.T) {
	var all []*event.Event
	for i := range 2000 {
		peer := netip.AddrFrom4([4]byte{192, 0, byte(i >> 8), byte(i)})
		all = append(all, again(1, peer.String(), event.Segment{Fate: event.NotLostHere}))
	}
	var n uint64
	d := diagnose.New(collect(t, all...), tcp(0, 0), nil)
	for i := range d.Findings {
		n += d.Findings[i].Count
	}
	if n != 2000 {
		t.Errorf("%d segments, want 2000", n)
	}
	contains(t, textOf(t, d), "and 1019 more")
}

func jsonOf(t *testing.T, d *diagnose.Diagnosis) string {
	t.Helper()
	var b strings.Builder
	if err := d.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestUnanswered: SYNs that waited for a next hop which does not answer are of the finding of that, as they are dropped after
// they were sent again; those to other peers, and segments of connections that were open, are not.
func TestUnanswered(t *testing.T) {
	waited := udp("NEIGH_FAILED", 40000)
	waited.Packet.Flow.Transport, waited.Packet.Flow.DstPort = event.TCP, 443
	handshake := event.Segment{Fate: event.NotLostHere, Type: event.SYNRetransmit}
	d := diagnose.New(collect(t, waited, again(20, "", handshake), again(7, "10.0.0.3", handshake),
		again(3, "", event.Segment{Fate: event.NotLostHere})), tcp(950, 30), nil)
	text := textOf(t, d)
	contains(t, text, "1. NEIGH_FAILED", "again TCP sent 20 segments again", "10 segments sent again", "10.0.0.3 7")
	if strings.Contains(text, "30 segments sent again") {
		t.Errorf("they are counted twice in\n%s", text)
	}
}

// TestRefusedHere: SYNs of a network namespace to itself that were sent again are of the finding of its accept queues, if
// these were full; those to other hosts, and those of other namespaces, are not.
func TestRefusedHere(t *testing.T) {
	syn := func(n uint64, src, peer string, netns event.Netns) *event.Event {
		e := again(n, peer, event.Segment{Type: event.SYNRetransmit, Doubt: "it may have been sent before"})
		e.Packet.Flow.Src, e.Netns = netip.MustParseAddr(src), netns
		return e
	}
	full := rose(of(counters.Protocol, "", "TcpExtListenOverflows", 70))
	for name, test := range map[string]struct {
		resent *event.Event
		here   bool
	}{
		"loopback":           {syn(50, "127.0.0.1", "127.0.0.1", blue), true},
		"an address of it":   {syn(50, "10.0.0.1", "10.0.0.1", blue), true},
		"another host":       {syn(50, "10.0.0.1", "10.0.0.2", blue), false},
		"another namespace":  {syn(50, "127.0.0.1", "127.0.0.1", event.Netns{Inode: 8}), false},
		"an open connection": {again(50, "10.0.0.1", event.Segment{}), false},
	} {
		t.Run(name, func(t *testing.T) {
			text := textOf(t, diagnose.New(collect(t, test.resent), full, nil))
			contains(t, text, "1. TcpExtListenOverflows 70")
			if strings.Contains(text, "again     TCP sent 50 segments again") != test.here ||
				strings.Contains(text, "retransmissions  50 segments") == test.here {
				t.Errorf("want them to be of the accept queue: %v, in\n%s", test.here, text)
			}
		})
	}
}
