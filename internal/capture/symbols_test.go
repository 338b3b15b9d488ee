package capture

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/source/bpf"
	"dropwatch/internal/vmtest"
	"dropwatch/kallsyms"
)

const symbolText = "ffffffff81000000 T _stext\nffffffff81000000 T first\nffffffff81001000 T second\nffffffff81002000 T _etext\n"

// TestSymbolsBeforeStages: whoever needs the table first has it read, so that a verb
// may open its source before it makes its stages.
func TestSymbolsBeforeStages(t *testing.T) {
	s := new(Symbols)
	s.table.Symbols, s.table.Modules = filepath.Join(t.TempDir(), "symbols"), os.DevNull
	if err := os.WriteFile(s.table.Symbols, []byte(symbolText), 0o644); err != nil {
		t.Fatal(err)
	}
	done := make(chan bool)
	go func() {
		_, ok := s.function("first")
		s.warnOnce(func(err error) { t.Error(err) })
		done <- ok
	}()
	select {
	case ok := <-done:
		if !ok {
			t.Error("the function is not found")
		}
	case <-time.After(time.Minute):
		t.Fatal("the table is waited for and nobody reads it")
	}
}

// A single drop at an address is what this source emits.
type single uint64

func (pc single) Run(_ context.Context, out pipeline.Output) error {
	e := event.Event{Count: 1, Time: time.Now()}
	e.Where.PC, e.Where.HasPC = uint64(pc), true
	out.Emit(&e)
	return nil
}

func (single) Began() (from, until time.Time) { return from, until }

func (single) Close() error { return nil }

// TestSlowSymbols: drops are caught before the symbols have been read, and are named
// all the same. Afterwards garbage is collected as before.
func TestSlowSymbols(t *testing.T) {
	percent, limit := debug.SetGCPercent(77), debug.SetMemoryLimit(math.MaxInt64)
	defer func() { debug.SetGCPercent(percent); debug.SetMemoryLimit(limit) }()
	r := testRunner(t, nil)
	r.Monitor, r.Symbols = &Monitor{Open: noMonitor}, new(Symbols)
	r.OpenBPF = func(bpf.Options) (Tracer, error) { return single(0xffffffff81001010), nil }
	s := r.Symbols
	s.table.Symbols, s.table.Modules = filepath.Join(t.TempDir(), "symbols"), os.DevNull
	if err := os.WriteFile(s.table.Symbols, []byte(symbolText), 0o644); err != nil {
		t.Fatal(err)
	}
	s.load.Do(func() { s.loaded = make(chan struct{}) }) // the test says when
	load := sync.OnceFunc(func() { s.table.Load(); close(s.loaded) })
	var late atomic.Bool
	timer := time.AfterFunc(time.Minute, func() { late.Store(true); load() }) // so that a failure ends
	defer timer.Stop()
	caught := false
	file := filepath.Join(t.TempDir(), "json")
	spec := Spec{Detail: SymbolsOnly, Outputs: []Output{{Format: JSON, File: file}}}
	spec.Input.Source = "bpf"
	_, err := r.Run(t.Context(), spec, func() {
		caught = !late.Load()
		load()
	})
	text, _ := os.ReadFile(file)
	if err != nil || !caught || !strings.Contains(string(text), `"second"`) {
		t.Errorf("error %v, caught before there were symbols: %t\n%s", err, caught, text)
	}
	if percent, limit := debug.SetGCPercent(100), debug.SetMemoryLimit(-1); percent != 77 || limit != math.MaxInt64 {
		t.Errorf("garbage is collected at %d %% and %d bytes", percent, limit)
	}
}

// TestInterruptedBeforeSymbols: a run that names nothing does not wait for the symbols at its end.
func TestInterruptedBeforeSymbols(t *testing.T) {
	r := testRunner(t, nil)
	r.Monitor, r.Symbols = &Monitor{Open: noMonitor}, new(Symbols)
	r.OpenBPF = func(bpf.Options) (Tracer, error) { return quiet{}, nil }
	r.Symbols.load.Do(func() { r.Symbols.loaded = make(chan struct{}) }) // and nobody reads them
	spec := Spec{Detail: SymbolsOnly, Outputs: []Output{{Format: JSON, File: filepath.Join(t.TempDir(), "json")}}}
	spec.Input.Source = "bpf"
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		outcome, err := r.Run(ctx, spec, interrupt)
		if outcome.End != Interrupted {
			t.Errorf("end %v", outcome.End)
		}
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the run does not end")
	}
}

// quiet is a source without drops.
type quiet struct{ single }

func (quiet) Run(ctx context.Context, _ pipeline.Output) error {
	<-ctx.Done()
	return nil
}

// TestFragmentsWithoutSymbols: with -l none the location of a drop is not named, and yet a
// further fragment of a packet is known by it.
func TestFragmentsWithoutSymbols(t *testing.T) {
	vmtest.RequireRoot(t) // which the kernel shows addresses to
	var table kallsyms.Live
	if err := table.Load(); err != nil {
		t.Fatal(err)
	}
	address := func(name string) uint64 {
		at, _ := table.Function(name)
		if len(at) == 0 {
			t.Fatalf("no function %s", name)
		}
		return at[0].Start
	}
	for name, want := range map[string]bool{"skb_release_data": true, "udp_rcv": false} {
		r := &run{Runner: testRunner(t, nil), spec: &Spec{Detail: Everything}}
		r.startStages()
		e := event.Event{Count: 1, Individual: true}
		e.Where.PC, e.Where.HasPC = address(name), true
		for _, s := range r.steps {
			s.Stage(&e)
		}
		if e.Fragment != want || e.Where.Lookup == event.Found {
			t.Errorf("%s: fragment %t, want %t; %+v", name, e.Fragment, want, e.Where)
		}
	}
}
