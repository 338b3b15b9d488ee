package top

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	tea "charm.land/bubbletea/v2"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// segment is what TCP sent again to 192.0.2.7:443.
func segment(s event.Segment, n uint64) event.Event {
	e := packet("", "", "eth0", 40000)
	e.Kind, e.Segments, e.Segment, e.Where = event.Retransmit, n, &s, event.Where{}
	flow := event.TCPFlow(event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
		Src:    netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("192.0.2.7"), SrcPort: 40000, DstPort: 443,
	})
	e.Packet.Flow = &flow
	return e
}

// lostHere is a segment that the firewall of this host dropped.
func lostHere(n uint64) event.Event {
	e := segment(event.Segment{Type: event.FastRetransmit, Direction: event.Outgoing, Fate: event.LostHere, RTT: 1500}, n)
	e.Reason, e.Where = "NETFILTER_DROP", event.Where{HasPC: true, Kernel: "nft_do_chain+0x3e8"}
	return e
}

func notHere() event.Event {
	return segment(event.Segment{Type: event.TimeoutRetrans, Direction: event.Outgoing, Fate: event.NotLostHere}, 1)
}

// resetIn is a RST that the peer sent.
func resetIn() event.Event {
	e := segment(event.Segment{Direction: event.Incoming}, 1)
	e.Kind = event.Reset
	f := e.Packet.Flow
	f.Src, f.Dst, f.SrcPort, f.DstPort = f.Dst, f.Src, f.DstPort, f.SrcPort
	return e
}

func TestRetransmits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{Retransmits: true}, 80, 12)
		p.finds("nothing yet", "No retransmissions or resets in 0s.")
		rejected := event.Event{Kind: event.Rejected, Count: 1, Segments: 3, Segment: new(event.Segment)}
		p.write(lostHere(4), lostHere(2), notHere(), resetIn(), drop("f", "R", "lo", 50), rejected)
		p.wait(500 * time.Millisecond)
		const want = `
dropwatch top --retrans  bpf on web1                                       up 0s
8 segments/s, 8 in all                                                         █
dropwatch missed none
  SEGS/S▼  TOTAL  MINUTE  PEER       DIR  TYPE   LOST      OWNER
>       6      6       █  192.0.2.7  out  fast   here      -
        1      1       █  192.0.2.7  in   reset  -         -
        1      1       █  192.0.2.7  out  rto    not here  -




h: help  q: quit  enter: more  /: filter  g: group  s: sort  p: pause  w: save
`
		p.sees("the table", want)
		if st := p.status(); st.Rejected != 3 {
			t.Errorf("%d segments rejected, want 3", st.Rejected)
		}
		p.keys("1", "2", "3", "5", "8")
		p.finds("grouped by lost and reason", "LOST      REASON", "here      NETFILTER_DROP", "8*reason 9 location")
		p.keys("0")
		p.finds("no key of that number", "unknown key 0")
		p.keys("/")
		p.text("NETFILTER_DROP")
		p.keys("enter")
		p.finds("a filter", "6 in all", "hides 2 segments")
		p.keys("p")
		p.write(notHere())
		p.wait(time.Second)
		p.finds("a pause", "PAUSED", "1 segment since")
	})
}

// TestRetransmitDetail: of a segment that was lost here, the drop is explained as one; of another, the
// commands are about the peer, at whichever end of the flow it is.
func TestRetransmitDetail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked []*event.Event
		o := Options{Retransmits: true, Diagnose: func(drops []*event.Event) *diagnose.Finding {
			asked = drops
			return nil
		}}
		p := sit(t, o, 80, 50)
		elsewhere := lostHere(1)
		elsewhere.Time = elsewhere.Time.Add(time.Millisecond)
		elsewhere.Segment.Drop = event.SegmentDrop{Port: event.Port{IfName: "veth0"}, Netns: event.Netns{Inode: 7, Name: "web"}}
		p.write(lostHere(4), elsewhere, notHere(), resetIn())
		p.wait(500 * time.Millisecond)
		m := program{p.screen}
		if _, next := m.Update(tea.KeyPressMsg{Code: tea.KeyEnter}); next != nil {
			next()
		}
		p.finds("lost here", "peer       192.0.2.7\n", "lost       here\n", "segments   5 a second, 5 in all", "rtt        1.5ms",
			"cause (network, netfilter, policy, maybe)", "nft list ruleset", "ss -nti dst 192.0.2.7", "flows of the 5 segments",
			"       5  10.0.0.1:* > 192.0.2.7:443 tcp", "last packets")
		if len(asked) != 1 || asked[0].Kind != event.Drop || asked[0].Segment != nil || asked[0].Reason != "NETFILTER_DROP" ||
			asked[0].Netns.Inode != 7 || asked[0].Port.IfName != "veth0" {
			t.Errorf("a finding is made of %d events, want the latest drop, where it was", len(asked))
		}
		p.keys("]")
		p.finds("a RST from the peer", "type       reset", "!cause", "\n\ncheck\nss -nti dst 192.0.2.7", "192.0.2.7:443 > 10.0.0.1:*")
		p.keys("]")
		asked = nil
		p.finds("lost elsewhere", "type       rto", "cause (transport, tcp, error, maybe)\nTCP sent segments again",
			"\n\ncheck\nss -nti dst 192.0.2.7")
		if p.more.wanted != (question{}) || asked != nil {
			t.Error("a finding is wanted of what this host did not drop")
		}
		later := notHere()
		later.Time = later.Time.Add(time.Second)
		p.write(later)
		p.keys("esc", "2", "3", "4", "5", "enter")
		p.finds("the latest was lost elsewhere", "!type", "segments", "cause (transport, tcp, error, maybe)")
		if p.more.wanted != (question{}) {
			t.Error("what dropped earlier segments is wanted for one that was lost elsewhere")
		}
	})
}

// TestRetransmitStyle: what was lost here looks as its drop does, what was lost elsewhere as what may
// matter.
func TestRetransmitStyle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		harmful := lostHere(1)
		harmful.Reason = "SOCKET_RCVBUFF"
		for want, e := range map[string]event.Event{bold + red: harmful, yellow: notHere(), "": resetIn()} {
			s := New(Options{Retransmits: true, Color: true})
			if err := s.Write(&e); err != nil {
				t.Fatal(err)
			}
			if got := s.opts.style(s.run.all.Rows(retransmits.group)[0]); got != want {
				t.Errorf("%v: style %q, want %q", e.Kind, got, want)
			}
		}
	})
}

func TestRetransmitsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := sit(t, Options{Retransmits: true, Begin: time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC)}, 80, 24)
		p.write(event.Event{Kind: event.End, Ledger: new(event.Ledger)})
		p.refresh()
		p.finds("an empty recording", "The recording has no retransmissions or resets.")
	})
}

// TestOtherView: the view of a recording without what it shows names the one of what the recording has.
func TestOtherView(t *testing.T) {
	tcp, points := event.Ledger{TCP: event.TCPCounts{Resets: 1}}, event.Ledger{Points: event.PointCounts{Shown: 1}}
	for want, tt := range map[string]struct {
		options Options
		ledger  event.Ledger
	}{
		"The recording has no drops, but retransmissions or resets:\ndropwatch top --retrans night.dw": {Options{}, tcp},
		"The recording has no drops, but point events:\ndropwatch top --point all night.dw":            {Options{}, points},
		"The recording has no point events that match the filter.": {
			Options{Points: true, Expression: "point.name == a"}, points,
		},
		"The recording has no retransmissions or resets, but drops:\ndropwatch top night.dw": {
			Options{Retransmits: true}, event.Ledger{Shown: 1},
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			tt.options.File, tt.options.Begin = "night.dw", time.Date(1999, 12, 31, 23, 0, 0, 0, time.UTC)
			p := sit(t, tt.options, 80, 24)
			p.write(event.Event{Kind: event.End, Ledger: &tt.ledger})
			p.refresh()
			p.finds("the other view", want)
		})
	}
}
