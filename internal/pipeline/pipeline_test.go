package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

var errBroken = errors.New("broken")

// A script is a source that gives its events and obeys out, or does not.
type script struct {
	events   []event.Event
	stubborn bool  // goes on after an error, and returns the first
	err      error // of its own, in the end
	flushes  int
}

func (s *script) Run(_ context.Context, out pipeline.Output) (err error) {
	for i := range s.events {
		if eerr := out.Emit(&s.events[i]); eerr != nil {
			err = pipeline.Also(err, eerr)
			if !s.stubborn {
				return err
			}
		}
	}
	for range s.flushes {
		if err := out.Flush(); err != nil {
			return err
		}
	}
	return pipeline.Also(err, s.err)
}

// A memory is a sink that keeps what was written, and fails when it is told to.
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
	all := []string{"1 A", "lost 7 at our socket", "2 B", "3 A", "lost 1 in the kernel's queue", "4 B"}
	losses := func(socket, queue uint64) event.Ledger {
		var l event.Ledger
		l.Lost[event.AtSocket], l.Lost[event.InQueue] = socket, queue
		return l
	}
	with := func(l event.Ledger, shown, rejected uint64) event.Ledger {
		l.Shown, l.Rejected = shown, rejected
		return l
	}
	tests := map[string]struct {
		p      pipeline.Pipeline
		sink   memory
		source script
		wrote  []string
		ledger event.Ledger
		err    error
	}{
		"everything": {wrote: all, ledger: with(losses(7, 1), 10, 0)},
		"the limit counts drop events, neither packets nor losses": {
			p: pipeline.Pipeline{Limit: 2}, wrote: all[:3], ledger: with(losses(7, 0), 3, 0), err: pipeline.ErrLimit,
		},
		"nothing more passes the limit, but losses do": {
			p: pipeline.Pipeline{Limit: 1}, source: script{stubborn: true},
			wrote: []string{all[0], all[1], all[4]}, ledger: with(losses(7, 1), 1, 0), err: pipeline.ErrLimit,
		},
		"a limit that is not reached": {
			p: pipeline.Pipeline{Limit: 5}, wrote: all, ledger: with(losses(7, 1), 10, 0),
		},
		"a stage rejects drops and no losses": {
			p:     pipeline.Pipeline{Stages: []pipeline.Stage{not("A")}},
			wrote: []string{all[1], all[2], all[4], all[5]}, ledger: with(losses(7, 1), 6, 4),
		},
		"what is rejected does not count for the limit": {
			p:     pipeline.Pipeline{Stages: []pipeline.Stage{not("A")}, Limit: 1},
			wrote: all[1:3], ledger: with(losses(7, 0), 2, 1), err: pipeline.ErrLimit,
		},
		"a failing sink ends the run": {
			sink: memory{failAfter: 2}, wrote: all[:2], ledger: with(losses(7, 0), 1, 0), err: errBroken,
		},
		"a loss is in the ledger though it could not be written": {
			sink: memory{failAfter: 1}, wrote: all[:1], ledger: with(losses(7, 0), 1, 0), err: errBroken,
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
			if tt.sink.failAfter == 0 { // otherwise it is not told
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
	part.Part = true
	unseen := drop(2, "B")
	unseen.Unseen = true
	sink := &memory{}
	p := pipeline.Pipeline{
		Source: &script{events: []event.Event{part, unseen, drop(1, "B")}}, Sink: sink,
		Stages: []pipeline.Stage{func(*event.Event) bool { return true }},
	}
	ledger, err := p.Run(t.Context())
	if want := (event.Ledger{Shown: 3, Unseen: 2, Parts: 3}); err != nil || ledger != want {
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
	// Flush fails too.
	if _, err := p.Run(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("error %v, want %v", err, errBroken)
	}
	got := [][]string{first.wrote, second.wrote, third.wrote}
	if want := [][]string{{"1 A", "2 B"}, {"1 A"}, {"1 A"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("wrote %q, want %q", got, want)
	}
	if first.flushed != 1 || third.flushed != 0 {
		t.Errorf("flushed %d and %d times, want the one before the failure", first.flushed, third.flushed)
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
	if sink.flushed != 2 {
		t.Errorf("flushed %d times, want the one that failed and the last", sink.flushed)
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

func TestAlso(t *testing.T) {
	first, second := errors.New("first"), errors.New("second")
	tests := []struct {
		err, second error
		want        string
	}{
		{nil, nil, "<nil>"},
		{first, nil, "first"},
		{nil, second, "second"},
		{first, second, "first; and second"},
		{pipeline.ErrLimit, nil, "limit reached"},
		{pipeline.ErrLimit, second, "second"},
		{nil, pipeline.ErrLimit, "limit reached"},
		{first, pipeline.ErrLimit, "first"},
		{pipeline.ErrLimit, pipeline.ErrLimit, "limit reached"},
		{fmt.Errorf("write: %w", first), first, "write: first"},
		{fmt.Errorf("write: %w", first), fmt.Errorf("write: %w", first), "write: first"},
	}
	for _, tt := range tests {
		got := pipeline.Also(tt.err, tt.second)
		if fmt.Sprint(got) != tt.want {
			t.Errorf("Also(%v, %v) = %v, want %s", tt.err, tt.second, got, tt.want)
		}
		if got != nil && strings.Contains(got.Error(), "\n") {
			t.Errorf("Also(%v, %v) = %q is more than a line", tt.err, tt.second, got)
		}
	}
	if err := pipeline.Also(first, second); !errors.Is(err, first) || !errors.Is(err, second) {
		t.Errorf("%v does not match both", err)
	}
}
