package vmtest_test

import (
	"io"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"

	"dropwatch/internal/vmtest/guest"
)

// A screen is what a program has written to its terminal so far.
type screen struct {
	mu   sync.Mutex
	text strings.Builder
	read int // bytes that expect has passed
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// find passes what, if it is there after all that was passed before.
func (s *screen) find(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := strings.Index(s.text.String()[s.read:], what)
	if i >= 0 {
		s.read += i + len(what)
	}
	return i >= 0
}

// TestGuestTerminal is the classic session: start, Ctrl-C, stats, exit.
func TestGuestTerminal(t *testing.T) {
	guest.ResetMonitor(t)
	cmd := exec.Command(ours, "-l", "kas")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	var seen screen
	go io.Copy(&seen, tty) // ends with the terminal
	expect := func(what string) {
		t.Helper()
		guest.Eventually(t, "the screen shows "+what, func() bool { return seen.find(what) })
	}
	enter := func(line string) {
		t.Helper()
		io.WriteString(tty, line+"\r")
		expect(line + "\r\n") // the line as a whole, after it was typed letter by letter
	}
	expect("dropwatch> ")
	for range 2 { // the second start must not be stopped by the first Ctrl-C
		enter("start")
		expect("Issue Ctrl-C to stop monitoring")
		guest.Flood(t, 3)
		expect("drops at ")
		io.WriteString(tty, "\x03")
		expect("Got a stop message")
		expect("dropwatch> ")
		if guest.Monitoring() {
			t.Error("monitoring is on at the prompt")
		}
	}
	enter("nonsense")
	expect(`unknown command "nonsense"`)
	enter("stats")
	expect("Tail dropped: ")
	enter("exit")
	expect("Shutting down ...")
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}
