package capture

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/sink/elastic"
	"dropwatch/internal/sink/syslog"
	"dropwatch/internal/source/bpf"
)

// A dripping source emits drops, and then waits for its end.
type dripping struct {
	stoppable
	drops int
}

func (d dripping) Run(ctx context.Context, out pipeline.Output) error {
	for range d.drops {
		out.Emit(&event.Event{Kind: event.Drop, Time: time.Now(), Count: 1, Individual: true, Reason: "NO_SOCKET"})
	}
	out.Flush()
	return d.stoppable.Run(ctx, out)
}

// TestInterruptedOutage: a run that is interrupted while a server is down ends in time. With a spool nothing is lost, and it
// is no failure; without, what was not delivered is in the ledger.
func TestInterruptedOutage(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for name, dir := range map[string]string{"spool": filepath.Join(t.TempDir(), "spool"), "memory": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said bytes.Buffer
			r := testRunner(t, nil)
			r.Notices, r.Monitor = NewNotices(&said), &Monitor{Open: noMonitor}
			ctx, interrupt := context.WithCancel(t.Context())
			var ran []string
			r.OpenBPF = func(bpf.Options) (Tracer, error) { return dripping{stoppable{nil, &ran, "bpf", interrupt}, 5}, nil }
			o := Output{Format: Elastic, Elastic: elastic.Options{URLs: []string{"http://" + l.Addr().String()}, Spool: dir}}
			outcome, err := r.Run(ctx, Spec{Detail: Raw, Outputs: []Output{o}, Input: Input{Source: "bpf"}}, nil)
			if dir == "" {
				if err == nil || !strings.Contains(err.Error(), "not everything was delivered") || outcome.Ledger.Lost[event.InSink] != 5 {
					t.Errorf("error %v, ledger %+v", err, outcome.Ledger)
				}
				return
			}
			files, globErr := filepath.Glob(filepath.Join(dir, "*.batch"))
			if err != nil || outcome.Ledger.Shown != 5 || outcome.Ledger.TotalLost() != 0 || globErr != nil || len(files) == 0 {
				t.Errorf("error %v, ledger %+v, files %q", err, outcome.Ledger, files)
			}
			if !strings.Contains(said.String(), "what is not delivered stays in "+dir) {
				t.Errorf("said %s", said.String())
			}
		})
	}
}

// TestOtherOutput: the ledger of a run is that of the first output; what another one could not write is an error.
func TestOtherOutput(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	url := "http://" + l.Addr().String()
	var said bytes.Buffer
	r := testRunner(t, nil)
	r.Notices, r.Monitor = NewNotices(&said), &Monitor{Open: noMonitor}
	ctx, interrupt := context.WithCancel(t.Context())
	var ran []string
	r.OpenBPF = func(bpf.Options) (Tracer, error) { return dripping{stoppable{nil, &ran, "bpf", interrupt}, 5}, nil }
	outputs := []Output{{Format: Lines}, {Format: Elastic, Elastic: elastic.Options{URLs: []string{url}}}}
	outcome, err := r.Run(ctx, Spec{Detail: Raw, Outputs: outputs, Input: Input{Source: "bpf"}}, nil)
	if err == nil || outcome.Ledger.Shown != 5 || outcome.Ledger.TotalLost() != 0 {
		t.Errorf("error %v, ledger %+v", err, outcome.Ledger)
	}
	if want := "elastic:" + url + " did not get 5 drops"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, said %s", err, said.String())
	}
}

// TestAnyOutputThatLoses: it is an error, whichever output could not write, first or not, and also one that goes on.
func TestAnyOutputThatLoses(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	bad := Output{Format: Syslog, Syslog: syslog.Options{Network: "unixgram", Address: missing}}
	good := Output{Format: Lines, File: filepath.Join(t.TempDir(), "lines")}
	for name, outputs := range map[string][]Output{"first": {bad, good}, "second": {good, bad}, "alone": {bad}} {
		t.Run(name, func(t *testing.T) {
			r := testRunner(t, nil)
			r.Monitor = &Monitor{Open: noMonitor}
			ctx, interrupt := context.WithCancel(t.Context())
			var ran []string
			r.OpenBPF = func(bpf.Options) (Tracer, error) { return dripping{stoppable{nil, &ran, "bpf", interrupt}, 5}, nil }
			_, err := r.Run(ctx, Spec{Detail: Raw, Outputs: outputs, Input: Input{Source: "bpf"}}, nil)
			lost, ok := errors.AsType[*LossError](err)
			if !ok || *lost != (LossError{"the log at " + missing, "5 drops"}) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// TestLogIsFollowed: a run whose file was moved away goes on in a new one, and no line is lost.
func TestLogIsFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drops.json")
	r := testRunner(t, nil)
	r.Monitor = &Monitor{Open: noMonitor}
	ctx, interrupt := context.WithCancel(t.Context())
	var ran []string
	r.OpenBPF = func(bpf.Options) (Tracer, error) {
		return dripping{stoppable{nil, &ran, "bpf", func() {
			defer interrupt()
			for !exists(path) {
				time.Sleep(time.Millisecond)
			}
			if err := os.Rename(path, path+".1"); err != nil {
				t.Error(err)
			}
		}}, 5}, nil
	}
	_, err := r.Run(ctx, Spec{Detail: Raw, Outputs: []Output{{Format: JSON, File: path}}, Input: Input{Source: "bpf"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for _, name := range []string{path, path + ".1"} {
		text, err := os.ReadFile(name)
		if err != nil || len(text) > 0 && !bytes.HasSuffix(text, []byte("}\n")) {
			t.Errorf("%s: %q, error %v", name, text, err)
		}
		lines += bytes.Count(text, []byte("\n"))
	}
	if lines != 6 {
		t.Errorf("%d lines, want 5 drops and the end", lines)
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
