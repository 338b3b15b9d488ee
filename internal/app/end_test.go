package app

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

// A verbRun is a verb at work, whose standard output is not read.
type verbRun struct {
	cmd    *exec.Cmd
	stdout *os.File // the end where nobody reads
	stderr said
	log    string // of the fake monitor
}

// said is what a program has said until now.
type said struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// startVerb starts a verb, and waits until it monitors.
func startVerb(t *testing.T, fake string, args ...string) *verbRun {
	t.Helper()
	dir := t.TempDir()
	v := &verbRun{cmd: exec.Command("dropwatch", args...), log: dir + "/changes"}
	v.cmd.Dir = dir
	v.cmd.Env = append(os.Environ(), "FAKE="+fake, "FAKE_LOG="+v.log)
	v.cmd.Stderr = &v.stderr
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	v.cmd.Stdout, v.stdout = w, r
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	t.Cleanup(func() { v.cmd.Process.Kill(); r.Close() })
	v.await(t)
	return v
}

// await waits until the verb monitors.
func (v *verbRun) await(t *testing.T) {
	t.Helper()
	await(t, "it monitors", func() bool { return strings.Contains(v.changes(), "start") })
}

// awaitBlocked waits until the verb has packets to write to its standard output, where there is no
// room.
func (v *verbRun) awaitBlocked(t *testing.T) {
	t.Helper()
	v.fill(t)
	write := fmt.Sprintf("%d 0x1 ", syscall.SYS_WRITE) // to file 1, as the kernel lists system calls that wait
	await(t, "it waits for room", func() bool {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/syscall", v.cmd.Process.Pid))
		return slices.ContainsFunc(threads, func(file string) bool {
			call, _ := os.ReadFile(file)
			return strings.HasPrefix(string(call), write)
		})
	})
}

// fill leaves no room in the pipe that is the verb's standard output.
func (v *verbRun) fill(t *testing.T) {
	t.Helper()
	pipe, err := syscall.Open(fmt.Sprintf("/proc/%d/fd/1", v.cmd.Process.Pid), syscall.O_WRONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pipe)
	for err == nil {
		_, err = syscall.Write(pipe, []byte{'\n'})
	}
	if !errors.Is(err, syscall.EAGAIN) {
		t.Fatal(err)
	}
}

func (v *verbRun) changes() string {
	b, _ := os.ReadFile(v.log)
	return string(b)
}

// end sends a signal, if it is not 0, and returns the exit code.
func (v *verbRun) end(t *testing.T, sig syscall.Signal) (code int) {
	t.Helper()
	if sig != 0 {
		if err := v.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	hung := time.AfterFunc(maxWait, func() { v.cmd.Process.Signal(syscall.SIGABRT) })
	mute := time.AfterFunc(2*maxWait, func() { v.cmd.Process.Kill() }) // its stacks cannot be written
	defer mute.Stop()
	_ = v.cmd.Wait() // the code tells
	if !hung.Stop() {
		t.Error("it did not end")
	}
	return v.cmd.ProcessState.ExitCode()
}

// endAgain is end with a signal that is sent once more after a second. A second one within 300 ms
// counts as the same press of a key, so that on a slow machine it is sent again later.
func (v *verbRun) endAgain(t *testing.T, sig syscall.Signal) (code int) {
	t.Helper()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		for wait := time.Second; ; wait = maxWait / 3 {
			select {
			case <-ended:
				return
			case <-time.After(wait):
				_ = v.cmd.Process.Signal(sig) // it may have ended
			}
		}
	}()
	return v.end(t, sig)
}

// TestVerbSignals: SIGINT ends a verb as a limit does, another signal with its own
// exit code; what is switched on is switched off.
func TestVerbSignals(t *testing.T) {
	verbs := map[string][]string{
		"watch": {"watch", "-s", "netdm"}, "record": {"record", "-s", "netdm", "drops.dw"}, "dump": {"dump", "-w", "drops.pcap"},
	}
	codes := map[syscall.Signal]int{syscall.SIGINT: 0, syscall.SIGTERM: 143, syscall.SIGHUP: 129, syscall.SIGQUIT: 131}
	for name, args := range verbs {
		for sig, want := range codes {
			t.Run(name+" "+sig.String(), func(t *testing.T) {
				v := startVerb(t, "packet", args...)
				if code := v.end(t, sig); code != want || !strings.Contains(v.changes(), "stop\n") {
					t.Errorf("exit code %d, want %d; %s; %s", code, want, v.changes(), &v.stderr)
				}
			})
		}
	}
}

// TestBlockedOutput: where nobody reads what is shown, one SIGINT is enough, and
// says so.
func TestBlockedOutput(t *testing.T) {
	v := startVerb(t, "flood", "-l", "none", "watch", "-s", "netdm", "-m", "summary", "--json")
	v.fill(t)
	code := v.end(t, syscall.SIGINT)
	stopped, said := strings.Contains(v.changes(), "stop\n"), strings.Contains(v.stderr.String(), "the output blocks")
	if code != 1 || !stopped || !said {
		t.Errorf("exit code %d; %s; %s", code, v.changes(), &v.stderr)
	}
}

// TestBlockedPackets: where nobody reads the packets, a second signal does not wait for it; the
// table says what was not written, and the exit code is that of the signal.
func TestBlockedPackets(t *testing.T) {
	for sig, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			v := startVerb(t, "packets", "-l", "none", "watch", "-s", "netdm", "-w", "-")
			v.awaitBlocked(t)
			code := v.endAgain(t, sig)
			said := v.stderr.String()
			if code != want || !strings.Contains(said, "the output blocks") {
				t.Errorf("exit code %d: %s", code, said)
			}
			if lost := regexp.MustCompile(`(?m)^lost \d+ drops?: \d+ that an output did not write$`); !lost.MatchString(said) {
				t.Errorf("the losses are missing: %s", said)
			}
		})
	}
}

// TestReaderOfPacketsGoes: a run whose packets nobody reads any more ends, which is no failure,
// and the table has what was not written.
func TestReaderOfPacketsGoes(t *testing.T) {
	v := startVerb(t, "packets", "-l", "none", "watch", "-s", "netdm", "-w", "-")
	if _, err := v.stdout.Read(make([]byte, 1)); err != nil { // before the first bytes there is no run whose table is printed
		t.Fatal(err)
	}
	v.stdout.Close()
	code := v.end(t, 0)
	said := v.stderr.String()
	if code != 0 || !strings.Contains(said, "that an output did not write\n") || strings.Contains(said, "pipe") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// TestBlockedTerminal: where standard error is not read either, as on a terminal that
// was stopped, one SIGINT or SIGTERM is enough, and a second SIGINT does no harm.
func TestBlockedTerminal(t *testing.T) {
	tests := map[string]struct {
		end func(*verbRun, *testing.T, syscall.Signal) (code int)
		sig syscall.Signal
	}{
		"SIGINT": {(*verbRun).end, syscall.SIGINT}, "SIGTERM": {(*verbRun).end, syscall.SIGTERM},
		"SIGINT twice": {(*verbRun).endAgain, syscall.SIGINT},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := startBlocked(t, "-l", "none", "watch", "-s", "netdm", "-m", "summary", "--json")
			if code := tt.end(v, t, tt.sig); code <= 0 || !strings.Contains(v.changes(), "stop\n") {
				t.Errorf("exit code %d; %s", code, v.changes())
			}
		})
	}
}

// startBlocked is startVerb with one pipe for standard output and standard error, which
// is full.
func startBlocked(t *testing.T, args ...string) *verbRun {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	defer w.Close()
	v := &verbRun{cmd: exec.Command("dropwatch", args...), log: t.TempDir() + "/changes"}
	v.cmd.Env = append(os.Environ(), "FAKE=flood", "FAKE_LOG="+v.log)
	v.cmd.Stdout, v.cmd.Stderr = w, w
	if err := v.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.cmd.Process.Kill() })
	v.await(t)
	v.fill(t)
	return v
}

// TestStatusLine: a terminal shows how a recording is getting on; the end of the run stands over
// that line, and begins with the \r that the table has on every terminal.
func TestStatusLine(t *testing.T) {
	c := newConsole(t, []string{"FAKE=packet packet packet"}, "dropwatch", "-l", "none", "record", "-s", "netdm", "drops.dw").onTerminal()
	c.expect("using source", "s, 3 shown, 0 lost, ", " B", "\r\x1b[K", "s, 3 shown").send(ctrlC)
	c.expect("\r\x1b[K\r3 drops in", "total 3: 3 shown, 0 lost").wait(0)
}

// TestReadingIsTold: on a terminal, a diagnosis that ends says why it takes a moment more.
func TestReadingIsTold(t *testing.T) {
	c := newConsole(t, []string{"FAKE=packet"}, "dropwatch", "-l", "none", "diagnose", "-d", "300ms", "--fail-on", "never").onTerminal()
	c.expect("watching for 300ms", "dropwatch: reading the counters", "verdict: ").wait(0)
}

// TestWaitIsTold: on a terminal, a verb that shows nothing at first says for how long.
func TestWaitIsTold(t *testing.T) {
	c := newConsole(t, nil, "dropwatch", "counters", "-n", "300ms", "--name", "UdpInCsumErrors").onTerminal()
	c.expect("dropwatch: watching for 300ms", "no counter of lost packets rose").wait(0)
}
