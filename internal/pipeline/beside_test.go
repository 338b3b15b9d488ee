package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A finder is a source of one event when its context has ended.
type finder struct{ cause error }

func (f *finder) Run(ctx context.Context, out pipeline.Output) error {
	<-ctx.Done()
	f.cause = context.Cause(ctx)
	out.Emit(&event.Event{Kind: event.Finding, Count: 1, Reason: "F", Incident: new(event.Incident)})
	return nil
}

// TestBeside: the other source ends after the first, however that ended, and hears why.
func TestBeside(t *testing.T) {
	over := errors.New("over")
	ended, end := context.WithCancelCause(t.Context())
	end(over)
	for name, tt := range map[string]struct {
		ctx   context.Context
		err   error
		cause error
	}{
		"ended": {ended, nil, over}, "by itself": {t.Context(), nil, context.Canceled},
		"failed": {t.Context(), errBroken, context.Canceled},
	} {
		f, sink := new(finder), new(memory)
		drops := &script{events: []event.Event{drop(1, "A"), drop(2, "B")}, err: tt.err}
		p := pipeline.Pipeline{Source: pipeline.Beside(drops, f), Sink: sink}
		ledger, err := p.Run(tt.ctx)
		if want := []string{"1 A", "2 B", "1 F", "end of 3"}; !slices.Equal(sink.wrote, want) {
			t.Errorf("%s: wrote %q, want %q", name, sink.wrote, want)
		}
		if !errors.Is(err, tt.err) || f.cause != tt.cause || ledger.Findings.Shown != 1 {
			t.Errorf("%s: error %v, cause %v, ledger %+v", name, err, f.cause, ledger)
		}
	}
}

// TestFinder: what is found in all events goes to the sinks before the End, which is not earlier, and into its ledger.
func TestFinder(t *testing.T) {
	begun := time.Unix(1000, 0)
	seen, sink := new(memory), new(memory)
	var last time.Time
	f := &pipeline.Finder{Seen: seen, To: pipeline.Tee{sink, endTime{&last}}, Found: func() []event.Event {
		if len(sink.wrote) != 2 || seen.wrote[len(seen.wrote)-1] != "end of 3" {
			t.Errorf("asked after %q, %q", seen.wrote, sink.wrote)
		}
		return []event.Event{
			{Kind: event.Finding, Time: begun.Add(time.Second), Count: 1, Reason: "F", Incident: new(event.Incident)},
			{Kind: event.Finding, Time: begun, Count: 1, Reason: "G", Incident: new(event.Incident)},
		}
	}}
	p := pipeline.Pipeline{
		Source: &script{events: []event.Event{drop(1, "A"), drop(2, "B")}}, Sink: f, Now: func() time.Time { return begun },
	}
	ledger, err := p.Run(t.Context())
	if want := []string{"1 A", "2 B", "1 F", "1 G", "end of 3"}; !slices.Equal(sink.wrote, want) || err != nil {
		t.Errorf("wrote %q, error %v, want %q", sink.wrote, err, want)
	}
	if want := []string{"1 A", "2 B", "end of 3"}; !slices.Equal(seen.wrote, want) {
		t.Errorf("saw %q, want %q", seen.wrote, want)
	}
	if ledger.Findings.Shown != 2 || !last.Equal(begun.Add(time.Second)) {
		t.Errorf("%+v at %v", ledger, last)
	}
}

// An endTime is a sink that keeps the time of the End.
type endTime struct{ at *time.Time }

func (s endTime) Write(e *event.Event) error {
	if e.Kind == event.End {
		*s.at = e.Time
	}
	return nil
}

func (endTime) Flush() error { return nil }

// TestFinderFails: if one of the sinks fails, nothing is looked for.
func TestFinderFails(t *testing.T) {
	for name, f := range map[string]*pipeline.Finder{
		"what it sees": {Seen: &memory{failAfter: 1}, To: new(memory)}, "the others": {Seen: new(memory), To: &memory{failAfter: 1}},
	} {
		f.Found = func() []event.Event { t.Errorf("%s: it looked", name); return nil }
		p := pipeline.Pipeline{Source: &script{events: []event.Event{drop(1, "A"), drop(2, "B")}}, Sink: f}
		if ledger, err := p.Run(t.Context()); err == nil || ledger.Shown != 1 {
			t.Errorf("%s: error %v, %+v", name, err, ledger)
		}
	}
}

// TestFinderAlone: a run needs no other outputs.
func TestFinderAlone(t *testing.T) {
	f := &pipeline.Finder{Seen: new(memory), To: pipeline.NewFanout(nil, nil), Found: func() []event.Event {
		return []event.Event{{Kind: event.Finding, Count: 1, Incident: new(event.Incident)}}
	}}
	p := pipeline.Pipeline{Source: &script{events: []event.Event{drop(1, "A")}}, Sink: f}
	if ledger, err := p.Run(t.Context()); err != nil || ledger.Findings.Shown != 1 || ledger.Shown != 1 {
		t.Errorf("%+v, error %v", ledger, err)
	}
}

// TestFindings: no stage rejects a finding and no limit counts it, and one that cannot be written is lost.
func TestFindings(t *testing.T) {
	finding := event.Event{Kind: event.Finding, Count: 1, Reason: "F", Incident: new(event.Incident)}
	for name, tt := range map[string]struct {
		failAfter int
		wrote     []string
		want      event.FindingCounts
	}{
		"written": {0, []string{"1 F", "1 B", "1 F", "2 B", "end of 4"}, event.FindingCounts{Shown: 2}},
		"failed":  {2, []string{"1 F", "1 B"}, event.FindingCounts{Shown: 1, Lost: 1}},
	} {
		sink := &memory{failAfter: tt.failAfter}
		p := pipeline.Pipeline{
			Source: &script{events: []event.Event{finding, drop(1, "A"), drop(1, "B"), finding, drop(2, "B"), finding}},
			Stages: []pipeline.Stage{not("A")}, Sink: sink, Limit: 3,
		}
		ledger, _ := p.Run(t.Context())
		if !slices.Equal(sink.wrote, tt.wrote) || ledger.Findings.Shown != tt.want.Shown || ledger.Findings.Lost < tt.want.Lost {
			t.Errorf("%s: wrote %q, ledger %+v", name, sink.wrote, ledger)
		}
	}
}
