package app

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
)

// maxWait is how long a console waits for expected output: a guard against
// hanging, not a measure.
const maxWait = 30 * time.Second

// await waits until something holds, for maxWait at most.
func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(maxWait); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not after %v", what, maxWait)
		}
	}
}

// A console is a program at work, and what it says.
type console struct {
	t     *testing.T
	cmd   *exec.Cmd
	in    io.WriteCloser
	dir   string // its working and home directory
	ended chan struct{}

	mu   sync.Mutex
	text bytes.Buffer  // what it said
	seen int           // how much of that was expected
	more chan struct{} // tells of further text
}

// newConsole prepares a program in a directory of its own. Env is added to its
// environment.
func newConsole(t *testing.T, env []string, name string, args ...string) *console {
	t.Helper()
	c := &console{t: t, dir: t.TempDir(), ended: make(chan struct{}), more: make(chan struct{}, 1)}
	c.cmd = exec.Command(name, args...)
	c.cmd.Dir = c.dir
	c.cmd.Env = append(os.Environ(), "TERM=dumb", "HOME="+c.dir, "XDG_STATE_HOME=", "FAKE_LOG="+c.log())
	c.cmd.Env = append(c.cmd.Env, env...)
	return c
}

// log is where a fakeMonitor writes its changes.
func (c *console) log() string { return filepath.Join(c.dir, "changes") }

// changes reads them.
func (c *console) changes() string {
	b, err := os.ReadFile(c.log())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		c.t.Error(err)
	}
	return strings.Join(strings.Split(strings.TrimSpace(string(b)), "\n"), ", ")
}

// onTerminal starts the program on a terminal of its own.
func (c *console) onTerminal() *console {
	c.t.Helper()
	master, err := pty.StartWithSize(c.cmd, &pty.Winsize{Rows: 24, Cols: 200})
	if err != nil {
		c.t.Fatal(err)
	}
	// The library leaves it blocking, where a close waits for a read.
	fd, err := syscall.Dup(int(master.Fd()))
	if err != nil {
		c.t.Fatal(err)
	}
	master.Close()
	if err := syscall.SetNonblock(fd, true); err != nil {
		c.t.Fatal(err)
	}
	terminal := os.NewFile(uintptr(fd), "terminal")
	c.in = terminal
	c.listen(terminal)
	return c
}

// onPipes starts the program on pipes: its two outputs are one.
func (c *console) onPipes() *console {
	c.t.Helper()
	in, err := c.cmd.StdinPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	out, w, err := os.Pipe()
	if err != nil {
		c.t.Fatal(err)
	}
	c.cmd.Stdout, c.cmd.Stderr = w, w
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	w.Close()
	c.in = in
	c.listen(out)
	return c
}

// listen collects what the program says.
func (c *console) listen(out io.ReadCloser) {
	c.t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		out.Close()
		<-c.ended
	})
	go func() {
		defer close(c.ended)
		buf := make([]byte, 4096)
		for {
			n, err := out.Read(buf)
			c.mu.Lock()
			c.text.Write(buf[:n])
			c.mu.Unlock()
			select {
			case c.more <- struct{}{}:
			default:
			}
			if err != nil {
				return
			}
		}
	}()
}

// said is all that the program has said.
func (c *console) said() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.text.String()
}

// expect waits until the program says each of wants, in this order, after what
// was expected before.
func (c *console) expect(wants ...string) *console {
	c.t.Helper()
	guard := time.After(maxWait)
	for _, want := range wants {
		for ended := false; !c.find(want); {
			if ended {
				c.t.Fatalf("it ended and did not say %q:\n%q", want, c.said())
			}
			select {
			case <-c.more:
			case <-c.ended:
				ended = true
			case <-guard:
				c.t.Fatalf("it did not say %q:\n%q", want, c.said())
			}
		}
	}
	return c
}

func (c *console) find(want string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := bytes.Index(c.text.Bytes()[c.seen:], []byte(want))
	if i < 0 {
		return false
	}
	c.seen += i + len(want)
	return true
}

// send types keys.
func (c *console) send(keys string) *console {
	c.t.Helper()
	if _, err := io.WriteString(c.in, keys); err != nil {
		c.t.Fatal(err)
	}
	return c
}

func (c *console) signal(sig syscall.Signal) *console {
	c.t.Helper()
	if err := c.cmd.Process.Signal(sig); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// wait waits for the end of the program and checks its exit code.
func (c *console) wait(code int) *console {
	c.t.Helper()
	hung := time.AfterFunc(maxWait, func() { _ = c.cmd.Process.Signal(syscall.SIGABRT) })
	defer hung.Stop()
	_ = c.cmd.Wait() // the code tells
	<-c.ended
	if got := c.cmd.ProcessState.ExitCode(); got != code {
		c.t.Errorf("exit code %d, want %d:\n%s", got, code, c.said())
	}
	return c
}
