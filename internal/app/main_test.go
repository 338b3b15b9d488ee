package app

import (
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"dropwatch/internal/capture"
	"dropwatch/internal/host"
	"dropwatch/internal/source/netdm"
)

// noDelay, in GORACE, lets a program that was built with -race end at once, instead of a second later.
const noDelay = "atexit_sleep_ms=0"

// TestMain makes this binary the program too, under its two names, with a fake
// drop monitor that the variable FAKE describes (newFakeMonitor).
func TestMain(m *testing.M) {
	program := func() {
		r := &capture.Runner{
			In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Version: Version, Host: host.New("/"),
			Notices: capture.NewNotices(os.Stderr), Signals: new(capture.Signals),
			OpenBPF: openFakeBPF, OpenTrace: openFakeTrace, OpenRetrans: openFakeRetrans, OpenRetransTrace: openFakeRetrans,
			OpenProbe: openFakeProbe, OpenFlows: openFakeFlows, Helper: helper(os.Args),
		}
		r.Monitor = &capture.Monitor{Open: func() (*netdm.Session, error) {
			f := newFakeMonitor(os.Getenv("FAKE"), os.Getenv("FAKE_LOG"))
			return netdm.New(f, f.Listen), nil
		}}
		os.Exit(run(r.Signals.Listen(), os.Args, r))
	}
	testscript.Main(hangingUp{m}, map[string]func(){"dropwatch": program, "dwdump": program})
}

// hangingUp runs tests, of which the programs that they start end at once, and do not ignore SIGHUP, also after
// nohup(1).
type hangingUp struct{ *testing.M }

func (m hangingUp) Run() int {
	os.Setenv("GORACE", noDelay)
	if signal.Ignored(syscall.SIGHUP) {
		signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	}
	return m.M.Run()
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
