package jsonl_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/jsonl"
)

// A syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// take returns what was written since it was last called.
func (b *syncBuffer) take() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	defer b.buf.Reset()
	return b.buf.String()
}

// reached is an event at a point, where a queue has a length.
func reached(point string, length uint64) event.Event {
	return event.Event{Kind: event.Point, Count: 1, Individual: true, Point: point, Args: []event.Arg{{Name: "len", Number: length}}}
}

// summarized are the events of a summary, with each key that a row can have.
func summarized() []event.Event {
	one, traced := tcp(), traced()
	one.Segments = 3
	closed := tcp()
	closed.Where.PC, closed.Reason, closed.Harmless = 7, "QUEUE_PURGE", "connection closed"
	device := bare(func(e *event.Event) {
		e.Origin, e.Where, e.Count = event.Hardware, event.Where{Trap: "tail_drop", TrapGroup: "buffer_drops"}, 5
	})
	module := bare(func(e *event.Event) {
		e.Where = event.Where{HasPC: true, Frame: event.Frame{PC: 9, Lookup: event.Found, Symbol: "f", Module: "m"}}
	})
	return []event.Event{
		one, traced, closed, device, module, one, reached("udp_queue", 7), reached("tcp_accept_queue", 4), reached("udp_queue", 9),
	}
}

const summary = `{"kind":"summary","time":"2000-01-01T00:00:01.000000000Z","interval_ms":1000,"count":9,"harmless_count":1,"rows":[` +
	`{"count":5,"total":5,"origin":"hardware","trap":{"name":"tail_drop","group":"buffer_drops"}},` +
	`{"count":2,"total":2,"segments":6,"origin":"software","symbol":"tcp_v4_rcv","offset":2466,"pc":"0xffffffff87a84b72",` +
	`"reason":"NO_SOCKET"},` +
	`{"count":1,"total":1,"trace_only":true,"origin":"software","pc":"0xffffffffc0ffee00","reason":"NETFILTER_DROP"},` +
	`{"count":1,"total":1,"origin":"software","symbol":"tcp_v4_rcv","offset":2466,"pc":"0x7","reason":"QUEUE_PURGE",` +
	`"harmless":"connection closed"},` +
	`{"count":1,"total":1,"symbol":"f","offset":0,"module":"m","pc":"0x9"}],` +
	`"points":[{"count":2,"total":2,"point":{"name":"udp_queue","args":{"len":9}}},` +
	`{"count":1,"total":1,"point":{"name":"tcp_accept_queue","args":{"len":4}}}]}` + "\n"

func writeTo(t *testing.T, s interface{ Write(*event.Event) error }, events ...event.Event) {
	t.Helper()
	for i := range events {
		if err := s.Write(&events[i]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSummary(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out syncBuffer
		s := jsonl.NewSummary(&out, jsonl.Options{}, time.Second, time.Time{})
		want := func(what, want string) {
			t.Helper()
			if got := out.take(); got != want {
				t.Errorf("%s: got\n%swant\n%s", what, got, want)
			}
		}
		writeTo(t, s, summarized()...)
		time.Sleep(999 * time.Millisecond)
		want("within a second", "")
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		want("after it", summary)
		time.Sleep(time.Hour)
		want("without drops", "")
		writeTo(t, s, tcp(), event.Event{Kind: event.Rejected, Count: 7}, lost(event.InRing),
			event.Event{Kind: event.End, Time: noon, Ledger: &event.Ledger{Shown: 10}})
		if err := s.Flush(); err != nil {
			t.Fatal(err)
		}
		got := out.take()
		for _, part := range []string{
			`{"kind":"loss",`, `{"kind":"summary","time":"2026-11-21T10:00:05.028161970Z",`,
			`"rows":[{"count":1,"total":3,"origin":"software","symbol":"tcp_v4_rcv"`, `{"kind":"end",`,
		} {
			before, after, found := strings.Cut(got, part)
			if !found || strings.Contains(before, `"end"`) {
				t.Errorf("at the end: no %s in %s", part, got)
			}
			got = after
		}
		time.Sleep(time.Hour)
		want("after the end", "")
	})
}

// TestSummaryOfARecording: intervals are by the time of the events.
func TestSummaryOfARecording(t *testing.T) {
	begin := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var out syncBuffer
	s := jsonl.NewSummary(&out, jsonl.Options{Host: "router"}, time.Second, begin)
	at := func(d time.Duration) event.Event {
		e := tcp()
		e.Time = begin.Add(d)
		return e
	}
	writeTo(t, s, at(0), at(900*time.Millisecond), at(5*time.Second))
	writeTo(t, s, event.Event{Kind: event.End, Time: begin.Add(5500 * time.Millisecond), Ledger: &event.Ledger{}})
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(out.take(), "\n")
	if len(lines) != 4 ||
		!strings.Contains(lines[0], `"time":"2026-11-21T10:00:01.000000000Z","host":"router","interval_ms":1000,"count":2,`) ||
		!strings.Contains(lines[1], `"time":"2026-11-21T10:00:05.500000000Z","host":"router","interval_ms":1000,"count":1,`) {
		t.Errorf("lines %q", lines)
	}
}

// TestSummaryOfPoints: an interval of points alone has a line, with what is new in it; and no line of a single event.
func TestSummaryOfPoints(t *testing.T) {
	begin := time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
	var out syncBuffer
	s := jsonl.NewSummary(&out, jsonl.Options{}, time.Second, begin)
	for i, d := range []time.Duration{0, 100 * time.Millisecond, 1500 * time.Millisecond} {
		e := reached("udp_queue", uint64(i))
		e.Time = begin.Add(d)
		writeTo(t, s, e)
	}
	writeTo(t, s, event.Event{Kind: event.End, Time: begin.Add(2 * time.Second), Ledger: &event.Ledger{}})
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(out.take(), "\n")
	const head = `{"kind":"summary","time":"2026-11-21T10:00:0`
	const rows = `.000000000Z","interval_ms":1000,"count":0,"harmless_count":0,"rows":[],`
	for i, want := range []string{
		head + "1" + rows + `"points":[{"count":2,"total":2,"point":{"name":"udp_queue","args":{"len":1}}}]}`,
		head + "2" + rows + `"points":[{"count":1,"total":3,"point":{"name":"udp_queue","args":{"len":2}}}]}`,
		`{"kind":"end",`,
	} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d: got\n%swant\n%s", i, lines[i], want)
		}
	}
}

// TestSummaryIsBounded: locations and points beyond the limit are counted in one row.
func TestSummaryIsBounded(t *testing.T) {
	var out syncBuffer
	s := jsonl.NewSummary(&out, jsonl.Options{}, time.Hour, noon)
	const many = 5000
	for i := range many {
		e := tcp()
		e.Where.PC = uint64(i)
		writeTo(t, s, e, reached(fmt.Sprint("p", i), 0))
	}
	writeTo(t, s, event.Event{Kind: event.End, Time: noon, Ledger: &event.Ledger{}})
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
	got := out.take()
	const rest = `"count":5000,"harmless_count":0,"rows":[{"count":904,"total":904,"origin":"software","other":true},{"count":1,`
	const restOfPoints = `"points":[{"count":904,"total":904,"point":{"name":"any","args":{"len":0}}},{"count":1,`
	for _, part := range []string{rest, restOfPoints} {
		if !strings.Contains(got, part) {
			t.Errorf("no %s in %.300s", part, got)
		}
	}
	if err := newValidator(t).line(strings.Split(got, "\n")[0]); err != nil {
		t.Error(err)
	}
}

func TestSummaryFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := jsonl.NewSummary(fullDisk{}, jsonl.Options{}, time.Second, time.Time{})
		writeTo(t, s, tcp())
		time.Sleep(2 * time.Second)
		e := tcp()
		if err, err2 := s.Write(&e), s.Flush(); !errors.Is(err, errFull) || !errors.Is(err2, errFull) {
			t.Errorf("errors %v and %v, want %v", err, err2, errFull)
		}
	})
}

var errFull = errors.New("no space")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
