package app

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/repl"
)

func TestReport(t *testing.T) {
	full := fmt.Errorf("write f: %w", syscall.ENOSPC)
	tests := map[string]struct {
		err  error
		code int
		text string
	}{
		"done":         {nil, 0, ""},
		"script":       {repl.ErrFailed, 1, ""},
		"failure":      {errors.New("x"), 1, "dropwatch: x\n"},
		"escape":       {errors.New("x\x1b[31m\ny"), 1, "dropwatch: x\\x1b[31m\ny\n"},
		"two failures": {errors.Join(errors.New("x"), nil, errors.New("y")), 1, "dropwatch: x\ndropwatch: y\n"},
		"one twice": {
			errors.Join(full, fmt.Errorf("write f: %w", syscall.ENOSPC)), 1,
			"dropwatch: write f: no space left on device: free space, or write elsewhere\n",
		},
		"closed pipe": {fmt.Errorf("write: %w", syscall.EPIPE), 0, ""},
		"usage": {
			&cli.UsageError{Command: "dropwatch watch", Err: errors.New("x")}, 2, "dropwatch: x\nTry 'dropwatch watch --help'.\n",
		},
		"signal": {&capture.SignalError{Number: syscall.SIGTERM}, 143, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			f, err := os.CreateTemp(t.TempDir(), "stderr")
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			code := report(f, tt.err)
			text, err := os.ReadFile(f.Name())
			if err != nil || code != tt.code || string(text) != tt.text {
				t.Errorf("exit code %d, want %d; stderr %q, want %q; %v", code, tt.code, text, tt.text, err)
			}
		})
	}
}

func TestHistoryFile(t *testing.T) {
	for _, tt := range []struct{ state, home, want string }{
		{"/s", "/h", "/s/dropwatch/history"},
		{"", "/h", "/h/.local/state/dropwatch/history"},
		{"", "", ""},
	} {
		t.Setenv("XDG_STATE_HOME", tt.state)
		t.Setenv("HOME", tt.home)
		if got := historyFile(); got != tt.want {
			t.Errorf("%+v: %q", tt, got)
		}
	}
}

// testProgram is the command line, whose help goes nowhere.
func testProgram(t *testing.T) *cli.Program {
	t.Helper()
	null := devNull(t)
	return (&App{runner: &capture.Runner{In: null, Out: null, Err: null}}).program(defaults{})
}

func devNull(t *testing.T) *os.File {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	return null
}

// TestHelpFits: the help of each verb fits 80 columns.
func TestHelpFits(t *testing.T) {
	p := testProgram(t)
	texts := []string{p.Help()}
	for _, v := range p.Verbs {
		texts = append(texts, p.VerbHelp(v))
	}
	for _, text := range texts {
		for line := range strings.Lines(text) {
			if len(line) > 81 {
				t.Errorf("%d columns: %s", len(line)-1, line)
			}
		}
	}
}

// TestSessionHelpFits: so does the help of a session, but for what is the C program's.
func TestSessionHelpFits(t *testing.T) {
	l := sessionLanguage(func(defaults) *cli.Program { return testProgram(t) })
	for line := range strings.Lines(l.Help()) {
		width := 0
		for _, r := range strings.TrimSuffix(line, "\n") {
			if width++; r == '\t' {
				width = (width + 7) / 8 * 8
			}
		}
		if width > 80 && !strings.Contains(line, "Only applicable") {
			t.Errorf("%d columns: %s", width, line)
		}
	}
}
