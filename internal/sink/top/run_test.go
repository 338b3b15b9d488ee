package top_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/top"
)

// wait is how long anything may take.
const wait = 10 * time.Second

// A desk is a terminal with somebody before it.
type desk struct {
	t         *testing.T
	keys, tty *os.File

	mu   sync.Mutex
	seen bytes.Buffer
}

func newDesk(t *testing.T) *desk {
	t.Setenv("TERM", "xterm")
	keys, tty, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tty.Close(); keys.Close() })
	if err := pty.Setsize(keys, &pty.Winsize{Rows: 12, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, keys: keys, tty: tty}
	go d.look()
	return d
}

func (d *desk) look() {
	b := make([]byte, 4096)
	for {
		n, err := d.keys.Read(b)
		if err != nil {
			return
		}
		d.mu.Lock()
		d.seen.Write(b[:n])
		d.mu.Unlock()
	}
}

// sees waits until text was shown, and gives all that was.
func (d *desk) sees(text string) string {
	d.t.Helper()
	for end := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) {
		d.mu.Lock()
		all := d.seen.String()
		d.mu.Unlock()
		if strings.Contains(all, text) {
			return all
		}
		if time.Now().After(end) {
			d.t.Fatalf("no %q in %q", text, all)
		}
	}
}

// forget makes sees wait for what is shown from now on.
func (d *desk) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen.Reset()
}

func (d *desk) types(keys string) {
	d.t.Helper()
	if _, err := d.keys.WriteString(keys); err != nil {
		d.t.Fatal(err)
	}
}

// isRestored wants the terminal to be as it was: its usual screen, with a cursor,
// and what is typed is echoed as a line.
func (d *desk) isRestored() {
	d.t.Helper()
	all := d.sees("\x1b[?1049l")
	if strings.LastIndex(all, "\x1b[?25h") < strings.LastIndex(all, "\x1b[?25l") {
		d.t.Errorf("no cursor: %q", all)
	}
	d.types("typed\r")
	d.sees("typed\r\n")
}

func view() *top.Sink {
	return top.New(top.Options{Source: "bpf", Host: "web1", Format: func(*event.Event) string { return "" }})
}

var errSource = errors.New("no more drops")

func TestRun(t *testing.T) {
	untilDone := func(ctx context.Context) error {
		<-ctx.Done()
		return nil
	}
	tests := map[string]struct {
		feed func(context.Context) error
		act  func(*desk, context.CancelFunc)
		want error
	}{
		"q":        {untilDone, func(d *desk, _ context.CancelFunc) { d.types("q") }, nil},
		"ctrl-c":   {untilDone, func(d *desk, _ context.CancelFunc) { d.types("\x03") }, nil},
		"a signal": {untilDone, func(_ *desk, cancel context.CancelFunc) { cancel() }, nil},
		"the feed's error is given": {
			func(ctx context.Context) error {
				<-ctx.Done()
				return errSource
			},
			func(d *desk, _ context.CancelFunc) { d.types("q") }, errSource,
		},
		"the end of the feed": {
			func(context.Context) error {
				time.Sleep(300 * time.Millisecond)
				return errSource
			},
			func(*desk, context.CancelFunc) {}, errSource,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			d, s := newDesk(t), view()
			ctx, cancel := context.WithTimeout(t.Context(), wait)
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- s.Run(ctx, d.tty, d.tty, tt.feed) }()
			d.sees("dropwatch missed none")
			tt.act(d, cancel)
			if err := <-ended; !errors.Is(err, tt.want) || tt.want == nil && err != nil {
				t.Errorf("error %v, want %v", err, tt.want)
			}
			d.isRestored()
		})
	}
}

// TestRunShows: what is written is on the screen a second later, and a new size is
// taken.
func TestRunShows(t *testing.T) {
	d, s := newDesk(t), view()
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(t.Context(), d.tty, d.tty, func(ctx context.Context) error {
			e := event.Event{Count: 7, Reason: "NO_SOCKET", Where: event.Where{HasPC: true, Kernel: "a_place"}}
			err := s.Write(&e)
			<-ctx.Done()
			return err
		})
	}()
	d.sees("a_place")
	d.types("/\x1b[200~reason X\x1b[201~")
	d.sees("show only: ")
	d.sees("reason X")
	d.forget()
	d.types("\x1b")
	d.sees("\x1b[?25l") // an escape by itself is one that nothing follows
	d.types("?")
	d.sees("select a row")
	d.forget()
	d.types("\x0c")
	d.sees("select a row")
	d.sees("select a row")
	if err := pty.Setsize(d.keys, &pty.Winsize{Rows: 52, Cols: 100}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(os.Getpid(), syscall.SIGWINCH); err != nil { // the terminal is not that of the test
		t.Fatal(err)
	}
	d.sees("those of that moment")
	d.types("q")
	d.types("q")
	if err := <-ended; err != nil {
		t.Error(err)
	}
	d.isRestored()
}

// TestFeedPanics: the terminal is usable, and then the panic goes on.
func TestFeedPanics(t *testing.T) {
	d, s := newDesk(t), view()
	seen, ended := make(chan struct{}), make(chan any, 1)
	go func() {
		defer func() { ended <- recover() }()
		_ = s.Run(t.Context(), d.tty, d.tty, func(context.Context) error {
			<-seen
			panic("a bug")
		})
	}()
	d.sees("dropwatch missed none")
	close(seen)
	value := <-ended
	text, _ := value.(string)
	if !strings.HasPrefix(text, "a bug\n\ngoroutine ") || !strings.Contains(text, "TestFeedPanics") {
		t.Errorf("panic %v", value)
	}
	d.isRestored()
}

// TestTerminalGoes: the run ends with the terminal, though no signal says so.
func TestTerminalGoes(t *testing.T) {
	d, s := newDesk(t), view()
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(t.Context(), d.tty, d.tty, func(ctx context.Context) error {
			<-ctx.Done()
			return nil
		})
	}()
	d.sees("dropwatch missed none")
	d.keys.Close()
	select {
	case <-ended:
	case <-time.After(wait):
		t.Error("it goes on")
	}
}
