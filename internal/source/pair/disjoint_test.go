package pair

import (
	"context"
	"errors"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/sourcetest"
)

// A list is a source of its events that waits for the end.
type list []event.Event

func (l list) Run(ctx context.Context, out pipeline.Output) error {
	for i := range l {
		out.Emit(&l[i])
	}
	<-ctx.Done()
	out.Flush()
	return nil
}

func TestDisjoint(t *testing.T) {
	seen := list{{Count: 1, Individual: true, Reason: "A"}, {Kind: event.Loss, Place: event.AtSocket, Count: 5}}
	others := list{{Count: 1, Individual: true, Reason: "B"}, {Count: 7, Aggregate: true, Reason: "B"},
		{Kind: event.Loss, Place: event.InRing, Count: 2}}
	r := sourcetest.Run(t, Disjoint(seen, others), func(*event.Event) bool { return true })
	r.Await(9)
	for _, e := range r.End() {
		if e.TraceOnly != (e.Reason == "B") {
			t.Errorf("%+v", e)
		}
	}
	l := r.Ledger
	if l.Shown != 9 || l.TraceOnly != 8 || l.Lost[event.AtSocket] != 5 || l.Lost[event.InRing] != 2 {
		t.Errorf("ledger %+v", l)
	}
}

// TestDisjointFails: the others end with the source of packets.
func TestDisjointFails(t *testing.T) {
	broken := errors.New("broken")
	failing := sourceFunc(func(context.Context, pipeline.Output) error { return broken })
	if err := Disjoint(failing, list{}).Run(t.Context(),
		&sourcetest.Running{Keep: func(*event.Event) bool { return false }}); !errors.Is(err, broken) {
		t.Errorf("error %v, want %v", err, broken)
	}
}

type sourceFunc func(context.Context, pipeline.Output) error

func (f sourceFunc) Run(ctx context.Context, out pipeline.Output) error { return f(ctx, out) }
