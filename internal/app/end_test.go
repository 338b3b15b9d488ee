package app

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A verbRun is a verb at work, whose standard output is not read.
type verbRun struct {
	cmd    *exec.Cmd
	stdout *os.File // the end where nobody reads
	stderr strings.Builder
	log    string // of the fake monitor
}

// startVerb starts a verb, and waits until it monitors.
func startVerb(t *testing.T, fake string, args ...string) *verbRun {
	t.Helper()
	dir := t.TempDir()
	v := &verbRun{cmd: exec.Command("dropwatch", args...), log: dir + "/changes"}
	v.cmd.Dir = dir
	v.cmd.Env = append(os.Environ(), "FAKE="+fake, "FAKE_LOG="+v.log, "GORACE="+noDelay)
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
	for begun := time.Now(); !strings.Contains(v.changes(), "start"); time.Sleep(5 * time.Millisecond) {
		if time.Since(begun) > maxWait {
			t.Fatal("it did not start")
		}
	}
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

// end sends a signal, if it is not 0, and gives the exit code and how long it took.
func (v *verbRun) end(t *testing.T, sig syscall.Signal) (code int, took time.Duration) {
	t.Helper()
	begun := time.Now()
	if sig != 0 {
		if err := v.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
	}
	hung := time.AfterFunc(maxWait, func() { v.cmd.Process.Signal(syscall.SIGABRT) })
	defer hung.Stop()
	mute := time.AfterFunc(2*maxWait, func() { v.cmd.Process.Kill() }) // its stacks cannot be written
	defer mute.Stop()
	_ = v.cmd.Wait() // the code tells
	return v.cmd.ProcessState.ExitCode(), time.Since(begun)
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
				if code, _ := v.end(t, sig); code != want || !strings.Contains(v.changes(), "stop\n") {
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
	code, took := v.end(t, syscall.SIGINT)
	stopped, said := strings.Contains(v.changes(), "stop\n"), strings.Contains(v.stderr.String(), "the output blocks")
	if code != 1 || took > 10*time.Second || !stopped || !said {
		t.Errorf("exit code %d after %v; %s; %s", code, took, v.changes(), &v.stderr)
	}
}

// TestBlockedPackets: where nobody reads the packets, a second signal does not wait for it; the
// table says what was not written, and the exit code is that of the signal.
func TestBlockedPackets(t *testing.T) {
	for sig, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			v := startVerb(t, "packets", "-l", "none", "watch", "-s", "netdm", "-w", "-")
			time.Sleep(2 * time.Second) // until the pipe is full
			if err := v.cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			time.Sleep(500 * time.Millisecond)
			code, took := v.end(t, sig)
			said := v.stderr.String()
			if code != want || took > 2*time.Second || !strings.Contains(said, "the output blocks") {
				t.Errorf("exit code %d after %v: %s", code, took, said)
			}
			if lost := regexp.MustCompile(`(?m)^lost \d+ drops: \d+ that an output did not write$`); !lost.MatchString(said) {
				t.Errorf("the losses are missing: %s", said)
			}
		})
	}
}

// TestReaderOfPacketsGoes: a run whose packets nobody reads any more ends, which is no failure,
// and the table has what was not written.
func TestReaderOfPacketsGoes(t *testing.T) {
	v := startVerb(t, "packets", "-l", "none", "watch", "-s", "netdm", "-w", "-")
	v.stdout.Close()
	code, _ := v.end(t, 0)
	said := v.stderr.String()
	if code != 0 || !strings.Contains(said, "that an output did not write\n") || strings.Contains(said, "pipe") {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// TestBlockedTerminal: where standard error is not read either, as on a terminal that
// was stopped, one SIGINT or SIGTERM is enough, and a second SIGINT ends at once.
func TestBlockedTerminal(t *testing.T) {
	tests := map[string]struct {
		signals []syscall.Signal
		most    time.Duration
	}{
		"SIGINT":       {[]syscall.Signal{syscall.SIGINT}, 10 * time.Second},
		"SIGTERM":      {[]syscall.Signal{syscall.SIGTERM}, 10 * time.Second},
		"SIGINT twice": {[]syscall.Signal{syscall.SIGINT, syscall.SIGINT}, 2 * time.Second},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := startBlocked(t, "-l", "none", "watch", "-s", "netdm", "-m", "summary", "--json")
			last := len(tt.signals) - 1
			for _, sig := range tt.signals[:last] {
				if err := v.cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				time.Sleep(500 * time.Millisecond)
			}
			code, took := v.end(t, tt.signals[last])
			if code <= 0 || took > tt.most || !strings.Contains(v.changes(), "stop\n") {
				t.Errorf("exit code %d after %v, want within %v; %s", code, took, tt.most, v.changes())
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
	v.cmd.Env = append(os.Environ(), "FAKE=flood", "FAKE_LOG="+v.log, "GORACE="+noDelay)
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
	c.expect("using source", "1s, 3 shown, 0 lost, ", " B", "\r\x1b[K2s, 3 shown").send(ctrlC)
	c.expect("\r\x1b[K\r3 drops in", "total 3: 3 shown, 0 lost").wait(0)
}

// TestWaitIsTold: on a terminal, a verb that shows nothing at first says for how long.
func TestWaitIsTold(t *testing.T) {
	c := newConsole(t, nil, "dropwatch", "counters", "-n", "300ms", "--name", "UdpNoPorts").onTerminal()
	c.expect("dropwatch: watching for 300ms", "no counter of lost packets rose").wait(0)
}
