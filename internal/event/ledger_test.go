package event_test

import (
	"testing"
	"time"

	"dropwatch/internal/event"
)

func loss(at event.Place, n uint64) *event.Event {
	return &event.Event{Kind: event.Loss, Place: at, Count: n}
}

func TestLedgerCloses(t *testing.T) {
	var l event.Ledger
	l.Add(&event.Event{Count: 1})
	l.Add(&event.Event{Count: 41})
	places := []event.Place{event.AtSocket, event.InQueue, event.Unread, event.Undecoded, event.InRing, event.InSink}
	var want uint64
	for i, p := range places {
		n := uint64(10 + i)
		l.Add(loss(p, n))
		l.Add(loss(p, n))
		if l.Lost[p] != 2*n {
			t.Errorf("lost %v: %d, want %d", p, l.Lost[p], 2*n)
		}
		want += 2 * n
	}
	l.Add(loss(event.FullSummary, 1))
	l.Add(&event.Event{Kind: event.Rejected, Count: 7})
	l.Add(&event.Event{Kind: event.Rejected, Count: 3, Undecided: true})
	l.Add(&event.Event{Count: 2, Harmless: "closed in order"})
	l.Add(&event.Event{Kind: event.Retransmit, Count: 1000, Segments: 3000})
	l.Add(&event.Event{Kind: event.Reset, Count: 2})
	l.Add(&event.Event{Kind: event.TCPEvent, Count: 4})
	l.Reject(&event.Event{Kind: event.Retransmit, Count: 1, Segments: 5})
	l.Add(&event.Event{Kind: event.Rejected, Count: 6, Segment: &event.Segment{}})
	l.Add(&event.Event{Kind: event.Loss, Place: event.InRing, Count: 2, Segments: 7, Segment: &event.Segment{}})
	l.Add(&event.Event{Kind: event.Point, Count: 5, Point: "accept_queue"})
	l.Reject(&event.Event{Kind: event.Point, Count: 1, Point: "accept_queue", Undecided: true})
	l.Add(&event.Event{Kind: event.Rejected, Count: 3, Point: event.AnyPoint})
	l.Add(&event.Event{Kind: event.Loss, Place: event.InRing, Count: 2, Point: "accept_queue"})
	l.Add(&event.Event{Count: 5, Fragment: true})
	l.Add(&event.Event{Kind: event.End, Count: 99, Ledger: &l})
	if got := l.TotalLost(); got != want {
		t.Errorf("total lost %d, want %d: a full summary is no number of drops, and what is filtered not lost", got, want)
	}
	if got := l.Total(); got != 42+7+3+2+5+want {
		t.Errorf("total %d, want %d", got, 42+7+3+2+5+want)
	}
	if want := (event.TCPCounts{Retransmits: 3000, Resets: 2, Others: 4, Rejected: 11, Lost: 7}); l.TCP != want {
		t.Errorf("of TCP %+v, want %+v", l.TCP, want)
	}
	if want := (event.PointCounts{Shown: 5, Rejected: 4, Lost: 2}); l.Points != want {
		t.Errorf("of points %+v, want %+v", l.Points, want)
	}
	if l.Fragments != 5 || l.Shown != 42 || l.Lost[event.FullSummary] != 1 || l.Rejected != 7 || l.Undecided != 3 || l.Harmless != 2 {
		t.Errorf("ledger %+v, want 5 fragments, 42 shown, 1 full, 7 rejected, 3 undecided, 2 harmless", l)
	}
}

func TestLedgerReport(t *testing.T) {
	const (
		one  = "no room in 1 summary: drops at further locations in that second were not counted\n"
		many = "no room in 3 summaries: drops at further locations in that second were not counted\n"
	)
	tests := map[string]struct {
		losses []*event.Event
		want   string
	}{
		"nothing lost": {nil, ""},
		"at the socket": {
			[]*event.Event{loss(event.AtSocket, 9)},
			"lost 9 drops: 9 at dropwatch's socket\n",
		},
		"in the queue": {
			[]*event.Event{loss(event.AtSocket, 9), loss(event.InQueue, 3)},
			"lost 12 drops: 9 at dropwatch's socket, 3 in the kernel's queue\n",
		},
		"everywhere": {
			[]*event.Event{
				loss(event.AtSocket, 1), loss(event.InQueue, 2),
				loss(event.Unread, 3), loss(event.Undecoded, 4),
			},
			"lost 10 drops: 1 at dropwatch's socket, 2 in the kernel's queue, " +
				"3 not read before stopping, 4 in messages that could not be decoded\n",
		},
		"undecoded alone": {
			[]*event.Event{loss(event.Undecoded, 1)},
			"lost 1 drop: 1 in messages that could not be decoded\n",
		},
		"lost summaries": {
			[]*event.Event{loss(event.LostSummary, 2)},
			"lost 2 summaries at dropwatch's socket, with an unknown number of drops\n",
		},
		"in the trace ring": {
			[]*event.Event{loss(event.InRing, 8)},
			"lost 8 drops: 8 in the kernel's ring\n",
		},
		"filtered": {[]*event.Event{{Kind: event.Rejected, Count: 8}}, ""},
		"not counted": {
			[]*event.Event{loss(event.Overflow, 3)},
			"lost an unknown number of drops at dropwatch's socket, not counted by this kernel (3 times)\n",
		},
		"a CPU came online": {
			[]*event.Event{loss(event.Unopened, 1)},
			"drops on CPUs that came online or went offline may not have been counted (1 time)\n",
		},
		"a gap": {
			[]*event.Event{{Kind: event.Loss, Place: event.Uncovered, Count: 1, Gap: 1500 * time.Millisecond}},
			"no source was running for 1.5s: drops in that time were not counted\n",
		},
		"a full summary":    {[]*event.Event{loss(event.FullSummary, 1)}, one},
		"several summaries": {[]*event.Event{loss(event.FullSummary, 1), loss(event.FullSummary, 2)}, many},
		"both": {
			[]*event.Event{loss(event.FullSummary, 1), loss(event.InQueue, 2)},
			"lost 2 drops: 2 in the kernel's queue\n" + one,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			l := event.Ledger{Shown: 5, Rejected: 6}
			for _, e := range tt.losses {
				l.Add(e)
			}
			if got := l.Report(); got != tt.want {
				t.Errorf("report:\n%swant:\n%s", got, tt.want)
			}
		})
	}
}

func TestWords(t *testing.T) {
	origins := map[event.Origin]string{
		event.Software: "software", event.Hardware: "hardware",
		event.Unknown: "unknown", event.Unstated: "unknown", 200: "unknown",
	}
	for o, want := range origins {
		if got := o.String(); got != want {
			t.Errorf("origin %d is %q, want %q", o, got, want)
		}
	}
	for place, want := range map[event.Place]string{
		event.FullSummary: "beyond full summaries", event.LostSummary: "in lost summaries",
	} {
		if got := place.String(); got != want {
			t.Errorf("place %d is %q, want %q", place, got, want)
		}
	}
	if got := event.Place(200).String(); got != "at an unknown place" {
		t.Errorf("place 200 is %q", got)
	}
}

// TestLossesOfALedger: what no output has written is told by events that enter the same in another ledger.
func TestLossesOfALedger(t *testing.T) {
	at := time.Unix(1, 0)
	unwritten := event.Ledger{Shown: 3, Harmless: 2, TraceOnly: 1, Gap: time.Second}
	unwritten.TCP = event.TCPCounts{Retransmits: 4, Resets: 1, Lost: 2}
	unwritten.Lost[event.InSink], unwritten.Lost[event.InRing], unwritten.Lost[event.Uncovered] = 5, 6, 1
	var sum, got event.Ledger
	sum.AddUnwritten(&unwritten)
	for _, loss := range sum.Losses(at) {
		if loss.Kind != event.Loss || !loss.Time.Equal(at) {
			t.Errorf("%+v", loss)
		}
		got.Add(&loss)
	}
	want := event.Ledger{Gap: time.Second, TCP: event.TCPCounts{Lost: 7}}
	want.Lost[event.InSink], want.Lost[event.InRing], want.Lost[event.Uncovered] = 10, 6, 1
	if got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	for words, l := range map[string]event.Ledger{
		"10 drops and 7 TCP segments": unwritten, "1 drop": {Shown: 1}, "0 drops": {}, "1 TCP segment": {TCP: event.TCPCounts{Others: 1}},
	} {
		if got := l.Unwritten(); got != words {
			t.Errorf("%s, want %s", got, words)
		}
	}
}
