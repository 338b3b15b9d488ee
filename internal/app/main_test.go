package app

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"dropwatch/internal/source/netdm"
)

// noDelay, in GORACE, lets a program that was built with -race end at once.
const noDelay = "atexit_sleep_ms=0"

// TestMain makes this binary the program too, under its two names, with a fake
// drop monitor that the variable FAKE describes (newFakeMonitor).
func TestMain(m *testing.M) {
	program := func() {
		a := &App{in: os.Stdin, out: os.Stdout, err: os.Stderr}
		a.monitor.open = func() (*netdm.Session, error) {
			f := newFakeMonitor(os.Getenv("FAKE"), os.Getenv("FAKE_LOG"))
			return netdm.New(f, f.Listen), nil
		}
		a.trace, a.bpf = openFakeTrace, openFakeBPF
		os.Exit(a.main(os.Args))
	}
	testscript.Main(m, map[string]func(){"dropwatch": program, "dwdump": program})
}

// TestScripts runs the sessions of testdata/session.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/session",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", noDelay)
			return nil
		},
	})
}
