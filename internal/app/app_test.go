package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/repl"
	"dropwatch/internal/source/netdm"
	"dropwatch/netlink"
)

// said gives an App whose standard error is a file, and a way to read it.
func said(t *testing.T) (*App, func() string) {
	t.Helper()
	f, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return &App{err: f}, func() string {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Error(err)
		}
		return string(b)
	}
}

func TestReport(t *testing.T) {
	tests := map[string]struct {
		err  error
		code int
		text string
	}{
		"done":         {nil, 0, ""},
		"help printed": {errDone, 0, ""},
		"script":       {repl.ErrFailed, 1, ""},
		"failure":      {errors.New("x"), 1, "dropwatch: x\n"},
		"usage":        {&usageError{errors.New("x")}, 2, "dropwatch: x\nTry 'dropwatch --help'.\n"},
		"signal":       {&signalError{syscall.SIGTERM}, 143, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			a, text := said(t)
			if code := a.report(tt.err); code != tt.code || text() != tt.text {
				t.Errorf("exit code %d, want %d; stderr %q, want %q", code, tt.code, text(), tt.text)
			}
		})
	}
}

// TestAdvise: each of these says what to do, and is still the error it was.
func TestAdvise(t *testing.T) {
	if advise(nil) != nil {
		t.Error("advice without an error")
	}
	for err, want := range map[error]string{
		netlink.ErrNoFamily:            "modprobe drop_monitor",
		netlink.ErrConfigurePermission: "CAP_NET_ADMIN",
		netlink.ErrJoinPermission:      "CAP_SYS_ADMIN besides",
		netlink.ErrUnsupported:         "5.4",
		netdm.ErrSwitchedOff:           "status",
		syscall.ENOSPC:                 "free space",
		syscall.EPIPE:                  "the reader has gone",
	} {
		wrapped := fmt.Errorf("try: %w", err)
		got := advise(wrapped)
		if !errors.Is(got, err) || !strings.HasPrefix(got.Error(), wrapped.Error()+": ") || !strings.Contains(got.Error(), want) {
			t.Errorf("advise(%v) = %v, want %q in it", wrapped, got, want)
		}
	}
	inUse := advise(&netdm.InUseError{Holder: "in use by x", Err: netlink.ErrMonitoring})
	if want := "monitoring is on, in use by x: end it there"; !strings.HasPrefix(inUse.Error(), want) {
		t.Errorf("advise: %v, want %q", inUse, want)
	}
	if err := advise(fs.ErrInvalid); err != fs.ErrInvalid {
		t.Errorf("advise: %v", err)
	}
}

// TestInterrupts: SIGINT ends the capture, then the session; without a capture
// a person's session goes on and a script's ends.
func TestInterrupts(t *testing.T) {
	var s signals
	session, end := context.WithCancelCause(t.Context())
	s.setPatient(true)
	s.handle(syscall.SIGINT, end)
	s.handle(syscall.SIGPIPE, end)
	if session.Err() != nil {
		t.Fatal("the prompt was left")
	}
	for range 2 { // each capture anew
		capture, stop := s.interruptible(session)
		s.handle(syscall.SIGINT, end)
		if capture.Err() == nil || session.Err() != nil {
			t.Fatalf("after SIGINT: capture %v, session %v", capture.Err(), session.Err())
		}
		stop()
	}
	_, stop := s.interruptible(session)
	defer stop()
	s.handle(syscall.SIGINT, end)
	s.handle(syscall.SIGINT, end)
	if session.Err() != nil {
		t.Error("impatience ended the session")
	}
	s.ended = s.ended.Add(-stuckAfter)
	s.handle(syscall.SIGINT, end)
	var sig *signalError
	if !errors.As(context.Cause(session), &sig) || sig.number != syscall.SIGINT {
		t.Errorf("after a second SIGINT the session's end is %v", context.Cause(session))
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
