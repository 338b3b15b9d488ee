package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"dropwatch/internal/app"
	"dropwatch/internal/perf"
	"dropwatch/internal/source/probe"
	"dropwatch/internal/source/trace"
	"dropwatch/netlink"
)

// noDelay, in GORACE, lets a program that was built with -race end at once, instead of a second later.
const noDelay = "atexit_sleep_ms=0"

// TestMain makes this binary the program too, under its two names. What tests start ends at once.
func TestMain(m *testing.M) {
	os.Setenv("GORACE", noDelay)
	program := func() { os.Exit(app.Main(os.Args, os.Stdin, os.Stdout, os.Stderr)) }
	testscript.Main(m, map[string]func(){"dropwatch": program, "dwdump": program})
}

// TestScripts runs testdata/script, which needs no drop monitor and no
// privilege. UPDATE_SCRIPTS=1 in the environment renews what they compare with.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("GORACE", noDelay)
			sessions, err := filepath.Abs("../../testdata/session-files")
			env.Setenv("SESSIONS", sessions)
			env.Setenv("CAPTURES", filepath.Join(filepath.Dir(sessions), "captures"))
			return err
		},
		UpdateScripts: os.Getenv("UPDATE_SCRIPTS") != "",
		Condition:     condition,
	})
}

// condition reports whether this machine has what a script needs: [net_dm] a drop
// monitor, [trace] the event that stands for it, and the right to trace, [kprobes] events of functions,
// [root] the user root.
func condition(name string) (bool, error) {
	switch name {
	case "root":
		return os.Geteuid() == 0, nil
	case "net_dm":
		c, err := netlink.Dial()
		if err == nil {
			c.Close()
		}
		return !errors.Is(err, netlink.ErrNoFamily), nil
	case "trace":
		s, err := trace.Open(trace.Options{})
		if err == nil {
			s.Close()
		}
		return err == nil, nil
	case "kprobes":
		_, err := probe.Open(probe.Options{}) // no point is possible, at best
		return !errors.Is(err, perf.ErrNoProbes), nil
	}
	return false, errors.New("unknown condition " + name)
}

// TestReaderHasGone: a reader that closes the pipe, as head does, wants no more,
// and that is no failure.
func TestReaderHasGone(t *testing.T) {
	for _, line := range []string{
		"dropwatch --help", "dropwatch help", "dropwatch help --man", "dropwatch -V", "dropwatch version",
		"dropwatch -l list", "dropwatch dump --help", "dropwatch completion bash", "dwdump -h",
		"dropwatch watch --help", "dropwatch help filter", "dropwatch help json", "dropwatch help record",
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		words := strings.Fields(line)
		cmd := exec.Command(words[0], words[1:]...)
		var stderr strings.Builder
		cmd.Stdout, cmd.Stderr = w, &stderr
		_ = cmd.Run() // the exit code says how it ended
		w.Close()
		if code := cmd.ProcessState.ExitCode(); code != 0 || stderr.String() != "" {
			t.Errorf("%s: exit code %d, stderr %q", line, code, &stderr)
		}
	}
}
