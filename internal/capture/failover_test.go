package capture

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/source/netdm"
	"dropwatch/internal/source/trace"
	"dropwatch/netlink"
)

// A stoppable source ends the run and waits for that, or has been stopped already.
type stoppable struct {
	err    error
	closed *[]string
	name   string
	endRun func()
}

func (s stoppable) Run(ctx context.Context, _ pipeline.Output) error {
	if s.err == nil {
		s.endRun()
		<-ctx.Done()
	}
	*s.closed = append(*s.closed, s.name)
	return s.err
}

func (s stoppable) Close() error { return nil }

func (s stoppable) Began() (from, until time.Time) { return from, until }

// noMonitor is that of a host without one.
func noMonitor() (*netdm.Session, error) { return nil, netlink.ErrNoFamily }

// TestFailover: a run without a named source goes on with the next when another
// program stops the first, and ends when an error of its own stops it.
func TestFailover(t *testing.T) {
	gone := errors.New("stopped by another")
	tests := map[string]struct {
		source string
		err    error // of bpf
		fixed  bool  // NoFailover
		ran    string
		want   error
	}{
		"stopped":             {"auto", &pipeline.StoppedError{Err: gone}, false, "bpf trace", nil},
		"stopped, and fixed":  {"auto", &pipeline.StoppedError{Err: gone}, true, "bpf", gone},
		"stopped, and named":  {"bpf", &pipeline.StoppedError{Err: gone}, false, "bpf", gone},
		"an error of its own": {"auto", gone, false, "bpf", gone},
		"not stopped":         {"auto", nil, false, "bpf", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var ran []string
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			r := testRunner(t, nil)
			r.Monitor = &Monitor{Open: noMonitor}
			r.OpenBPF = func(bpf.Options) (Tracer, error) { return stoppable{tt.err, &ran, "bpf", interrupt}, nil }
			r.OpenTrace = func(trace.Options) (Tracer, error) { return stoppable{nil, &ran, "trace", interrupt}, nil }
			file := filepath.Join(t.TempDir(), "json")
			spec := Spec{Detail: Raw, Outputs: []Output{{Format: JSON, File: file}}}
			spec.Input.Source, spec.Input.NoFailover = tt.source, tt.fixed
			outcome, err := r.Run(ctx, spec, nil)
			if !errors.Is(err, tt.want) || tt.want == nil && (err != nil || outcome.End != Interrupted) {
				t.Errorf("%v, error %v, want %v", outcome.End, err, tt.want)
			}
			if got := strings.Join(ran, " "); got != tt.ran {
				t.Errorf("sources that ran: %q, want %q", got, tt.ran)
			}
			text, err := os.ReadFile(file)
			if gap := strings.Contains(string(text), `"stopped by another"`); err != nil || gap != (tt.ran == "bpf trace") {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
}
