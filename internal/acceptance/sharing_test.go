package acceptance

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

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

// start starts dropwatch on a script that starts monitoring.
func start(t *testing.T, script string, args ...string) *guest.Process {
	t.Helper()
	p := guest.Start(t, script, dropwatchPath, args...)
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
	r := guest.Run(t, "set alertmode packet\nset trunc 99\nset queue 7\nnonsense\nstart\n", dropwatchPath)
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
	p := exec.Command(dropwatchPath)
	p.Stdin = strings.NewReader(settings)
	p.Stdout = writer
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	writer.Close()
	guest.AwaitMonitoring(t)
	reader.Close()
	guest.Flood(t, 1)
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	asFound(t)
}

// leaveOn kills dropwatch while it monitors: the kernel goes on.
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
		r := guest.Run(t, script, dropwatchPath)
		advised := strings.Contains(r.Stderr, "set takeover true")
		if r.Code != 1 || !strings.Contains(r.Stderr, "left on by a program that exited") || !advised {
			t.Errorf("%q: %+v", script, r)
		}
	}
	if r := guest.Run(t, "status\n", dropwatchPath); !strings.Contains(r.Stdout, "Monitoring: on, left on by a program that exited") {
		t.Errorf("status: %+v", r)
	}
	if !guest.Monitoring() {
		t.Error("it was stopped unasked")
	}
}

func TestGuestTakeover(t *testing.T) {
	ways := map[string]struct {
		script string
		args   []string
	}{
		"setting":   {"set takeover true\nset alertmode packet\nstart\nexit\n", nil},
		"flag":      {"set alertmode packet\nstart\nexit\n", []string{"--takeover"}},
		"stop":      {"stop\nset alertmode packet\nstart\nexit\n", nil},
		"start":     {"set takeover true\nstart\nexit\n", nil},
		"dump flag": {},
	}
	for name, how := range ways {
		if name != "stop" && guest.IsBetween() {
			continue
		}
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
			takenOver(t, p.Interrupt())
		})
	}
}

// takenOver checks a run that took over from leaveOn: what that had set is gone, which was said.
func takenOver(t *testing.T, r guest.Result) {
	t.Helper()
	const notice = "the other program had set the drop monitor to mode packet, truncation 99, queue 77: it is now set to "
	if r.Code != 0 || !strings.Contains(r.Stderr, notice) {
		t.Errorf("%+v", r)
	}
	asFound(t)
}

// TestGuestTakeoverByWatch: a watch asks for a mode and a length, and not for a queue.
func TestGuestTakeoverByWatch(t *testing.T) {
	guest.ResetMonitor(t)
	leaveOn(t)
	p := guest.Start(t, "", dropwatchPath, "watch", "-s", "netdm", "--takeover", "--trunc", "99")
	guest.Eventually(t, "a drop is shown", func() bool {
		guest.Flood(t, 1)
		return strings.Contains(p.Stdout(), " udp ")
	})
	const want = "Alert mode: Packet\nTruncation length: 99\nQueue length: 1000\n"
	if r := guest.Run(t, "show\nexit\n", oracle); !strings.Contains(r.Stdout, want) {
		t.Errorf("while it runs: %s", r.Stdout)
	}
	takenOver(t, p.Interrupt())
}

func dumpTakesOver(t *testing.T) {
	t.Helper()
	if r := guest.Run(t, "", dropwatchPath, "dump", "-o", "sw"); r.Code != 1 || !strings.Contains(r.Stderr, "--takeover") {
		t.Errorf("without the flag: %+v", r)
	}
	p := guest.Start(t, "", dropwatchPath, "dump", "-o", "sw", "--takeover")
	guest.Eventually(t, "a drop is dumped", func() bool {
		guest.Flood(t, 1) // it says nothing when it begins
		return strings.Contains(p.Stdout(), "dropwatch test")
	})
	takenOver(t, p.Interrupt())
}

// TestGuestTwoAtOnce: the second says who has the monitor and leaves it alone.
func TestGuestTwoAtOnce(t *testing.T) {
	guest.ResetMonitor(t)
	for _, first := range []string{dropwatchPath, oracle} {
		p := guest.Start(t, "start\nexit\n", "stdbuf", "-oL", first, "-l", "kas")
		p.AwaitOutput("Issue Ctrl-C", 1)
		for _, script := range []string{"start\n", "stop\n", "set queue 5\n"} {
			r := guest.Run(t, script, dropwatchPath)
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

// TestGuestSessionFailover: with the source auto, start goes on with the next source.
func TestGuestSessionFailover(t *testing.T) {
	guest.ResetMonitor(t)
	p := start(t, "set source auto\nstart\nexit\n")
	guest.Flood(t, 3)
	p.AwaitOutput("drops at", 1)
	guest.Run(t, "stop\nexit\n", oracle)
	shown := strings.Count(p.Stdout(), "drops at")
	guest.Eventually(t, "a drop is shown by the next source", func() bool {
		guest.Flood(t, 1)
		return strings.Count(p.Stdout(), "drops at") > shown
	})
	r := p.Interrupt()
	if r.Code != 0 || guest.Monitoring() || !strings.Contains(r.Stderr, "another program switched monitoring off: going on with source ") {
		t.Errorf("monitoring %v: %+v", guest.Monitoring(), r)
	}
	if !strings.Contains(r.Stdout, "Got a stop message\nno source was running for ") {
		t.Errorf("no gap in the ledger: %s", r.Stdout)
	}
}

// TestGuestFailover: a watch that chose the drop monitor itself goes on with the next
// source when another program stops the monitor. There is no gap, as trace ran beside it.
func TestGuestFailover(t *testing.T) {
	guest.ResetMonitor(t)
	guest.Do(t, "busybox", "mount", "-t", "tmpfs", "none", "/sys/kernel/btf") // so that bpf is not the first
	t.Cleanup(func() { guest.Do(t, "busybox", "umount", "/sys/kernel/btf") })
	p := guest.Start(t, "", dropwatchPath, "watch", "--json", "symbol ~ udp")
	guest.AwaitMonitoring(t)
	guest.Flood(t, 3)
	p.AwaitOutput(`"kind":"drop"`, 3)
	if r := guest.Run(t, "stop\nexit\n", oracle); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	p.AwaitOutput(`"kind":"loss".*"gap_ms":0,"place":"gaps".*"source":"trace".*"cause":"another program switched monitoring off`, 1)
	guest.Flood(t, 2)
	p.AwaitOutput(`"kind":"drop"`, 5)
	r := p.Interrupt()
	const notice = "another program switched monitoring off: going on with source trace\n"
	if r.Code != 0 || guest.Monitoring() || !strings.Contains(r.Stderr, notice) {
		t.Errorf("monitoring %v: %+v", guest.Monitoring(), r)
	}
	all := lines(t, r.Stdout)
	if end := all[len(all)-1]; end.Kind != "end" || end.Shown != 5 || !strings.Contains(r.Stdout, `"gaps":0,"flows_evicted":0,"gap_ms":0`) {
		t.Errorf("ledger: %+v: %s", end, r.Stdout)
	}
}

// TestGuestFailoverMissesNothing: drops come all the time while a watch goes on with
// another source, and each is shown once. What was dropped in the moment when that
// source began is a gap, which another try is not likely to have.
func TestGuestFailoverMissesNothing(t *testing.T) {
	for try := 1; !failsOver(t); try++ {
		if try == 5 {
			t.Fatal("every time there was a gap")
		}
	}
}

// failsOver reports whether a watch went on without a gap.
func failsOver(t *testing.T) bool {
	guest.ResetMonitor(t)
	p := guest.Start(t, "", dropwatchPath, "watch", "--json", "-o", "sw,hw", "symbol ~ udp") // bpf sees no hardware drops
	guest.AwaitMonitoring(t)
	const before = 3
	guest.Flood(t, before)
	p.AwaitOutput(`"kind":"drop"`, before)
	guest.Run(t, "stop\nexit\n", oracle)
	n := before
	for !strings.Contains(p.Stdout(), `"place":"gaps"`) {
		guest.Flood(t, 1)
		n++
		time.Sleep(20 * time.Millisecond)
	}
	guest.Flood(t, 1)
	n++
	p.AwaitIdle() // for what is shown late, or twice
	r := p.Interrupt()
	all := lines(t, r.Stdout)
	end := all[len(all)-1]
	whole := strings.Contains(r.Stdout, `"gaps":0,"flows_evicted":0,"gap_ms":0`)
	if r.Code != 0 || end.Shown > n || whole && end.Shown != n {
		t.Errorf("%d drops, and the ledger is %+v: %s", n, end, r.Stderr)
	}
	return whole
}

// TestGuestSoftwareStoppedByAnother: another program stops the monitoring of software
// drops alone, while devices go on reporting their own.
func TestGuestSoftwareStoppedByAnother(t *testing.T) {
	guest.ResetMonitor(t)
	guest.HardwareDrops(t)
	p := guest.Start(t, "", dropwatchPath, "watch", "--json", "-o", "sw,hw", "symbol ~ udp or origin hw")
	guest.AwaitMonitoring(t)
	p.AwaitOutput(`"origin":"hardware"`, 3)
	guest.Flood(t, 3)
	p.AwaitOutput(`"reason":"NO_SOCKET"|"symbol":"[a-z0-9_]*udp`, 3)
	guest.Run(t, "stop\nexit\n", oracle) // it stops software drops unless it was told otherwise
	p.AwaitOutput(`"kind":"loss".*"place":"gaps".*"cause":"another program switched monitoring off for software drops`, 1)
	if guest.Monitoring() {
		t.Error("the monitoring of hardware drops was left on")
	}
	guest.Flood(t, 2)
	p.AwaitOutput(`"reason":"NO_SOCKET"|"symbol":"[a-z0-9_]*udp`, 5)
	if r := p.Interrupt(); r.Code != 0 || !strings.Contains(r.Stderr, "for software drops: going on with source ") {
		t.Errorf("%+v", r)
	}
}

// TestGuestHiddenSymbols: with the symbols hidden from everybody, places are
// shown as unknown, and why is said.
func TestGuestHiddenSymbols(t *testing.T) {
	guest.ResetMonitor(t)
	guest.Sysctl(t, "kernel/kptr_restrict", "2")
	p := start(t, "start\nexit\n")
	guest.Flood(t, 3)
	p.AwaitOutput(`drops at unknown location 0xf[0-9a-f]{15} \[software\]`, 1)
	if r := p.Interrupt(); r.Code != 0 || !strings.Contains(r.Stderr, "kptr_restrict") {
		t.Errorf("%+v", r)
	}
}
