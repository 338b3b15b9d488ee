package follow_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/flows"
	"dropwatch/internal/sink/follow"
)

// A counter has what it will be asked for: a reading for each second, and the last one for the end.
type counter struct {
	readings []flows.Reading
	blind    string
	err      error
}

func (c *counter) Blind() string { return c.blind }

// Covers is false in 1999: in these tests the clock begins at 2000.
func (c *counter) Covers(t time.Time) bool { return t.UTC().Year() >= 2000 }

func (c *counter) Read() (flows.Reading, error) {
	r := c.readings[0]
	c.readings = c.readings[min(1, len(c.readings)-1):]
	return r, c.err
}

// reading returns one of packets that eth0 received and delivered, and of some that are undecided.
func reading(n, undecided uint64) flows.Reading {
	eth0 := flows.Interface{Netns: 7, IfIndex: 2}
	return flows.Reading{Counts: []flows.Count{
		{Interface: eth0, What: flows.Received, IfName: "eth\x1b0", Packets: n, Buffers: n},
		{Interface: eth0, What: flows.Delivered, Packets: n, Buffers: n},
		{Interface: eth0, What: flows.Undecided, Packets: undecided, Buffers: undecided},
	}}
}

func text(blind bool) *follow.Text {
	return &follow.Text{Blind: blind, Width: func() int { return 0 }, Netns: func(inode uint32) string {
		return map[uint32]string{7: "blue"}[inode]
	}}
}

// TestText: each second in which packets passed has a table, and the run has one, with what became of them.
func TestText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b strings.Builder
		s := follow.New(&b, &counter{readings: []flows.Reading{reading(10, 0), reading(10, 0), reading(25, 0)}}, text(false))
		time.Sleep(1500 * time.Millisecond)
		lost := event.Event{Kind: event.Drop, Count: 2, Netns: event.Netns{Inode: 7}, Port: event.Port{IfIndex: 2}, Reason: "NO_SOCKET"}
		saved := event.Event{Kind: event.Drop, Count: 1, Netns: event.Netns{Inode: 7}, Port: event.Port{IfIndex: 2}, Harmless: "closed"}
		before := lost
		before.Individual, before.Time = true, time.Now().AddDate(-1, 0, 0)
		if err := errors.Join(s.Write(&lost), s.Write(&saved), s.Write(&before)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if err := errors.Join(s.Write(&event.Event{Kind: event.End, Ledger: new(event.Ledger)}), s.Flush()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		first, rest, _ := strings.Cut(b.String(), "  packets of the flows\n")
		if len(first) != len(time.TimeOnly) {
			t.Errorf("it begins with %q", first)
		}
		second := time.Now().Add(-time.Minute - 500*time.Millisecond).Local().Format(time.TimeOnly)
		want := `  received  delivered  forwarded  sent  dropped  interface  netns
        10         10          0     0        0  eth\x1b0   blue
` + second + `  packets of the flows
  received  delivered  forwarded  sent          dropped  interface  netns
         0          0          0     0  2 (+1 harmless)  eth\x1b0   blue
  2 dropped at - NO_SOCKET
packets of the flows in all
  received  delivered  forwarded  sent          dropped  interface  netns
        25         25          0     0  2 (+1 harmless)  eth\x1b0   blue
netns blue: of 25 packets received on eth\x1b0, 25 delivered; 2 dropped here: 2 at - NO_SOCKET
`
		if rest != want {
			t.Errorf("got\n%s\nwant\n%s", rest, want)
		}
	})
}

// TestUndecided has a column only where there are such packets, and deliveries that are not known are no number.
func TestUndecided(t *testing.T) {
	var b strings.Builder
	s := follow.New(&b, &counter{readings: []flows.Reading{reading(10, 3)}, blind: "no fentry"}, text(true))
	if err := errors.Join(s.Write(&event.Event{Kind: event.End, Ledger: new(event.Ledger)}), s.Flush()); err != nil {
		t.Fatal(err)
	}
	want := `packets of the flows in all
  received  delivered  forwarded  sent  dropped  undecided  interface  netns
        10          -          0     0        0          3  eth\x1b0   blue
`
	if !strings.HasPrefix(b.String(), want) || !strings.Contains(b.String(), "3 packets at eth\\x1b0 that may be of the flows") {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

// TestNothing: there is one line where no packet passed, and the error of the counter is not hidden.
func TestNothing(t *testing.T) {
	var b strings.Builder
	s := follow.New(&b, &counter{readings: []flows.Reading{{}}}, text(false))
	if err := errors.Join(s.Write(&event.Event{Kind: event.End, Ledger: new(event.Ledger)}), s.Flush()); err != nil {
		t.Fatal(err)
	}
	if want := "no packet of these flows was seen\n"; b.String() != want {
		t.Errorf("got %q", b.String())
	}
	broken := errors.New("it is gone")
	s = follow.New(&b, &counter{readings: []flows.Reading{{}}, err: broken}, text(false))
	if err := s.Write(&event.Event{Kind: event.End, Ledger: new(event.Ledger)}); !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

// TestWaiting has a column only where packets wait.
func TestWaiting(t *testing.T) {
	var b strings.Builder
	r := reading(10, 0)
	r.Counts = append(r.Counts, flows.Count{Interface: r.Counts[0].Interface, What: flows.QueuedOn, Packets: 4, Buffers: 4})
	s := follow.New(&b, &counter{readings: []flows.Reading{r}}, text(false))
	if err := errors.Join(s.Write(&event.Event{Kind: event.End, Ledger: new(event.Ledger)}), s.Flush()); err != nil {
		t.Fatal(err)
	}
	want := `packets of the flows in all
  received  delivered  forwarded  sent  waiting  dropped  interface  netns
        10         10          0     0        4        0  eth\x1b0   blue
`
	if !strings.HasPrefix(b.String(), want) {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}
