package acceptance

import (
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/creack/pty"

	"dropwatch/internal/vmtest/guest"
)

// A terminal has 24 lines of 80 columns, and dropwatch in it.
type terminal struct {
	t   *testing.T
	cmd *exec.Cmd
	tty *os.File

	mu   sync.Mutex
	text strings.Builder // that the program has written
	read int             // bytes that expect has passed
}

func openTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	s := &terminal{t: t, cmd: exec.Command(dropwatchPath, args...)}
	s.cmd.Env = append(os.Environ(), "TERM=xterm")
	var err error
	if s.tty, err = pty.StartWithSize(s.cmd, &pty.Winsize{Rows: 24, Cols: 80}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill() // ends it on a failed test; no harm when it has ended
		s.tty.Close()
		if t.Failed() {
			t.Logf("after %q the terminal got %q", s.text.String()[:s.read], s.text.String()[s.read:])
		}
	})
	go io.Copy(s, s.tty) // ends with the terminal
	return s
}

func (s *terminal) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// written returns all that the program has written.
func (s *terminal) written() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// find passes what, if it is there after all that was passed before.
func (s *terminal) find(what string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := strings.Index(s.text.String()[s.read:], what)
	if i >= 0 {
		s.read += i + len(what)
	}
	return i >= 0
}

// expect waits until what is shown.
func (s *terminal) expect(what string) {
	s.t.Helper()
	guest.Eventually(s.t, "the screen shows "+what, func() bool { return s.find(what) })
}

// press types keys.
func (s *terminal) press(keys string) {
	s.t.Helper()
	if _, err := io.WriteString(s.tty, keys); err != nil {
		s.t.Fatal(err)
	}
}

// enter types a line.
func (s *terminal) enter(line string) {
	s.t.Helper()
	s.press(line + "\r")
	s.expect(line + "\r\n") // the line as a whole, after it was typed letter by letter
}

// wait waits for the program's end.
func (s *terminal) wait() {
	s.t.Helper()
	if err := s.cmd.Wait(); err != nil {
		s.t.Error(err)
	}
}

// TestGuestTerminal is the classic session: start, Ctrl-C, stats, exit.
func TestGuestTerminal(t *testing.T) {
	guest.ResetMonitor(t)
	s := openTerminal(t, "-l", "kas")
	s.expect("dropwatch> ")
	for range 2 { // the second start must not be stopped by the first Ctrl-C
		s.enter("start")
		s.expect("Issue Ctrl-C to stop monitoring")
		guest.Flood(t, 3)
		s.expect("drops at ")
		s.press("\x03")
		s.expect("Got a stop message")
		s.expect("dropwatch> ")
		if guest.Monitoring() {
			t.Error("monitoring is on at the prompt")
		}
	}
	s.enter("nonsense")
	s.expect(`unknown command "nonsense"`)
	s.enter("stats")
	s.expect("Tail dropped: ")
	s.enter("exit")
	s.expect("Shutting down ...")
	s.wait()
}
