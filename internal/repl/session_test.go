package repl

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

func TestScriptEndsAtItsFirstFailure(t *testing.T) {
	b := newBench("set sw true", "bogus", "show")
	b.run(t, ErrFailed)
	want := "dropwatch> set sw true\nsetting software drops monitoring to 1\ndropwatch> bogus\nShutting down ...\n"
	if got := b.out.String(); got != want {
		t.Errorf("stdout %q, want %q", got, want)
	}
	if !slices.Equal(b.lines.lines, []string{"show"}) {
		t.Errorf("lines left: %q", b.lines.lines)
	}
}

func TestPersonGoesOnAfterAFailure(t *testing.T) {
	b := newBench("bogus", "set trunc x", "", interrupt, "show", "exit", "never read")
	b.Interactive = true
	b.run(t, nil)
	if n := strings.Count(b.err.String(), "\n"); n != 2 {
		t.Errorf("stderr %q, want two lines", &b.err)
	}
	if !strings.Contains(b.out.String(), "Getting existing configuration\n") {
		t.Errorf("show was not run:\n%s", &b.out)
	}
	if !strings.HasSuffix(b.out.String(), "dropwatch> exit\nShutting down ...\n") {
		t.Errorf("exit did not end it:\n%s", &b.out)
	}
}

func TestEndOfInput(t *testing.T) {
	b := newBench()
	b.run(t, nil)
	if got := b.out.String(); got != "dropwatch> Terminating dropwatch...\nShutting down ...\n" {
		t.Errorf("stdout %q", got)
	}
}

func TestInputThatCannotBeRead(t *testing.T) {
	b := newBench("show")
	b.lines.end = io.ErrUnexpectedEOF
	b.run(t, io.ErrUnexpectedEOF)
	if got := b.out.String(); !strings.HasSuffix(got, "dropwatch> Shutting down ...\n") {
		t.Errorf("stdout %q", got)
	}
}

// A closingWriter takes so many bytes, as a pipe whose reader then goes.
type closingWriter struct{ room int }

var errClosed = errors.New("reader closed the pipe")

func (w *closingWriter) Write(b []byte) (int, error) {
	if w.room -= len(b); w.room < 0 {
		return 0, errClosed
	}
	return len(b), nil
}

// TestClosedOutput: wherever the output ends, so does the session, with an
// error; no further command is read; and what was started is not left running.
func TestClosedOutput(t *testing.T) {
	lines := []string{"show", "start", "set trunc 5", "exit"}
	whole := newBench(lines...)
	whole.run(t, nil)
	for room := range whole.out.Len() {
		b := newBench(lines...)
		b.Interactive = true // a person's session ends as well
		b.Out = &closingWriter{room}
		b.lines.out = b.Out
		b.host.out = io.Discard
		b.host.during = func(ctx context.Context, _ Settings) {
			if b.Out.(*closingWriter).room < 0 && ctx.Err() == nil {
				t.Errorf("room for %d bytes: a run goes on that nobody can read", room)
			}
		}
		b.run(t, errClosed)
		written := whole.out.String()[:room+1]
		if read := len(lines) - len(b.lines.lines); read > strings.Count(written, Prompt)+1 {
			t.Errorf("room for %d bytes: %d lines were read", room, read)
		}
	}
}

var errSignal = errors.New("ended by a signal")

// TestEndOfContext: at the prompt, before the session, within a command and
// after it, the session ends with the cause, and says so as C does.
func TestEndOfContext(t *testing.T) {
	tests := map[string]struct {
		prepare func(*bench, func())
		lines   []string
		changes []string
	}{
		"before the session": {
			prepare: func(_ *bench, end func()) { end() },
			lines:   []string{"stop"},
		},
		"in a capture": {
			prepare: func(b *bench, end func()) { b.host.during = func(context.Context, Settings) { end() } },
			lines:   []string{"start", "stop"},
			changes: []string{"start"},
		},
		"in a capture that fails of it": {
			prepare: func(b *bench, end func()) {
				b.host.during = func(context.Context, Settings) { end() }
				b.host.captures = []capture{{err: errRefused}}
			},
			lines:   []string{"start", "stop"},
			changes: []string{"start"},
		},
		"at the takeover question": {
			prepare: func(b *bench, end func()) {
				b.host.confirm = func(context.Context) bool { end(); return false }
			},
			lines: []string{"start", "stop"},
		},
	}
	for name, tt := range tests {
		for _, interactive := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				b := newBench(tt.lines...)
				b.Interactive = interactive
				ctx, cancel := context.WithCancelCause(t.Context())
				tt.prepare(b, func() { cancel(errSignal) })
				if err := b.Run(ctx); !errors.Is(err, errSignal) {
					t.Errorf("Run: %v", err)
				}
				if !slices.Equal(b.host.changes, tt.changes) {
					t.Errorf("asked of the host: %q, want %q", b.host.changes, tt.changes)
				}
				if !strings.HasSuffix(b.out.String(), "Shutting down ...\n") || b.err.Len() > 0 {
					t.Errorf("stdout %q, stderr %q", &b.out, &b.err)
				}
			})
		}
	}
}

func TestTakeover(t *testing.T) {
	const holder = "in use by dwdump (pid 7)"
	tests := map[string]struct {
		interactive, setting, answer bool
		failure                      error
		want, asked                  bool
	}{
		"script":                     {},
		"script with the setting":    {setting: true, want: true},
		"person says no":             {interactive: true, asked: true},
		"person says yes":            {interactive: true, answer: true, asked: true, want: true},
		"person with the setting":    {interactive: true, setting: true, want: true},
		"question cannot be asked":   {interactive: true, answer: true, failure: io.EOF, asked: true},
		"setting asks no one at all": {interactive: true, setting: true, failure: io.EOF, want: true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			b := newBench()
			b.Interactive, b.Settings.Takeover = tt.interactive, tt.setting
			b.lines.answer, b.lines.failure = tt.answer, tt.failure
			if got := b.ConfirmTakeover(t.Context(), holder); got != tt.want {
				t.Errorf("ConfirmTakeover: %v, want %v", got, tt.want)
			}
			var want []string
			if tt.asked {
				want = []string{"Stop it and take over?"}
			}
			if !slices.Equal(b.lines.asked, want) {
				t.Errorf("asked %q, want %q", b.lines.asked, want)
			}
		})
	}
}

// TestRefusedTakeover: a start whose question was answered with no fails, and
// shows that nothing was started.
func TestRefusedTakeover(t *testing.T) {
	b := newBench("start", "exit")
	b.Interactive = true
	b.host.confirm = func(ctx context.Context) bool { return b.ConfirmTakeover(ctx, "in use") }
	b.run(t, nil)
	if got := b.answers(); got != "Enabling monitoring...\nMonitoring is on, in use.\n" {
		t.Errorf("stdout %q", got)
	}
	if b.err.Len() == 0 || b.last != (Report{}) || b.ran {
		t.Errorf("stderr %q, ran %v", &b.err, b.ran)
	}
}
