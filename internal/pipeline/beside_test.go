package pipeline_test

import (
	"context"
	"errors"
	"slices"
	"testing"

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
