package term

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	xterm "golang.org/x/term"
)

const prompt = "dropwatch> "

// session is a Reader on a pty and the person before it.
type session struct {
	*screen
	Reader
	tty *os.File
}

// answer is what one ReadLine or Confirm returned.
type answer struct {
	line string
	yes  bool
	err  error
}

// open starts a session; edit may change the Config.
func open(t *testing.T, edit func(*Config)) *session {
	t.Helper()
	s, tty := newPTY(t)
	cfg := Config{Stdin: tty, Stdout: tty, Prompt: prompt, Complete: complete}
	if edit != nil {
		edit(&cfg)
	}
	r, err := Open(cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	if _, ok := r.(*terminal); !ok {
		t.Fatalf("Open on a pty gave a %T", r)
	}
	t.Cleanup(func() { r.Close() })
	return &session{screen: s, Reader: r, tty: tty}
}

// complete knows four commands and one argument.
func complete(line string) []string {
	if strings.HasPrefix(line, "set ") {
		return []string{"alertmode"}
	}
	return []string{"start", "stop", "set", "exit"}
}

// start begins a ReadLine.
func (s *session) start(ctx context.Context) <-chan answer {
	c := make(chan answer, 1)
	go func() {
		line, err := s.ReadLine(ctx)
		c <- answer{line: line, err: err}
	}()
	return c
}

// ask begins a ReadLine and waits for its prompt.
func (s *session) ask(ctx context.Context) <-chan answer {
	s.t.Helper()
	c := s.start(ctx)
	s.until(prompt)
	return c
}

// confirm begins a Confirm and waits for its question.
func (s *session) confirm(ctx context.Context) <-chan answer {
	s.t.Helper()
	c := make(chan answer, 1)
	go func() {
		yes, err := s.Confirm(ctx, "Sure?")
		c <- answer{yes: yes, err: err}
	}()
	s.until("Sure? [y/N] ")
	return c
}

// receive waits for an answer.
func receive(t *testing.T, c <-chan answer) answer {
	t.Helper()
	select {
	case a := <-c:
		return a
	case <-time.After(maxWait):
		t.Fatalf("no answer; goroutines:\n%s", stacks())
		return answer{}
	}
}

func stacks() string {
	b := make([]byte, 1<<16)
	return string(b[:runtime.Stack(b, true)])
}

// line types keys at a fresh prompt and wants the line they make.
func (s *session) line(keys, want string) {
	s.t.Helper()
	s.wants(s.ask(s.t.Context()), keys, want, nil)
}

// fails types keys at a fresh prompt and wants an error.
func (s *session) fails(keys string, want error) {
	s.t.Helper()
	s.wants(s.ask(s.t.Context()), keys, "", want)
}

// wants types keys, checks the answer and waits until the line is finished on
// the screen too.
func (s *session) wants(c <-chan answer, keys, want string, wantErr error) {
	s.t.Helper()
	s.send(keys)
	if got := receive(s.t, c); !errors.Is(got.err, wantErr) || got.line != want {
		s.t.Fatalf("ReadLine after %q = %q, %v, want %q, %v", keys, got.line, got.err, want, wantErr)
	}
	s.until("\n")
}

// mode is the terminal's state, to be compared.
func (s *session) mode() *xterm.State {
	s.t.Helper()
	state, err := xterm.GetState(int(s.tty.Fd()))
	if err != nil {
		s.t.Fatalf("get terminal mode: %v", err)
	}
	return state
}

func TestTerminalEditsLines(t *testing.T) {
	s := open(t, nil)
	tests := []struct{ name, keys, want string }{
		{"plain", "start\r", "start"},
		{"newline", "start\n", "start"},
		{"empty", "\r", ""},
		{"blanks are kept", "  set  \r", "  set  "},
		{"backspace", "stopp\x7f\r", "stop"},
		{"cursor left", "strt\x1b[D\x1b[Da\r", "start"},
		{"home and end", "tar\x01s\x05t\r", "start"},
		{"kill", "junk\x15stop\r", "stop"},
		{"delete key in the line", "xstop\x01\x1b[3~\r", "stop"},
		{"ctrl-d in the line", "xstop\x01\x04\r", "stop"},
		{"utf-8", "grüße 世界\r", "grüße 世界"},
		{"history", "\x10\r", "grüße 世界"},
		{"history search", "\x12tar\r", "start"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { s.t = t; s.line(tt.keys, tt.want) })
	}
}

func TestTerminalSurvivesHarmfulKeys(t *testing.T) {
	tests := []struct{ name, keys string }{
		{"ctrl-z", "\x1a"},
		{"escape ctrl-z", "\x1b\x1a"},
		{"ctrl-space", "\x00"},
		{"ctrl-t in a line of one letter", "a\x14\x15"},
		{"escape ctrl-t", "\x1b\x14"},
		{"search without history", "\x12\x03"},
		{"list, list, ctrl-k", "\t\t\x0b"},
		{"list, list, home", "\t\t\x01"},
		{"unknown escape", "\x1b[200~"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, nil)
			s.resize(12, 24)
			s.line(tt.keys+"stop\r", "stop")
			s.line(tt.keys+"start\r", "start")
		})
	}
}

func TestTerminalOfAnyWidth(t *testing.T) {
	for _, columns := range []uint16{0, 1, 2, 10, 11, 12, 13, 79, 65535} {
		t.Run(fmt.Sprint(columns), func(t *testing.T) {
			s := open(t, nil)
			s.resize(columns, 0)
			const keys = "strt\x1b[D\x1b[D\x1b[D\x1b[C\x1b[Ca\x1b[D\x12\x03\x15stop\x1b[D\r"
			s.line(keys, "stop")
		})
	}
}

func TestTerminalFollowsResize(t *testing.T) {
	s := open(t, nil)
	s.line("set\r", "set")
	c := s.ask(t.Context())
	s.resize(20, 24)
	s.wants(c, strings.Repeat("x", 12)+"\x01\r", strings.Repeat("x", 12), nil)
	if want := "\x1b[A\r\x1b[20C"; !strings.Contains(s.raw(), want) {
		t.Errorf("cursor does not wrap at column 20: no %q in %q", want, s.raw())
	}
}

func TestTerminalColumns(t *testing.T) {
	s := open(t, nil)
	s.line("\r", "")
	term := s.Reader.(*terminal)
	for columns, want := range map[uint16]int{0: 80, 1: 80, 11: 80, 12: 12, 200: 200} {
		s.resize(columns, 24)
		if got := term.columns(); got != want {
			t.Errorf("columns() = %d in a terminal of %d, want %d", got, columns, want)
		}
	}
	s.resize(0, 0)
	term.prompt = strings.Repeat("?", 100)
	if got := term.columns(); got <= 100 {
		t.Errorf("columns() = %d with a prompt of 100", got)
	}
}

func TestTerminalInterruptAndEOF(t *testing.T) {
	s := open(t, nil)
	cooked := s.mode()
	s.fails("half a li\x03", ErrInterrupt)
	s.until("dropwatch> half a li^C\n")
	s.fails("\x03", ErrInterrupt)
	s.fails("\x04", io.EOF)
	s.until(prompt + "\n")
	s.line("stop\r", "stop") // neither is the end of the session
	if !reflect.DeepEqual(s.mode(), cooked) {
		t.Error("terminal mode differs after the session")
	}
}

func TestTerminalIsCookedBetweenLines(t *testing.T) {
	s := open(t, nil)
	cooked := s.mode()
	for range 3 {
		c := s.ask(t.Context())
		if reflect.DeepEqual(s.mode(), cooked) {
			t.Error("terminal is not raw at the prompt")
		}
		s.wants(c, "start\r", "start", nil)
		if !reflect.DeepEqual(s.mode(), cooked) {
			t.Error("terminal is not cooked after ReadLine")
		}
	}
}

func TestTerminalContext(t *testing.T) {
	why := errors.New("time is up")
	for _, typed := range []string{"", "half", "\x12sta", "x\x1b[D"} {
		t.Run(fmt.Sprintf("%q", typed), func(t *testing.T) {
			s := open(t, nil)
			cooked := s.mode()
			ctx, cancel := context.WithCancelCause(t.Context())
			c := s.ask(ctx)
			s.send(typed)
			cancel(why)
			got := receive(t, c)
			if got.err != why || got.line != "" {
				t.Errorf("ReadLine = %q, %v, want %v", got.line, got.err, why)
			}
			if !reflect.DeepEqual(s.mode(), cooked) {
				t.Error("terminal mode differs")
			}
			if _, err := s.ReadLine(t.Context()); err != io.EOF {
				t.Errorf("next ReadLine: %v, want EOF", err)
			}
		})
	}
}

func TestTerminalContextEndedBefore(t *testing.T) {
	s := open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.ReadLine(ctx); err != context.Canceled {
		t.Errorf("ReadLine: %v, want %v", err, context.Canceled)
	}
	if got := s.raw(); got != "" {
		t.Errorf("ReadLine wrote %q", got)
	}
	s.line("stop\r", "stop")
}

func TestTerminalClose(t *testing.T) {
	s := open(t, nil)
	s.line("start\r", "start")
	for range 2 {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
	if _, err := s.ReadLine(t.Context()); err != io.EOF {
		t.Errorf("ReadLine after Close: %v, want EOF", err)
	}
	if yes, err := s.Confirm(t.Context(), "Sure?"); yes || err != nil {
		t.Errorf("Confirm after Close = %v, %v", yes, err)
	}
}

func TestTerminalCloseUnderReadLine(t *testing.T) {
	s := open(t, nil)
	cooked := s.mode()
	c := s.ask(t.Context())
	s.send("half")
	s.until("half")
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
	if !reflect.DeepEqual(s.mode(), cooked) {
		t.Error("terminal is not restored when Close returns")
	}
	if got := receive(t, c); got.err != io.EOF || got.line != "" {
		t.Errorf("ReadLine = %q, %v, want EOF", got.line, got.err)
	}
}

func TestTerminalHangup(t *testing.T) {
	s := open(t, nil)
	c := s.ask(t.Context())
	s.send("start")
	s.until("start")
	s.master.Close()
	if got := receive(t, c); got.err != io.EOF || got.line != "" {
		t.Errorf("ReadLine = %q, %v, want EOF: half a line is no command", got.line, got.err)
	}
	if _, err := s.ReadLine(t.Context()); err != io.EOF {
		t.Errorf("next ReadLine: %v, want EOF", err)
	}
}

func TestTerminalLeavesNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	for range 10 {
		s := open(t, nil)
		s.line("start\r", "start")
		s.Close()
		s.master.Close() // ends the screen's own
	}
	limit := time.Now().Add(maxWait)
	for runtime.NumGoroutine() > before {
		if time.Now().After(limit) {
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks())
		}
		runtime.Gosched()
	}
}

func TestTerminalPasteIsOneCommandPerLine(t *testing.T) {
	want := []string{"set alertmode packet", "start", "stop", "", "exit"}
	s := open(t, nil)
	c := s.ask(t.Context())
	s.send(strings.Join(want, "\r") + "\rls")
	got := []string{receive(t, c).line}
	for range want[1:] {
		line, err := s.ReadLine(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	s.wants(s.start(t.Context()), "\r", "ls", nil)
}

func TestTerminalTakesNoMoreThanItsLine(t *testing.T) {
	s := open(t, nil)
	c := s.ask(t.Context())
	s.wants(c, "exit\rls", "exit", nil)
	s.Close()
	s.send("\r")
	b := make([]byte, 16)
	n, err := s.tty.Read(b)
	if got := string(b[:n]); got != "ls" && got != "ls\n" || err != nil {
		t.Errorf("the next program reads %q, %v, want ls", got, err)
	}
}

func TestTerminalKeepsTypeAhead(t *testing.T) {
	s := open(t, nil)
	s.line("start\r", "start")
	s.send("stop\rsh") // the run is on: the kernel echoes
	s.until("stop\nsh")
	fmt.Fprint(s.tty, "ow is on\n")
	if line, err := s.ReadLine(t.Context()); line != "stop" || err != nil {
		t.Fatalf("ReadLine = %q, %v, want stop", line, err)
	}
	c := s.start(t.Context())
	s.until(prompt + "sh")
	s.wants(c, "ow\r", "show", nil)
	s.until("stop\nshow is on\ndropwatch> stop\ndropwatch> show\n")
}

func TestTerminalTypeAheadOfCtrlD(t *testing.T) {
	s := open(t, nil)
	s.line("start\r", "start")
	s.send("a\x04")
	s.until("a") // the kernel does not echo its end-of-file key
	s.wants(s.start(t.Context()), "b\r", "ab", nil)
}

func TestTerminalOutputIsNeverGlued(t *testing.T) {
	s := open(t, nil)
	var want strings.Builder
	for i := range 60 {
		s.line("st\tart\r", "start") // the Tab leaves the library a list to redraw
		fmt.Fprintf(s.tty, "drop %d\n", i)
		fmt.Fprintf(&want, "dropwatch> st\nstart  stop\ndropwatch> start\ndrop %d\n", i)
	}
	s.until("drop 59\n")
	if diff := cmp.Diff(want.String(), s.text()); diff != "" {
		t.Errorf("screen (-want +got):\n%s", diff)
	}
}

func TestTerminalCompletes(t *testing.T) {
	tests := []struct{ name, keys, screen, line string }{
		{"all on empty line", "\t", "dropwatch> \nstart  stop   set    exit\ndropwatch> ", ""},
		{"common start", "st\t", "dropwatch> st\nstart  stop\ndropwatch> st", "st"},
		{"unique", "sto\t", "dropwatch> stop ", "stop "},
		{"second word", "set a\t", "dropwatch> set alertmode ", "set alertmode "},
		{"nothing", "x\t", "dropwatch> x", "x"},
		{"inside the line", "se x\x1b[D\x1b[D\t", "dropwatch> set  x", "set  x"},
		{"again and again", "s\t\t", "dropwatch> s\nstart  stop   set\ndropwatch> s\nstart  stop   set\ndropwatch> s", "s"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t, nil)
			c := s.ask(t.Context())
			s.send(tt.keys)
			s.until(tt.screen)
			s.wants(c, "\r", tt.line, nil)
		})
	}
}

func TestTerminalWithoutCompletion(t *testing.T) {
	s := open(t, func(cfg *Config) { cfg.Complete = nil })
	s.line("s\tet\r", "set")
}

func TestTerminalConfirm(t *testing.T) {
	tests := []struct {
		keys string
		want bool
	}{
		{"y\r", true}, {"YES\r", true}, {" yes \r", true},
		{"\r", false}, {"n\r", false}, {"yeah\r", false},
		{"y\x03", false}, {"\x04", false},
		{"\ty\r", true}, // no completion here
	}
	s := open(t, nil)
	s.line("start\r", "start")
	for _, tt := range tests {
		c := s.confirm(t.Context())
		s.send(tt.keys)
		if got := receive(t, c); got.yes != tt.want || got.err != nil {
			t.Errorf("Confirm after %q = %v, %v, want %v", tt.keys, got.yes, got.err, tt.want)
		}
		s.until("\n")
	}
	if strings.Contains(s.text(), "stop") {
		t.Errorf("commands are offered as answers:\n%s", s.text())
	}
	s.line("\x10\x0e\r", "") // the answer is not left as a draft
	s.line("\x10\r", "start")
}

func TestTerminalConfirmContext(t *testing.T) {
	s := open(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	c := s.confirm(ctx)
	cancel()
	if got := receive(t, c); got.yes || got.err != context.Canceled {
		t.Errorf("Confirm = %v, %v, want %v", got.yes, got.err, context.Canceled)
	}
}

func TestTerminalHistoryPersists(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "dropwatch", "history")
	withHistory := func(cfg *Config) { cfg.HistoryFile = path }

	s := open(t, withHistory)
	for _, line := range []string{"start", "stop", "stop", " ", "exit"} {
		s.line(line+"\r", line)
	}
	c := s.confirm(t.Context())
	s.send("y\r")
	if got := receive(t, c); !got.yes {
		t.Error("Confirm: no")
	}
	s.Close()

	s = open(t, withHistory)
	s.line("\x10\x10\x10\r", "start")
	s.line("\x10\x10\r", "exit")
	s.Close()

	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(data), "start\nstop\nexit\nstart\nexit\n"; got != want {
		t.Errorf("history file holds %q, want %q", got, want)
	}
}

func TestTerminalGoesOnWithoutHistory(t *testing.T) {
	var warnings []error
	s := open(t, func(cfg *Config) {
		cfg.HistoryFile = filepath.Join(os.DevNull, "history")
		cfg.Warn = func(err error) { warnings = append(warnings, err) }
	})
	s.line("start\r", "start")
	s.line("\x10\r", "start")
	if len(warnings) != 1 {
		t.Errorf("warnings: %v, want one", warnings)
	}
}

func TestGate(t *testing.T) {
	var out strings.Builder
	g := &gate{w: &out}
	for _, open := range []bool{false, true, false} {
		g.set(open)
		if n, err := fmt.Fprintf(g, "%v", open); n == 0 || err != nil {
			t.Errorf("Write = %d, %v", n, err)
		}
	}
	if got := out.String(); got != "true" {
		t.Errorf("the gate passed on %q", got)
	}
}

func TestOpenOnHalfATerminalReadsAScript(t *testing.T) {
	_, tty := newPTY(t)
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, cfg := range []Config{{Stdin: tty, Stdout: file}, {Stdin: file, Stdout: tty}, {}} {
		r, err := Open(cfg)
		if _, ok := r.(*script); !ok || err != nil {
			t.Errorf("Open = %T, %v, want a script", r, err)
		}
	}
}

func TestIsTerminal(t *testing.T) {
	_, tty := newPTY(t)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	got := []bool{IsTerminal(tty), IsTerminal(r), IsTerminal(nil)}
	if want := []bool{true, false, false}; !slices.Equal(got, want) {
		t.Errorf("IsTerminal of a tty, a pipe, nil = %v, want %v", got, want)
	}
}
