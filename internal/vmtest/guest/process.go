package guest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// maxWait is how long to wait for something that should happen at once: guests are slow. It only bounds the time of a
// test that fails.
const maxWait = time.Minute

// interval is the time between two polls.
const interval = 20 * time.Millisecond

// Dropwatch is the path of the program under test in a guest.
const Dropwatch = "/test/dropwatch"

// A Result is the output of a program that has ended.
type Result struct {
	Stdout, Stderr string // all that it has written
	Code           int    // exit status; 128 plus the number of the signal that ended it, as in sh
}

// A Process is a program that was started.
type Process struct {
	t              testing.TB
	cmd            *exec.Cmd
	stdout, stderr output
	done           chan struct{}
}

// Start starts a program whose standard input is a pipe with this text. At the end of the test it is killed if it
// still runs.
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

// Run runs a program and returns its result.
func Run(t testing.TB, stdin, name string, args ...string) Result {
	t.Helper()
	return Start(t, stdin, name, args...).Wait()
}

// Do runs a program and fails the test if the program fails.
func Do(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
	}
}

// Pid returns the PID.
func (p *Process) Pid() int {
	return p.cmd.Process.Pid
}

// Signal sends a signal. It is no error if the process has just ended.
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
	case <-time.After(maxWait):
		p.cmd.Process.Kill() // so that what it said can be shown
		<-p.done
		p.t.Fatalf("%s did not end\nstdout:\n%s\nstderr:\n%s", p.cmd, p.stdout.String(), p.stderr.String())
	}
	return Result{Stdout: p.stdout.String(), Stderr: p.stderr.String(), Code: exitCode(p.cmd.ProcessState)}
}

// Stdout returns what the process has written so far.
func (p *Process) Stdout() string {
	return p.stdout.String()
}

// AwaitOutput waits until the pattern has matched n times in what the process
// wrote to stdout, and fails the test if that does not come. A C program keeps
// its output back while it goes to a pipe, unless "stdbuf -oL" runs it.
func (p *Process) AwaitOutput(pattern string, n int) {
	p.t.Helper()
	p.awaitIn(&p.stdout, pattern, n)
}

// AwaitMessage is [Process.AwaitOutput] of what the process wrote to stderr, once.
func (p *Process) AwaitMessage(pattern string) {
	p.t.Helper()
	p.awaitIn(&p.stderr, pattern, 1)
}

// awaitIn waits until a text has so many matches of a pattern. It fails the test if the process ends before, or after
// maxWait.
func (p *Process) awaitIn(text *output, pattern string, n int) {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	for start := time.Now(); len(re.FindAllString(text.String(), -1)) < n; time.Sleep(interval) {
		if p.Ended() || time.Since(start) > maxWait {
			p.t.Fatalf("waiting %v for %d times %q: not in\nstdout:\n%s\nstderr:\n%s",
				time.Since(start), n, pattern, p.stdout.String(), p.stderr.String())
		}
	}
}

// AwaitIdle waits until the process has done all that it can: for half a second no thread of it was ready to
// run, or running. However slow the guest is, a program that looks for drops ten times a second has read those
// from before then.
func (p *Process) AwaitIdle() {
	p.t.Helper()
	polls := 0
	Eventually(p.t, "it is idle: "+p.cmd.String(), func() bool {
		if polls++; p.runs() {
			polls = 0
		}
		return polls > int(500*time.Millisecond/interval)
	})
}

// runs reports whether a thread of the process is ready to run.
func (p *Process) runs() bool {
	names, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.Pid()))
	return slices.ContainsFunc(names, func(name string) bool {
		stat, _ := os.ReadFile(name)
		return strings.Contains(string(stat), ") R ")
	})
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
	for start := time.Now(); !holds(); time.Sleep(interval) {
		if time.Since(start) > maxWait {
			t.Fatalf("waited %v in vain until %s", maxWait, what)
		}
	}
}

// exitCode returns the exit status as a shell does: 128 plus the number of the
// signal that ended the process.
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

// Write adds to it, for the process.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.Write(p)
}

// String is all that was written until now.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
