package guest

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long to wait for what should come at once: the guest has no
// KVM and shares its host.
const patience = 30 * time.Second

// pause is how long to wait between two looks.
const pause = 20 * time.Millisecond

// A Result is what a program left behind.
type Result struct {
	Stdout, Stderr string
	Code           int // the exit status; 128 and the signal's number if one ended it, as sh has it
}

// A Process is a program that was started and not yet waited for.
type Process struct {
	t              testing.TB
	cmd            *exec.Cmd
	stdout, stderr output
	done           chan struct{}
}

// Start starts a program with stdin as a pipe that has this text and then
// ends. The program is killed at the end of the test if it still runs then.
func Start(t testing.TB, stdin, name string, args ...string) *Process {
	t.Helper()
	return StartAs(t, nil, stdin, name, args...)
}

// StartAs is [Start] with other credentials and capabilities.
func StartAs(t testing.TB, who *syscall.SysProcAttr, stdin, name string, args ...string) *Process {
	t.Helper()
	p := &Process{t: t, cmd: exec.Command(name, args...), done: make(chan struct{})}
	p.cmd.SysProcAttr = who
	p.cmd.Stdin = strings.NewReader(stdin)
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.cmd.Wait() // how it ended is in cmd.ProcessState
		close(p.done)
	}()
	t.Cleanup(func() {
		p.cmd.Process.Kill() // ends it on a failed test; no harm when it has ended
		<-p.done
	})
	return p
}

// Run starts a program, waits for its end and returns what it left.
func Run(t testing.TB, stdin, name string, args ...string) Result {
	t.Helper()
	return Start(t, stdin, name, args...).Wait()
}

// Do runs a program that is only a means: if it fails, so does the test.
func Do(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// Pid is the process's id.
func (p *Process) Pid() int {
	return p.cmd.Process.Pid
}

// Signal sends a signal, also to a process that has just ended.
func (p *Process) Signal(sig os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Fatal(err)
	}
}

// Ended reports whether the process has ended.
func (p *Process) Ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// Wait waits for the end. A program that does not end fails the test.
func (p *Process) Wait() Result {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(patience):
		p.cmd.Process.Kill() // so that what it said can be shown
		<-p.done
		p.t.Fatalf("%s did not end\nstdout:\n%s\nstderr:\n%s", p.cmd, p.stdout.String(), p.stderr.String())
	}
	return Result{Stdout: p.stdout.String(), Stderr: p.stderr.String(), Code: exitCode(p.cmd.ProcessState)}
}

// Stdout is what the process has written so far.
func (p *Process) Stdout() string {
	return p.stdout.String()
}

// AwaitOutput waits until the pattern has matched n times in what the process
// wrote to stdout, and fails the test if that does not come. A C program keeps
// its output back while it goes to a pipe, unless "stdbuf -oL" runs it.
func (p *Process) AwaitOutput(pattern string, n int) {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for start := time.Now(); len(re.FindAllString(p.stdout.String(), -1)) < n; time.Sleep(pause) {
		if p.Ended() || time.Since(start) > patience {
			p.t.Fatalf("waiting for %d times %q: not in\nstdout:\n%s\nstderr:\n%s",
				n, pattern, p.stdout.String(), p.stderr.String())
		}
	}
}

// Interrupt sends SIGINT and waits for the end.
func (p *Process) Interrupt() Result {
	p.t.Helper()
	p.Signal(os.Interrupt)
	return p.Wait()
}

// Eventually waits until it holds, and fails the test if it never does.
func Eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for start := time.Now(); !holds(); time.Sleep(pause) {
		if time.Since(start) > patience {
			t.Fatalf("waited %v in vain until %s", patience, what)
		}
	}
}

// exitCode tells an end by a signal as a shell does.
func exitCode(s *os.ProcessState) int {
	if ws, ok := s.Sys().(syscall.WaitStatus); ok && ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return s.ExitCode()
}

// output is what a process wrote so far; it may be read while more comes.
type output struct {
	mu   sync.Mutex
	text strings.Builder
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
