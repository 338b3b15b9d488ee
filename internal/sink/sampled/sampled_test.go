package sampled_test

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/sampled"
)

// A sink writes down what it is given.
type sink struct {
	mu  sync.Mutex
	got []string
	err error
}

func (s *sink) Write(e *event.Event) error {
	words := map[event.Kind]string{event.Drop: "drop", event.Loss: "loss", event.End: "end"}[e.Kind]
	if e.Kind == event.Drop && !e.Individual {
		words = fmt.Sprintf("%d more", e.Count)
	}
	return s.take(words + " " + e.Reason)
}

func (s *sink) Flush() error { return s.take("flush") }

func (s *sink) take(line string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.got = append(s.got, line)
	return s.err
}

// taken gives what was written since it was last called. Writing fails from now on
// if there is an error.
func (s *sink) taken(err error) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got, s.err = nil, err
	return got
}

func drop(reason string) *event.Event {
	e := &event.Event{Count: 1, Individual: true, Reason: reason, Time: time.Now()}
	e.Owner.Socket = new(event.Socket) // which is no part of the kind
	return e
}

func TestOthersAreCounted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to sink
		s := sampled.New(&to, 2)
		write := func(e *event.Event, times int) {
			for range times {
				if err := s.Write(e); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := func(want ...string) {
			t.Helper()
			if got := to.taken(nil); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
		write(drop("A"), 5)
		write(drop("B"), 1)
		write(&event.Event{Kind: event.Loss}, 1)
		write(&event.Event{Reason: "A", Count: 7}, 1) // a count of the source's own
		want("drop A", "drop A", "drop B", "loss ", "7 more A")
		time.Sleep(time.Second)
		synctest.Wait()
		want("3 more A", "flush")
		time.Sleep(time.Hour) // nothing is held back
		write(drop("A"), 3)
		want("drop A", "drop A")
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		want("flush")
		write(&event.Event{Kind: event.End}, 1)
		want("1 more A", "end ")
		time.Sleep(time.Hour)
		synctest.Wait()
		want()
	})
}

// TestACountIsOfItsKind has what the drops of the count share, and not the rest.
func TestACountIsOfItsKind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept keep
		s := sampled.New(&kept, 1)
		e := drop("A")
		e.Where.PC, e.Where.HasPC, e.Port.IfName, e.Netns.Inode = 7, true, "eth0", 8
		e.Packet = event.Packet{Proto: 0x800, HasProto: true, Data: []byte{1}, HasData: true, Len: 1, HasLen: true}
		e.Owner.Process, e.Owner.Unit = event.Process{PID: 9, Comm: "x"}, "x.service"
		for range 3 {
			if err := s.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Write(&event.Event{Kind: event.End}); err != nil {
			t.Fatal(err)
		}
		got := kept.all()
		if len(got) != 3 {
			t.Fatalf("%d events, want a drop, a count and the end", len(got))
		}
		count := got[1]
		if count.Count != 2 || count.Individual || count.Where != e.Where || count.Port != e.Port || count.Netns != e.Netns ||
			count.Owner.Process != e.Owner.Process || count.Owner.Unit != "x.service" || count.Owner.Socket != nil ||
			count.Packet.HasData || count.Packet.Proto != 0x800 || !count.Time.Equal(e.Time) {
			t.Errorf("%+v", count)
		}
	})
}

// TestFold: what a terminal shows of a flow each second is five drops and a count,
// which has the ends of the flow but for the client's port.
func TestFold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var kept keep
		s := sampled.Fold(&kept)
		for i := range 20 {
			e := drop("A")
			e.Packet.Flow = &event.Flow{Headers: event.Headers{
				Fields:  event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort | event.FieldTTL,
				Network: event.IPv4, Transport: event.UDP, Src: netip.MustParseAddr("10.0.0.1"), Dst: netip.MustParseAddr("10.0.0.2"),
				SrcPort: uint16(i), DstPort: 53 + uint16(i/12),
			}}
			if err := s.Write(e); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(kept.all()); n != 10 {
			t.Fatalf("%d drops at once, want 5 of each of two flows", n)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		got := kept.all()
		if len(got) != 12 {
			t.Fatalf("%d drops, want a count of each flow besides", len(got))
		}
		for i, want := range []uint64{7, 3} {
			e := got[10+i]
			if f := e.Packet.Flow; e.Count != want || e.Individual || f == nil || f.DstPort != 53+uint16(i) ||
				f.Has(event.FieldSrcPort) || f.Has(event.FieldTTL) || !f.Has(event.FieldSrc|event.FieldDst|event.FieldDstPort) {
				t.Errorf("count %+v of %+v, want %d", e, e.Packet.Flow, want)
			}
		}
	})
}

// A keep keeps what it is given.
type keep struct {
	mu  sync.Mutex
	got []event.Event
}

func (k *keep) Write(e *event.Event) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.got = append(k.got, e.Clone())
	return nil
}

func (*keep) Flush() error { return nil }

func (k *keep) all() []event.Event {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.got
}

func TestManyKindsArePassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var to sink
		s := sampled.New(&to, 1)
		for i := range 5000 {
			for range 2 {
				if err := s.Write(drop(fmt.Sprint(i))); err != nil {
					t.Fatal(err)
				}
			}
		}
		if got := len(to.taken(nil)); got != 4096+2*(5000-4096) {
			t.Errorf("%d drops were passed on", got)
		}
		if err := s.Write(&event.Event{Kind: event.End}); err != nil {
			t.Fatal(err)
		}
	})
}

// TestErrors: a write that failed behind the back of Write is told by the next.
func TestErrors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		full := errors.New("full")
		var to sink
		s := sampled.New(&to, 1)
		for range 2 {
			if err := s.Write(drop("A")); err != nil {
				t.Fatal(err)
			}
		}
		to.taken(full)
		time.Sleep(time.Second)
		synctest.Wait()
		to.taken(full)
		if err, err2 := s.Write(drop("A")), s.Flush(); err != full || err2 != full || to.taken(full) != nil {
			t.Errorf("%v and %v, want %v, and nothing written", err, err2, full)
		}
	})
}

// aggregates is a sink that keeps the events that stand for others.
type aggregates []event.Event

func (a *aggregates) Write(e *event.Event) error {
	if e.Aggregate {
		*a = append(*a, e.Clone())
	}
	return nil
}

func (*aggregates) Flush() error { return nil }

// TestPointsAreCounted, each point apart from others at the same function.
func TestPointsAreCounted(t *testing.T) {
	var others aggregates
	s := sampled.New(&others, 2)
	for i := range uint64(10) {
		e := event.Event{Kind: event.Point, Point: "tcp_accept_queue", Count: 1, Individual: true}
		e.Where.HasPC, e.Where.PC, e.Args = true, 1, []event.Arg{{Name: "len", Number: i}}
		if i == 0 {
			e.Point = "tcp_syn_queue"
		}
		s.Write(&e)
	}
	s.Write(&event.Event{Kind: event.End})
	if len(others) != 1 {
		t.Fatalf("%d counts: %+v", len(others), others)
	}
	if e := &others[0]; e.Kind != event.Point || e.Point != "tcp_accept_queue" || e.Count != 7 || len(e.Args) != 0 {
		t.Errorf("%+v", e)
	}
}
