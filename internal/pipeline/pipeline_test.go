package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

var errBroken = errors.New("broken")

// A script is a source that gives its events, whether or not the run is over.
type script struct {
	events  []event.Event
	err     error // of its own, in the end
	flushes int
	stopped bool // its context had ended when it did
}

func (s *script) Run(ctx context.Context, out pipeline.Output) error {
	for i := range s.events {
		out.Emit(&s.events[i])
	}
	for range s.flushes {
		out.Flush()
	}
	s.stopped = ctx.Err() != nil
	return s.err
}

// A memory is a sink that keeps what was written, and fails after failAfter events.
type memory struct {
	wrote     []string
	failAfter int // writes; 0: never
	flushErr  error
	flushed   int
}

func (m *memory) Write(e *event.Event) error {
	if m.failAfter > 0 && len(m.wrote) == m.failAfter {
		return errBroken
	}
	m.wrote = append(m.wrote, describe(e))
	return nil
}

func (m *memory) Flush() error {
	m.flushed++
	return m.flushErr
}

func describe(e *event.Event) string {
	switch e.Kind {
	case event.Loss:
		return fmt.Sprintf("lost %d %v", e.Count, e.Place)
	case event.End:
		return fmt.Sprintf("end of %d", e.Ledger.Total())
	}
	return fmt.Sprintf("%d %s", e.Count, e.Reason)
}

func drop(n uint64, reason string) event.Event { return event.Event{Count: n, Reason: reason} }

func lost(n uint64, at event.Place) event.Event {
	return event.Event{Kind: event.Loss, Count: n, Place: at}
}

// not rejects the drops of one reason, and would reject losses too.
func not(reason string) pipeline.Stage {
	return func(e *event.Event) bool { return e.Kind == event.Drop && e.Reason != reason }
}

func TestRun(t *testing.T) {
	mixed := []event.Event{
		drop(1, "A"), lost(7, event.AtSocket), drop(2, "B"), drop(3, "A"), lost(1, event.InQueue), drop(4, "B"),
	}
	all := []string{"1 A", "lost 7 at dropwatch's socket", "2 B", "3 A", "lost 1 in the kernel's queue", "4 B"}
	losses := func(socket, queue uint64) event.Ledger {
		var l event.Ledger
		l.Lost[event.AtSocket], l.Lost[event.InQueue] = socket, queue
		return l
	}
	with := func(l event.Ledger, shown, rejected uint64) event.Ledger {
		l.Shown, l.Rejected = shown, rejected
		return l
	}
	unread := func(l event.Ledger, n uint64) event.Ledger {
		l.Lost[event.Unread] = n
		return l
	}
	tests := map[string]struct {
		p       pipeline.Pipeline
		sink    memory
		source  script
		wrote   []string
		ledger  event.Ledger
		err     error
		stopped bool
	}{
		"everything": {wrote: all, ledger: with(losses(7, 1), 10, 0)},
		"the limit counts drops, also of an event of several, and no losses; nothing counts after it": {
			p: pipeline.Pipeline{Limit: 3}, wrote: all[:3], ledger: with(losses(7, 0), 3, 0), stopped: true,
		},
		"a limit that is not reached": {
			p: pipeline.Pipeline{Limit: 11}, wrote: all, ledger: with(losses(7, 1), 10, 0),
		},
		"a stage rejects drops and no losses": {
			p:     pipeline.Pipeline{Stages: []pipeline.Stage{not("A")}},
			wrote: []string{all[1], all[2], all[4], all[5]}, ledger: with(losses(7, 1), 6, 4),
		},
		"what is rejected does not count for the limit": {
			p:     pipeline.Pipeline{Stages: []pipeline.Stage{not("A")}, Limit: 1},
			wrote: all[1:3], ledger: with(losses(7, 0), 2, 1), stopped: true,
		},
		"a failing sink ends the run, and what it did not take is lost": {
			sink: memory{failAfter: 2}, wrote: all[:2], ledger: unread(with(losses(7, 1), 1, 0), 3+4), err: errBroken, stopped: true,
		},
		"a loss is in the ledger though it could not be written": {
			sink: memory{failAfter: 1}, wrote: all[:1], ledger: unread(with(losses(7, 1), 1, 0), 2+3+4), err: errBroken, stopped: true,
		},
		"a failing source": {
			source: script{err: errBroken}, wrote: all, ledger: with(losses(7, 1), 10, 0), err: errBroken,
		},
		"a failing flush": {
			sink: memory{flushErr: errBroken}, wrote: all, ledger: with(losses(7, 1), 10, 0), err: errBroken,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.source.events = mixed
			p := &tt.p
			p.Source, p.Sink = &tt.source, &tt.sink
			ledger, err := p.Run(t.Context())
			if !errors.Is(err, tt.err) || tt.err == nil && err != nil {
				t.Errorf("error %v, want %v", err, tt.err)
			}
			if ledger != tt.ledger {
				t.Errorf("ledger %+v, want %+v", ledger, tt.ledger)
			}
			if tt.source.stopped != tt.stopped || p.LimitReached() != (tt.stopped && tt.err == nil) {
				t.Errorf("source stopped %t, limit reached %t", tt.source.stopped, p.LimitReached())
			}
			if tt.sink.failAfter == 0 { // otherwise it has failed and gets no End
				tt.wrote = append(slices.Clone(tt.wrote), fmt.Sprintf("end of %d", ledger.Total()))
			}
			if !reflect.DeepEqual(tt.sink.wrote, tt.wrote) {
				t.Errorf("wrote %q, want %q", tt.sink.wrote, tt.wrote)
			}
		})
	}
}

func TestPartsAreNoDrops(t *testing.T) {
	part := drop(3, "A")
	part.Fragment = true
	traceOnly := drop(2, "B")
	traceOnly.TraceOnly = true
	sink := &memory{}
	p := pipeline.Pipeline{
		Source: &script{events: []event.Event{part, traceOnly, drop(1, "B")}}, Sink: sink,
		Stages: []pipeline.Stage{func(*event.Event) bool { return true }},
	}
	ledger, err := p.Run(t.Context())
	if want := (event.Ledger{Shown: 3, TraceOnly: 2, Fragments: 3}); err != nil || ledger != want {
		t.Errorf("ledger %+v, %v, want %+v", ledger, err, want)
	}
	if want := []string{"2 B", "1 B", "end of 6"}; !reflect.DeepEqual(sink.wrote, want) {
		t.Errorf("wrote %q, want %q", sink.wrote, want)
	}
}

func TestTeeWritesToEachUntilOneFails(t *testing.T) {
	first, second, third := &memory{}, &memory{failAfter: 1, flushErr: errBroken}, &memory{}
	p := pipeline.Pipeline{
		Source: &script{events: []event.Event{drop(1, "A"), drop(2, "B")}},
		Sink:   pipeline.Tee{first, second, third},
	}
	if _, err := p.Run(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("error %v, want %v", err, errBroken)
	}
	got := [][]string{first.wrote, second.wrote, third.wrote}
	if want := [][]string{{"1 A", "2 B"}, {"1 A"}, {"1 A"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("wrote %q, want %q", got, want)
	}
	if first.flushed != 0 || third.flushed != 0 {
		t.Errorf("flushed %d and %d times after the failure", first.flushed, third.flushed)
	}
}

func TestRunFlushes(t *testing.T) {
	sink := &memory{}
	p := pipeline.Pipeline{Source: &script{flushes: 2}, Sink: sink}
	if _, err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sink.flushed != 3 {
		t.Errorf("flushed %d times, want twice for the source and once at the end", sink.flushed)
	}
}

func TestRunStopsAtAFlushThatFails(t *testing.T) {
	sink := &memory{flushErr: errBroken}
	p := pipeline.Pipeline{Source: &script{flushes: 5}, Sink: sink}
	if _, err := p.Run(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("error %v, want %v", err, errBroken)
	}
	if sink.flushed != 1 {
		t.Errorf("flushed %d times, want the one that failed", sink.flushed)
	}
}

func TestStagesRunInOrderUntilOneRejects(t *testing.T) {
	var seen []string
	stage := func(name string, pass bool) pipeline.Stage {
		return func(*event.Event) bool {
			seen = append(seen, name)
			return pass
		}
	}
	p := pipeline.Pipeline{
		Source: &script{events: []event.Event{drop(1, "A")}}, Sink: &memory{},
		Stages: []pipeline.Stage{stage("first", true), stage("second", false), stage("third", true)},
	}
	if _, err := p.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"first", "second"}; !reflect.DeepEqual(seen, want) {
		t.Errorf("stages %q, want %q", seen, want)
	}
}

// TestProgress: another goroutine sees an event at which a stage blocks, and what
// filters have rejected.
func TestProgress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var progress pipeline.Progress
		stuck := make(chan struct{})
		stage := func(e *event.Event) bool {
			if e.Count == 2 {
				<-stuck
			}
			return e.Count != 3
		}
		p := pipeline.Pipeline{
			Source: &script{events: []event.Event{
				{Kind: event.Retransmit, Count: 3, Segments: 5, Segment: new(event.Segment)}, drop(3, "A"), drop(2, "B"), drop(1, "C"),
			}},
			Stages: []pipeline.Stage{stage}, Sink: new(memory), Progress: &progress,
		}
		go p.Run(t.Context())
		busy := func(what string, want time.Duration) {
			t.Helper()
			synctest.Wait()
			if got := progress.Busy(time.Now()); got != want {
				t.Errorf("%s: busy for %v, want %v", what, got, want)
			}
		}
		busy("at first", 0)
		for s := range 3 {
			time.Sleep(time.Second)
			busy("stuck", time.Duration(s+1)*time.Second)
		}
		if rejected, undecided := progress.Rejected(); rejected != 3 || undecided != 0 {
			t.Errorf("%d rejected, %d undecided", rejected, undecided)
		}
		if segments := progress.RejectedTCP(); segments != 5 {
			t.Errorf("%d segments rejected, want 5", segments)
		}
		close(stuck)
		busy("done", 0)
		time.Sleep(time.Hour)
		busy("and long after", 0)
	})
}

// TestUnreadKinds: each kind of event that comes after the sink has failed is lost in its own part of the ledger.
func TestUnreadKinds(t *testing.T) {
	source := script{events: []event.Event{
		drop(1, "A"), drop(2, "B"), drop(4, "C"), {Kind: event.Retransmit, Count: 1, Segments: 3, Segment: &event.Segment{}},
		{Kind: event.Reset, Count: 1, Segment: &event.Segment{}}, {Kind: event.Point, Count: 5, Point: "iptables"},
	}}
	p := pipeline.Pipeline{Source: &source, Sink: &memory{failAfter: 1}}
	ledger, err := p.Run(t.Context())
	want := event.Ledger{Shown: 1, TCP: event.TCPCounts{Lost: 3 + 1}, Points: event.PointCounts{Lost: 5}}
	want.Lost[event.Unread] = 4
	if ledger != want || !errors.Is(err, errBroken) {
		t.Errorf("ledger %+v, want %+v; error %v", ledger, want, err)
	}
}
