package acceptance

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"

	"dropwatch/internal/vmtest/guest"
)

// A cost is what a program took for a flood that it was to show packet by
// packet.
type cost struct {
	shown, lost int
	cpu         time.Duration // of all its threads, during the flood
	memory      int           // KiB resident at most
	prompt      time.Duration // from exec to the first prompt on a terminal
}

// TestGuestCost compares the C program and dropwatch: `make bench-vm` prints it.
// Times of an emulated machine mean something only beside each other, so only the
// losses and the memory are checked.
func TestGuestCost(t *testing.T) {
	const n = 8_000
	c, own := measure(t, oracle, n), measure(t, dropwatchPath, n)
	t.Logf("a flood of %d drops in packet mode:", n)
	t.Logf("%-9s %8s %8s %14s %12s %14s", "", "shown", "lost", "CPU a drop", "resident", "to the prompt")
	for name, c := range map[string]cost{"C": c, "dropwatch": own} {
		t.Logf("%-9s %8d %8d %11.1f us %8.1f MiB %11.1f ms", name, c.shown, c.lost,
			float64(c.cpu.Nanoseconds())/1e3/float64(max(c.shown, 1)), float64(c.memory)/1024, float64(c.prompt.Microseconds())/1e3)
	}
	if own.lost > c.lost || own.memory > 64<<10 {
		t.Errorf("dropwatch loses %d, C %d; dropwatch uses %d KiB", own.lost, c.lost, own.memory)
	}
}

// measure floods a program once.
func measure(t *testing.T, program string, n int) cost {
	t.Helper()
	guest.ResetMonitor(t)
	file := filepath.Join(t.TempDir(), "output")
	p := guest.Start(t, "set alertmode packet\nstart\nexit\n", "sh", "-c", "exec "+program+" -l kas >"+file)
	guest.AwaitMonitoring(t)
	before := cpuTime(t, p.Pid())
	guest.Flood(t, n)
	awaitQuiet(file)
	c := cost{cpu: cpuTime(t, p.Pid()) - before, memory: resident(t, p.Pid())}
	p.Interrupt()
	output, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c.shown = tallyOf(t, string(output)).shown
	c.lost = n - c.shown
	c.prompt = toPrompt(t, program)
	return c
}

// cpuTime adds up the first field of each thread's schedstat: ns on a CPU.
func cpuTime(t *testing.T, pid int) (sum time.Duration) {
	t.Helper()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ns, err := strconv.ParseInt(strings.Fields(string(text))[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(ns)
	}
	return sum
}

// resident reads VmHWM, in KiB.
func resident(t *testing.T, pid int) (kib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	fmt.Sscan(rest, &kib)
	return kib
}

// toPrompt is how long a program takes from exec to its prompt.
func toPrompt(t *testing.T, program string) time.Duration {
	t.Helper()
	start := time.Now()
	cmd := exec.Command(program, "-l", "kas")
	cmd.Env = append(os.Environ(), "TERM=linux")
	tty, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	defer tty.Close()
	var seen strings.Builder
	for b := make([]byte, 512); !strings.Contains(seen.String(), "dropwatch> "); {
		n, err := tty.Read(b)
		if err != nil {
			t.Fatalf("%s shows no prompt: %v: %q", program, err, seen.String())
		}
		seen.Write(b[:n])
	}
	took := time.Since(start)
	tty.WriteString("exit\r")
	go func() {
		for b := make([]byte, 512); ; {
			if _, err := tty.Read(b); err != nil {
				return
			}
		}
	}()
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: %v", program, err)
	}
	return took
}
