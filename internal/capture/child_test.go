package capture

import (
	"context"
	"testing"

	"dropwatch/internal/source/bpf"
)

// TestInterruptBeforeChild: a signal that comes before the command is started ends the run as any other does.
func TestInterruptBeforeChild(t *testing.T) {
	r := testRunner(t, nil)
	r.Monitor = &Monitor{Open: noMonitor}
	var ran []string
	r.OpenBPF = func(bpf.Options) (Tracer, error) { return stoppable{nil, &ran, "bpf", func() {}}, nil }
	ctx, interrupt := context.WithCancel(t.Context())
	spec := Spec{Detail: Raw, Outputs: []Output{{Format: Lines}}, Child: []string{"sleep", "20"}, Input: Input{Source: "bpf"}}
	outcome, err := r.Run(ctx, spec, interrupt)
	if err != nil || outcome.End != Interrupted || outcome.ChildExit != 0 || len(ran) != 1 {
		t.Errorf("end %v, child's exit code %d, sources %q, error %v", outcome.End, outcome.ChildExit, ran, err)
	}
}
