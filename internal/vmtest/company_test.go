package vmtest_test

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest/guest"
)

// settings changes all that can be changed, and starts.
const settings = "set alertmode packet\nset trunc 99\nset queue 77\nstart\nexit\n"

// asFound checks that the monitor is off and configured as ResetMonitor left it.
func asFound(t *testing.T) {
	t.Helper()
	const want = "Alert mode: Summary\nTruncation length: 0\nQueue length: 1000\n"
	if r := guest.Run(t, "show\nexit\n", oracle); guest.Monitoring() || !strings.Contains(r.Stdout, want) {
		t.Errorf("monitoring %v, and the configuration is\n%s", guest.Monitoring(), r.Stdout)
	}
}

// start starts our program on a script that starts monitoring.
func start(t *testing.T, script string, args ...string) *guest.Process {
	t.Helper()
	p := guest.Start(t, script, ours, args...)
	p.AwaitOutput("Issue Ctrl-C", 1)
	return p
}

func TestGuestEverySignalPutsThingsBack(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{
		syscall.SIGINT: 0, syscall.SIGTERM: 143, syscall.SIGHUP: 129, syscall.SIGQUIT: 131,
	} {
		t.Run(sig.String(), func(t *testing.T) {
			guest.ResetMonitor(t)
			p := start(t, settings)
			p.Signal(sig)
			if r := p.Wait(); r.Code != code {
				t.Errorf("exit code %d, not %d: %+v", r.Code, code, r)
			}
			asFound(t)
		})
	}
}

func TestGuestFailedScriptPutsThingsBack(t *testing.T) {
	guest.ResetMonitor(t)
	r := guest.Run(t, "set alertmode packet\nset trunc 99\nset queue 7\nnonsense\nstart\n", ours)
	if r.Code != 1 || !strings.Contains(r.Stderr, `unknown command "nonsense"`) {
		t.Errorf("%+v", r)
	}
	asFound(t)
}

func TestGuestClosedOutputPutsThingsBack(t *testing.T) {
	guest.ResetMonitor(t)
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p := exec.Command(ours)
	p.Stdin = strings.NewReader(settings)
	p.Stdout = writer
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	guest.AwaitMonitoring(t)
	reader.Close()
	guest.Flood(t, 1)
	if err := p.Wait(); err == nil || p.ProcessState.ExitCode() != 1 {
		t.Errorf("it ended with %v", err)
	}
	asFound(t)
}

// leaveOn kills our program while it monitors: the kernel goes on.
func leaveOn(t *testing.T) {
	t.Helper()
	p := start(t, settings)
	p.Signal(syscall.SIGKILL)
	p.Wait()
	if !guest.Monitoring() {
		t.Fatal("monitoring ended with the program")
	}
}

func TestGuestLeftOnIsRecognised(t *testing.T) {
	guest.ResetMonitor(t)
	leaveOn(t)
	for _, script := range []string{"start\n", "set trunc 5\n"} {
		r := guest.Run(t, script, ours)
		if r.Code != 1 || !strings.Contains(r.Stderr, "left on by a program that has ended") || !strings.Contains(r.Stderr, "set takeover true") {
			t.Errorf("%q: %+v", script, r)
		}
	}
	if r := guest.Run(t, "status\n", ours); !strings.Contains(r.Stdout, "Monitoring: on, left on by a program that has ended") {
		t.Errorf("status: %+v", r)
	}
	if !guest.Monitoring() {
		t.Error("it was stopped unasked")
	}
}

func TestGuestTakeover(t *testing.T) {
	for name, how := range map[string]struct {
		script string
		args   []string
	}{
		"setting":   {"set takeover true\nset alertmode packet\nstart\nexit\n", nil},
		"flag":      {"set alertmode packet\nstart\nexit\n", []string{"--takeover"}},
		"stop":      {"stop\nset alertmode packet\nstart\nexit\n", nil},
		"start":     {"set takeover true\nstart\nexit\n", nil},
		"dump flag": {},
	} {
		t.Run(name, func(t *testing.T) {
			guest.ResetMonitor(t)
			leaveOn(t)
			if how.script == "" {
				dumpTakesOver(t)
				return
			}
			p := start(t, how.script, how.args...)
			guest.Flood(t, 1)
			p.AwaitOutput("drop(s)? at", 1)
			if r := p.Interrupt(); r.Code != 0 || guest.Monitoring() {
				t.Errorf("monitoring %v: %+v", guest.Monitoring(), r)
			}
		})
	}
}

func dumpTakesOver(t *testing.T) {
	t.Helper()
	if r := guest.Run(t, "", ours, "dump", "-o", "sw"); r.Code != 1 || !strings.Contains(r.Stderr, "--takeover") {
		t.Errorf("without the flag: %+v", r)
	}
	p := guest.Start(t, "", ours, "dump", "-o", "sw", "--takeover")
	guest.Eventually(t, "a drop is dumped", func() bool {
		guest.Flood(t, 1) // it says nothing when it begins
		return strings.Contains(p.Stdout(), "dropwatch test")
	})
	if r := p.Interrupt(); r.Code != 0 || guest.Monitoring() {
		t.Errorf("monitoring %v: %+v", guest.Monitoring(), r)
	}
}

// TestGuestTwoAtOnce: the second says who has the monitor and leaves it alone.
func TestGuestTwoAtOnce(t *testing.T) {
	guest.ResetMonitor(t)
	for _, first := range []string{ours, oracle} {
		p := guest.Start(t, "start\nexit\n", "stdbuf", "-oL", first, "-l", "kas")
		p.AwaitOutput("Issue Ctrl-C", 1)
		for _, script := range []string{"start\n", "stop\n", "set queue 5\n"} {
			r := guest.Run(t, script, ours)
			if r.Code != 1 || !strings.Contains(r.Stderr, "in use by dropwatch (pid ") {
				t.Errorf("%q beside %s: %+v", script, first, r)
			}
		}
		guest.Flood(t, 3)
		p.AwaitOutput("drops at", 1)
		if r := p.Interrupt(); r.Code != 0 {
			t.Errorf("%+v", r)
		}
	}
}

// TestGuestStoppedByAnother: a run that another program stops ends by itself.
func TestGuestStoppedByAnother(t *testing.T) {
	guest.ResetMonitor(t)
	p := start(t, "start\nexit\n")
	guest.Run(t, "stop\nexit\n", oracle)
	if r := p.Wait(); r.Code != 1 || !strings.Contains(r.Stderr, "another program switched monitoring off") {
		t.Errorf("%+v", r)
	}
}

// TestGuestHiddenSymbols: with the symbols hidden from everybody, places are
// shown as unknown, and why is said.
func TestGuestHiddenSymbols(t *testing.T) {
	guest.ResetMonitor(t)
	const sysctl = "/proc/sys/kernel/kptr_restrict"
	if err := os.WriteFile(sysctl, []byte("2"), 0); err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(sysctl, []byte("0"), 0)
	p := start(t, "start\nexit\n")
	guest.Flood(t, 3)
	p.AwaitOutput(`drops at unknown location 0xf[0-9a-f]{15} \[software\]`, 1)
	if r := p.Interrupt(); r.Code != 0 || !strings.Contains(r.Stderr, "kptr_restrict") {
		t.Errorf("%+v", r)
	}
}
