package correlate

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

var began = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// headers are those of a segment from port 443 to another.
func headers(to uint16, seq uint32, flags event.TCPFlags) event.Headers {
	return event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort | event.FieldSeq | event.FieldTCPFlags,
		Src:    netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("198.51.100.7"), SrcPort: 443, DstPort: to,
		Seq: seq, TCPFlags: flags,
	}
}

// resent is a segment that was sent again after some time.
func resent(after time.Duration, h event.Headers, size uint32) event.Event {
	flow := event.TCPFlow(h)
	return event.Event{
		Kind: event.Retransmit, Time: began.Add(after), Count: 1, Packet: event.Packet{Flow: &flow}, Netns: event.Netns{Inode: 7},
		Segment: &event.Segment{Direction: event.Outgoing, Len: size},
	}
}

// lost is the drop of a packet of size bytes of payload, behind 54 of headers.
func lost(after time.Duration, h event.Headers, size uint32) event.Event {
	flow := event.TCPFlow(h)
	flow.Stop.Offset = 54
	e := event.Event{Time: began.Add(after), Count: 1, Individual: true, Reason: "NETFILTER_DROP", Netns: event.Netns{Inode: 7}}
	e.Where.Symbol, e.Where.Lookup = "nft_do_chain", event.Found
	e.Packet = event.Packet{Flow: &flow, Len: 54 + size, HasLen: true}
	return e
}

// A script is a source that emits its events, and then runs until the end.
type script struct {
	events []event.Event
	err    error
	wakes  int
}

func (s *script) Run(ctx context.Context, out pipeline.Output) error {
	for i := range s.events {
		out.Emit(&s.events[i])
	}
	if s.err != nil {
		return s.err
	}
	<-ctx.Done()
	return nil
}

func (*script) Close() error                   { return nil }
func (*script) Began() (from, until time.Time) { return began, began }
func (*script) ReadUntil() time.Time           { return time.Now().Add(time.Hour) }
func (s *script) Wake()                        { s.wakes++ }

// A list is an output that keeps what it gets.
type list []event.Event

func (l *list) Emit(e *event.Event) { *l = append(*l, e.Clone()) }
func (*list) Flush()                {}

// fates runs a source to its end, and returns what was emitted.
func fates(t *testing.T, s *Source, for_ time.Duration) (got list) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), for_)
	defer cancel()
	if err := s.Run(ctx, &got); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFates(t *testing.T) {
	const minute = time.Minute
	data := headers(50000, 1000, event.ACK)
	early := func() event.Event { return resent(time.Second, data, 100) }
	backedOff := resent(20*time.Second, data, 100)
	backedOff.Segment.Retries = 4
	handshake := resent(4*time.Second, headers(50000, 7, event.SYN), 0)
	handshake.Segment.Type, handshake.Segment.Retries = event.SYNRetransmit, 1
	received := resent(minute, data, 100)
	received.Segment.Direction = event.Incoming
	counted := lost(minute, data, 100)
	counted.Individual = false
	cut := lost(minute, data, 100)
	cut.Packet.Flow.Stop.Why = event.Truncated
	because := func(reason string) event.Event {
		e := lost(minute-1, data, 100)
		e.Reason, e.Where.Symbol = reason, "tcp_data_queue"
		return e
	}
	bare := func(s *event.Socket) event.Event {
		return event.Event{
			Time: began.Add(minute), Count: 1, Individual: true, Packet: event.Packet{Proto: event.EtherIPv4, HasProto: true},
			Owner: event.Owner{Socket: s},
		}
	}
	other := lost(minute-time.Second, data, 100)
	other.Netns.Inode, other.Port.IfName, other.Args = 8, "veth0", []event.Arg{{Name: "limit", Number: 64}}
	tests := map[string]struct {
		resent event.Event
		drops  []event.Event
		want   event.Fate
		doubt  string
	}{
		"lost":                 {resent(minute, data, 100), []event.Event{lost(minute-1, data, 100)}, event.LostHere, ""},
		"in another namespace": {resent(minute, data, 100), []event.Event{other}, event.LostHere, ""},
		"a part of it": {
			resent(minute, headers(50000, 1099, event.ACK), 900), []event.Event{lost(0, data, 100)}, event.LostHere, "",
		},
		"across the wrap": {
			resent(minute, headers(50000, 5, 0), 9), []event.Event{lost(0, headers(50000, 1<<32-5, 0), 11)}, event.LostHere, "",
		},
		"a SYN": {
			resent(minute, headers(50000, 7, event.SYN), 0), []event.Event{lost(0, headers(50000, 7, event.SYN), 0)}, event.LostHere, "",
		},
		"none": {resent(minute, data, 100), nil, event.NotLostHere, ""},
		"the one before": {
			resent(minute, headers(50000, 1100, 0), 100), []event.Event{lost(0, data, 100)}, event.NotLostHere, "",
		},
		"the one behind": {
			resent(minute, headers(50000, 900, 0), 100), []event.Event{lost(0, data, 100)}, event.NotLostHere, "",
		},
		"of another connection": {
			resent(minute, data, 100), []event.Event{lost(0, headers(50001, 1000, event.ACK), 100)}, event.NotLostHere, "",
		},
		"later":                            {resent(minute, data, 100), []event.Event{lost(minute, data, 100)}, event.NotLostHere, ""},
		"long ago":                         {resent(3*minute, data, 100), []event.Event{lost(0, data, 100)}, event.NotLostHere, ""},
		"an acknowledgment":                {resent(minute, data, 100), []event.Event{lost(0, data, 0)}, event.NotLostHere, ""},
		"early":                            {early(), nil, event.FateUnknown, "it may have been sent before dropwatch began"},
		"early, and dropped":               {early(), []event.Event{lost(0, data, 100)}, event.LostHere, ""},
		"of a timer that has backed":       {backedOff, nil, event.FateUnknown, "it may have been sent before dropwatch began"},
		"of a timer that has expired once": {handshake, nil, event.NotLostHere, ""},
		"a count of drops": {
			resent(minute, data, 100), []event.Event{counted}, event.FateUnknown, "some drops were only counted",
		},
		"cut headers": {
			resent(minute, data, 100), []event.Event{cut}, event.FateUnknown, "of some drops not all headers are known",
		},
		"received": {received, nil, event.FateUnstated, ""},
		"losses": {
			resent(minute, data, 100), []event.Event{{Kind: event.Loss, Place: event.Unread, Count: 1}}, event.FateUnknown,
			"drops were lost not read before stopping",
		},
		"undecided": {
			resent(minute, data, 100), []event.Event{{Kind: event.Rejected, Count: 1, Undecided: true}}, event.FateUnknown,
			"of some drops it is not known which packets they were",
		},
		"a duplicate": {resent(minute, data, 100), []event.Event{because("TCP_OLD_DATA")}, event.NotLostHere, ""},
		"by TCP, without a reason": {
			resent(minute, data, 100), []event.Event{because("")}, event.FateUnknown,
			"the kernel gives no reasons, and TCP drops duplicates, too",
		},
		"without bytes, in a socket": {
			resent(minute, data, 100), []event.Event{bare(&event.Socket{Protocol: 6})}, event.NotLostHere, "",
		},
		"without bytes": {
			resent(minute, data, 100), []event.Event{bare(nil)}, event.FateUnknown, "of some drops not all headers are known",
		},
		"rejected": {resent(minute, data, 100), []event.Event{{Kind: event.Rejected, Count: 1}}, event.NotLostHere, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := Source{Drops: new(script), out: new(list)}
			for i := range tt.drops {
				(*dropOutput)(&s).Emit(&tt.drops[i])
			}
			s.judge(&tt.resent)
			if got := tt.resent.Segment; got.Fate != tt.want || got.Doubt != tt.doubt {
				t.Errorf("%v %q, want %v %q", got.Fate, got.Doubt, tt.want, tt.doubt)
			}
			here := tt.want == event.LostHere
			if here != (tt.resent.Reason == "NETFILTER_DROP") || here != (tt.resent.Where.Symbol != "") {
				t.Errorf("reason %q, location %+v", tt.resent.Reason, tt.resent.Where)
			}
			elsewhere := event.SegmentDrop{Port: event.Port{IfName: "veth0"}, Netns: event.Netns{Inode: 8}}
			is := tt.resent.Segment.Drop == elsewhere && len(tt.resent.Args) == 1
			if is != (name == "in another namespace") || !is && tt.resent.Segment.Drop != (event.SegmentDrop{}) {
				t.Errorf("args %v, drop %+v", tt.resent.Args, tt.resent.Segment.Drop)
			}
		})
	}
}

// TestRun emits what waits at the end, in order, with what the source of drops had.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := headers(50000, 1000, event.ACK)
		reset := event.Event{Kind: event.Reset, Time: began, Count: 1}
		tcp := &script{events: []event.Event{resent(time.Minute, data, 100), reset, resent(time.Minute, headers(1, 1, 0), 1)}}
		drops := &script{events: []event.Event{lost(0, data, 100)}}
		got := fates(t, &Source{TCP: tcp, Drops: drops}, time.Second)
		if len(got) != 3 || got[0].Segment.Fate != event.LostHere || got[1].Kind != event.Reset ||
			got[2].Segment.Fate != event.NotLostHere {
			t.Errorf("%+v", got)
		}
	})
}

// TestReceivedAgain: a duplicate that TCP drops is a retransmission of the peer.
func TestReceivedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		duplicate := lost(0, headers(50000, 1000, event.ACK), 100)
		duplicate.Reason, duplicate.Where.Symbol = "TCP_OLD_DATA", "tcp_data_queue"
		got := fates(t, &Source{TCP: new(script), Drops: &script{events: []event.Event{duplicate}}}, time.Second)
		want := event.Segment{Type: event.Spurious, Direction: event.Incoming, Len: 100}
		if len(got) != 1 || got[0].Kind != event.Retransmit || *got[0].Segment != want || got[0].Reason != "" || got[0].Where.HasPC ||
			got[0].Packet.Flow.Seq != 1000 {
			t.Errorf("%+v", got)
		}
	})
}

// TestPassDrops: drops are emitted as they came, and once more of what follows from them; the error of
// their source ends the run.
func TestPassDrops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := headers(50000, 1000, event.ACK)
		drop, broken := lost(0, data, 100), errors.New("read the ring")
		arp := event.Event{Count: 2, Aggregate: true, Packet: event.Packet{Proto: event.EtherARP, HasProto: true}}
		loss := event.Event{Kind: event.Loss, Place: event.InRing, Count: 3}
		s := &Source{
			TCP: &script{events: []event.Event{resent(time.Minute, data, 100)}}, PassDrops: true,
			Drops:  &script{events: []event.Event{drop, arp, loss}, err: broken},
			Stages: []pipeline.Stage{func(e *event.Event) bool { e.Port.IfName = "eth0"; return true }},
		}
		var got list
		if err := s.Run(t.Context(), &got); !errors.Is(err, broken) {
			t.Errorf("error %v, want %v", err, broken)
		}
		if len(got) != 4 || got[0].Kind != event.Drop || got[0].Port.IfName != "" || got[1].Count != 2 || got[2].Count != 3 {
			t.Fatalf("%+v", got)
		}
		if s := got[3].Segment; s == nil || s.Fate != event.LostHere {
			t.Errorf("%+v", got[3])
		}
	})
}

// TestWithoutDrops says why nothing is known, also when the source of drops ends.
func TestWithoutDrops(t *testing.T) {
	for name, tt := range map[string]struct {
		source *Source
		want   string
	}{
		"none": {&Source{Doubt: "drops cannot be watched"}, "drops cannot be watched"},
		"one that fails": {
			&Source{Drops: &script{err: errors.New("read the ring")}}, "the source of drops failed: read the ring",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := tt.source
				s.TCP = &script{events: []event.Event{resent(time.Minute, headers(1, 1, 0), 1)}}
				got := fates(t, s, time.Second)
				if len(got) != 1 || got[0].Segment.Fate != event.FateUnknown || got[0].Segment.Doubt != tt.want {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}
