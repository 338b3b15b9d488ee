package probe

import (
	"bufio"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/point"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
	"dropwatch/kallsyms"
)

// needProbes opens a Source of points that makes probes.
func needProbes(t *testing.T, points ...point.Point) *Source {
	t.Helper()
	o := running()
	o.Points, o.Tester = points, BPF
	return open(t, o)
}

// TestGuestKilled: what a source of a killed process leaves is removed by the next.
func TestGuestKilled(t *testing.T) {
	const held = "DROPWATCH_PROBE_HELD"
	if os.Getenv(held) != "" {
		needProbes(t, acceptQueue, reversePath)
		os.Stdout.WriteString("open\n")
		os.Stdin.Read(make([]byte, 1))
		return
	}
	before := probesOf(t)
	cmd := exec.Command(os.Args[0], "-test.run", "^TestGuestKilled$")
	cmd.Env = append(os.Environ(), held+"=1")
	stdin, _ := cmd.StdinPipe()
	defer stdin.Close()
	stdout, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "open\n" {
		t.Fatalf("%q, %v", line, err)
	}
	s := needProbes(t, datagram) // beside it
	both := probesOf(t)
	cmd.Process.Kill()
	cmd.Wait()
	if left := probesOf(t); left != both || strings.Count(left, "\n") != 4 {
		t.Errorf("a live process has lost probes, or a killed one none:\n%s", left)
	}
	next := needProbes(t, acceptQueue)
	if left := probesOf(t); strings.Count(left, "\n") != 2 {
		t.Errorf("probes of the killed process are left, or those of others gone:\n%s", left)
	}
	for _, s := range []*Source{s, next} {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := probesOf(t); after != before {
		t.Errorf("probes left:\n%s", after)
	}
}

// TestGuestTwice: two sources of the same point see the same.
func TestGuestTwice(t *testing.T) {
	ns := drops.NewNamespace(t)
	first := run(t, 0, datagram)
	other := sourcetest.Run(t, need(t, 0, datagram), func(e *event.Event) bool { return e.Kind == event.Point })
	ns.SendUDP(3)
	first.Await(3)
	other.Await(3)
	a, b := len(first.End()), len(other.End())
	if a != 3 || b != 3 {
		t.Errorf("%d and %d events, want 3", a, b)
	}
}

// TestGuestCPUComes: what happens on a CPU that comes online is seen.
func TestGuestCPUComes(t *testing.T) {
	ns := drops.NewNamespace(t)
	const second = "/sys/devices/system/cpu/cpu1/online"
	online := func(state string) {
		if err := os.WriteFile(second, []byte(state), 0); err != nil {
			t.Fatal(err)
		}
	}
	online("0")
	r := run(t, 0, datagram)
	online("1")
	guest.Eventually(t, "the source has noticed", func() bool {
		ns.Do(func() error {
			var second unix.CPUSet
			second.Set(1)
			return unix.SchedSetaffinity(0, &second)
		})
		ns.SendUDP(1)
		return r.Packets() > 0
	})
	if events := r.End(); events[0].Task.CPU != 1 {
		t.Errorf("on CPU %d", events[0].Task.CPU)
	}
}

// fq is of a module that no other test loads.
var fq = point.Point{
	Name: "fq",
	Form: point.Form{
		Functions: []string{"fq_enqueue"}, When: "skb->len < 150", // not the ICMP errors that answer
		Args: []point.Arg{{Name: "handle", Expr: "sch->handle:x"}},
	},
}

// TestGuestModule sends through a qdisc, whose module goes away under its probe; BPF that is attached to a function keeps
// the module.
func TestGuestModule(t *testing.T) {
	ns := drops.NewNamespace(t)
	ns.Run("tc", "qdisc", "add", "dev", "lo", "root", "handle", "7:", "fq")
	symbols := new(kallsyms.Live)
	if err := symbols.Load(); err != nil { // the module may have come since
		t.Fatal(err)
	}
	o := Options{Points: []point.Point{fq}, Types: running().Types, Symbols: symbols, Tester: BPF}
	s, err := Open(o)
	if !guest.AtLeast(5, 11) { // which has types of modules
		if err == nil || !strings.Contains(err.Error(), "point fq: module sch_fq has no types (BTF)") {
			t.Errorf("without types: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	isPoint := func(e *event.Event) bool { return e.Kind == event.Point }
	o.Tester = Attached
	attached, r := sourcetest.Run(t, open(t, o), isPoint), sourcetest.Run(t, s, isPoint)
	ns.SendUDP(3)
	sourcetest.AwaitIdle(attached, r)
	same := contents(attached.End())
	ns.Run("tc", "qdisc", "del", "dev", "lo", "root")
	guest.Eventually(t, "the module is unloaded", func() bool { return exec.Command("modprobe", "-r", "sch_fq").Run() == nil })
	events := r.End()
	if len(events) != 3 || argsOf(&events[0]) != "handle=0x70000" || !slices.Equal(contents(events), same) {
		t.Errorf("%d events: %+v\nattached: %v", len(events), events, same)
	}
	if left := probesOf(t); left != "" {
		t.Errorf("probes left:\n%s", left)
	}
}
