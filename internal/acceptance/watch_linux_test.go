package acceptance

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// mark is the protocol of drops that awaitWatch made.
var mark = fmt.Sprintf("%#x", drops.ProbeType)

// unmarked are the drops that others made.
func unmarked(t *testing.T, stdout string) []line {
	t.Helper()
	return slices.DeleteFunc(lines(t, stdout), func(l line) bool { return l.Kind != "drop" || l.Protocol == mark })
}

// awaitWatch makes drops that are no test's until one more of them is shown: the
// watch runs, and has shown what was dropped before.
func awaitWatch(t *testing.T, p *guest.Process) *guest.Process {
	t.Helper()
	watches{"": p}.await(t)
	return p
}

// watches are runs beside each other, by their source.
type watches map[string]*guest.Process

// startWatches starts a watch of each source, one after the other: each reads the symbols first,
// which must not take too long for what it needs them for.
func startWatches(t *testing.T) watches {
	t.Helper()
	guest.ResetMonitor(t)
	all := make(watches)
	for _, source := range []string{"bpf", "netdm", "trace"} {
		all[source] = awaitWatch(t, guest.Start(t, "", dropwatchPath, "watch", "--json", "--source", source))
	}
	return all
}

// await is [awaitWatch] for all.
func (w watches) await(t *testing.T) {
	t.Helper()
	marks := func(p *guest.Process) int { return strings.Count(p.Stdout(), `"protocol":"`+mark+`"`) }
	before := make(map[string]int)
	for source, p := range w {
		before[source] = marks(p)
	}
	guest.Eventually(t, "drops are shown by all watches", func() bool {
		if err := drops.DropProbes(1); err != nil {
			t.Fatal(err)
		}
		for source, p := range w {
			if marks(p) == before[source] {
				return false
			}
		}
		return true
	})
}

// settle waits until nothing more is shown, and returns the length of each output. A mark alone
// does not say that all before it was shown: the rings of CPUs are read in turn, and a drop may
// wait 300 ms for its packet (package pair). It counts polls, as [awaitQuiet] does.
func (w watches) settle(t *testing.T) (bytes map[string]int) {
	t.Helper()
	w.await(t)
	const polls, interval = 12, 50 * time.Millisecond
	for still := 0; still < polls; still++ {
		now := make(map[string]int)
		for source, p := range w {
			now[source] = len(p.Stdout())
		}
		if !maps.Equal(now, bytes) {
			bytes, still = now, 0
		}
		time.Sleep(interval)
	}
	return bytes
}

// end interrupts all, and checks that their ledgers are closed and that monitoring is off.
func (w watches) end(t *testing.T) {
	t.Helper()
	for source, p := range w {
		r := p.Interrupt()
		if r.Code != 0 {
			t.Errorf("%s: exit code %d, standard error %s", source, r.Code, r.Stderr)
		}
		wantClosed(t, r.Stdout)
	}
	if guest.Monitoring() {
		t.Error("monitoring was left on")
	}
}

// since gives the drops that others made and that a process has shown after so
// many bytes of its output.
func since(t *testing.T, p *guest.Process, bytes int) []line {
	t.Helper()
	text := p.Stdout()[bytes:]
	return unmarked(t, text[:strings.LastIndexByte(text, '\n')+1])
}

// TestGuestWatch sees each scenario by each source, in one run: with
// bytes from the IP header on by bpf, and from that of MAC on by NET_DM. Others are
// seen by the source beside it.
func TestGuestWatch(t *testing.T) {
	all := startWatches(t)
	for _, scenario := range drops.Scenarios {
		if !scenario.Silent {
			t.Run(scenario.Name, func(t *testing.T) { watchScenario(t, all, scenario) })
		}
	}
	all.end(t)
}

func watchScenario(t *testing.T, all watches, scenario drops.Scenario) {
	const n = 3
	drop := scenario.Prepare(t, n)
	before := all.settle(t)
	drop()
	// Before 5.17 any drop fits a scenario without a reason: netlink messages and the
	// like, which are freed at any time, have no protocol.
	shown := func(source string) []line {
		return slices.DeleteFunc(since(t, all[source], before[source]), func(l line) bool {
			return l.Reason != scenario.Reason() || scenario.First == drops.MAC && l.Protocol != "ipv4"
		})
	}
	for source := range all {
		guest.Eventually(t, "all drops are shown by "+source, func() bool { return len(shown(source)) >= n })
	}
	all.await(t)
	for source := range all {
		wantScenario(t, source, scenario, n, shown(source))
	}
}

// wantScenario checks the drops of a scenario that a source has shown.
func wantScenario(t *testing.T, source string, scenario drops.Scenario, n int, shown []line) {
	t.Helper()
	named := scenario.Reason() != "" && scenario.Reason() != "NOT_SPECIFIED" // others may drop for no reason, too
	if named && len(shown) != n {
		t.Errorf("%s: %d drops, want %d: %+v", source, len(shown), n, shown)
	}
	withBytes := source == "bpf" && scenario.First != drops.Transport || source == "netdm" && scenario.First == drops.MAC
	if got := slices.ContainsFunc(shown, func(l line) bool { return l.Flow != nil }); got != withBytes {
		t.Errorf("%s: packets are shown: %v, want %v: %+v", source, got, withBytes, shown)
	}
	got, want := slices.ContainsFunc(shown, line.traceOnly), source == "netdm" && scenario.First != drops.MAC
	if got != want && (named || want) {
		t.Errorf("%s: shown by the source beside it: %v, want %v: %+v", source, got, want, shown)
	}
}

// wantClosed checks the ledger against the drops before it.
func wantClosed(t *testing.T, stdout string) {
	t.Helper()
	all := lines(t, stdout)
	end := all[len(all)-1]
	shown, harmless, lost := 0, 0, 0
	for _, l := range all {
		switch {
		case l.Kind != "drop":
		case l.Harmless != nil:
			harmless += l.Count
		default:
			shown += l.Count
		}
	}
	for _, n := range end.Lost {
		lost += n
	}
	total := shown + harmless + end.Filtered + end.Undecided + end.Fragments + lost
	if end.Kind != "end" || end.Shown != shown || end.Harmless != float64(harmless) || end.Total != total {
		t.Errorf("%d drops and %d harmless ones, and then %+v", shown, harmless, end)
	}
}

// TestGuestWatchInANamespace: NET_DM does not exist there, and bpf does not need
// it.
func TestGuestWatchInANamespace(t *testing.T) {
	own := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	r := awaitWatch(t, guest.StartAs(t, own, "", dropwatchPath, "watch", "--json")).Interrupt()
	if r.Code != 0 || r.Stderr != "dropwatch: using source bpf\n" {
		t.Errorf("%+v", r)
	}
	r = guest.StartAs(t, own, "", dropwatchPath, "watch", "--source", "netdm").Wait()
	if r.Code != 1 || !strings.Contains(r.Stderr, "not a container's") {
		t.Errorf("%+v", r)
	}
}

// TestGuestWatchHardware: bpf does not see drops of devices, so the drop monitor is used.
func TestGuestWatchHardware(t *testing.T) {
	guest.ResetMonitor(t)
	guest.HardwareDrops(t)
	for origins, source := range map[string]string{"hw": "netdm", "sw,hw": "netdm, with trace beside it"} {
		p := guest.Start(t, "", dropwatchPath, "watch", "--json", "--origin", origins)
		p.AwaitOutput(`"origin":"hardware","trap":{"name":"blackhole_route","group":"l3_drops"}`, 2)
		if origins == "sw,hw" {
			awaitWatch(t, p)
		}
		r := p.Interrupt()
		if r.Code != 0 || r.Stderr != "dropwatch: using source "+source+"\n" {
			t.Errorf("%s: %+v", origins, r)
		}
		wantClosed(t, r.Stdout)
	}
	r := guest.Run(t, "", dropwatchPath, "watch", "--source", "bpf", "--origin", "hw")
	if r.Code != 1 || !strings.Contains(r.Stderr, "source bpf: it sees no hardware drops") {
		t.Errorf("%+v", r)
	}
}

// TestGuestWatchCapabilities: what each source lacks is said.
func TestGuestWatchCapabilities(t *testing.T) {
	const dacReadSearch, netAdmin, sysAdmin, sysResource, perfmon, bpf = 2, 12, 21, 24, 38, 39
	start := func(command string, caps ...uintptr) *guest.Process {
		guest.ResetMonitor(t)
		return guest.StartAs(t, &syscall.SysProcAttr{
			Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: caps,
		}, "", dropwatchPath, strings.Fields(command)...)
	}
	if r := start("watch").Wait(); r.Code != 1 || r.Stderr != "dropwatch: root needed: try sudo dropwatch watch\n" {
		t.Errorf("with none: %+v", r)
	}
	if r := start("doctor").Wait(); r.Code != 1 || !strings.HasSuffix(r.Stdout, "bpf: no, netdm: no, trace: no\n") {
		t.Errorf("doctor with none: %+v", r)
	}
	r := awaitWatch(t, start("watch --json", bpf, perfmon, sysResource)).Interrupt()
	if r.Code != 0 || !strings.Contains(r.Stderr, "source bpf\n") {
		t.Errorf("with CAP_BPF and CAP_PERFMON: %+v", r)
	}
	if r := awaitWatch(t, start("watch --json --source trace", dacReadSearch, sysAdmin)).Interrupt(); r.Code != 0 {
		t.Errorf("without CAP_NET_ADMIN: %+v", r)
	}
	r = awaitWatch(t, start("watch --json --source netdm", netAdmin, sysAdmin)).Interrupt()
	if r.Code != 0 || !strings.Contains(r.Stderr, "cannot be shown: trace: ") {
		t.Errorf("without CAP_DAC_READ_SEARCH: %+v", r)
	}
	if guest.Monitoring() {
		t.Error("monitoring was left on")
	}
}

func TestGuestDoctor(t *testing.T) {
	guest.ResetMonitor(t)
	if r := guest.Run(t, "", dropwatchPath, "doctor"); r.Code != 0 || !strings.HasSuffix(r.Stdout, "bpf: yes, netdm: yes, trace: yes\n") {
		t.Errorf("%+v", r)
	}
	p := startOracle(t, "start\nexit\n")
	if r := guest.Run(t, "", dropwatchPath,
		"doctor"); !regexp.MustCompile(`(?m)^warn +monitor +.*dropwatch \(pid \d+\)`).MatchString(r.Stdout) {
		t.Errorf("beside the C program: %+v", r)
	}
	p.Signal(syscall.SIGKILL)
	p.Wait()
	if r := guest.Run(t, "", dropwatchPath, "doctor"); !regexp.MustCompile(`(?m)^warn +monitor +`).MatchString(r.Stdout) {
		t.Errorf("after it was killed: %+v", r)
	}
}

// TestGuestReplay: what was recorded is what was shown, also after a crash.
func TestGuestReplay(t *testing.T) {
	guest.ResetMonitor(t)
	file := filepath.Join(t.TempDir(), "session")
	p := guest.Start(t, "", dropwatchPath, "record", "--source", "netdm", file)
	guest.AwaitMonitoring(t)
	guest.Flood(t, 3)
	guest.FloodOutput(t, 2)
	replayed := func() (udp, output int) {
		r := guest.Run(t, "", dropwatchPath, "replay", "--json", file)
		for _, l := range lines(t, r.Stdout) {
			switch {
			case l.Kind != "drop":
			case strings.Contains(l.Symbol, "udp") && !l.traceOnly() && l.Flow != nil && l.Flow.Src == "127.0.0.1":
				udp++
			case regexp.MustCompile(outputDrop).MatchString(l.Symbol) && l.traceOnly():
				output++
			}
		}
		return udp, output
	}
	guest.Eventually(t, "it is recorded", func() bool { udp, output := replayed(); return udp == 3 && output == 2 })
	p.Signal(syscall.SIGKILL)
	p.Wait()
	r := guest.Run(t, "", dropwatchPath, "replay", file)
	if udp, output := replayed(); r.Code != 1 || udp != 3 || output != 2 || !strings.Contains(r.Stderr, "the recording is truncated") {
		t.Errorf("after a crash: %d and %d drops, %+v", udp, output, r)
	}
}

// TestGuestWatchLayer: layers and modules select drops by reason, and before Linux 5.17 by
// function, in the counts of a flood as well. An exclusion wins.
func TestGuestWatchLayer(t *testing.T) {
	for _, source := range []string{"bpf", "trace"} {
		for _, test := range []struct{ include, exclude, wants, never string }{
			{"transport", "network/netfilter", "transport", "netfilter"},
			{"network/netfilter,transport", "transport", "netfilter", "transport"},
		} {
			t.Run(source+" "+test.include, func(t *testing.T) {
				p := guest.Start(t, "", dropwatchPath, "watch", "--json", "--explain", "-s", source, "-i", test.include, "-e", test.exclude)
				guest.Eventually(t, "drops are shown", func() bool {
					guest.Flood(t, 500)
					guest.FloodOutput(t, 500)
					return strings.Contains(p.Stdout(), `"`+test.wants+`"`)
				})
				r := p.Interrupt()
				for _, l := range lines(t, r.Stdout) {
					is := l.Explain.Layer == test.wants || l.Explain.Module == test.wants
					if l.Kind == "drop" && (!is || l.Explain.Layer == test.never || l.Explain.Module == test.never) {
						t.Errorf("%+v is shown", l)
					}
				}
				wantClosed(t, r.Stdout)
			})
		}
	}
}

// TestGuestWatchFile leaves packets and JSON of one run for the host's tshark.
func TestGuestWatchFile(t *testing.T) {
	guest.ResetMonitor(t)
	p := guest.Start(t, "", dropwatchPath, "watch", "--json", "--source", "netdm", "-w", "/out/"+watchFile)
	guest.AwaitMonitoring(t)
	guest.Flood(t, captureDrops)
	guest.FloodOutput(t, 2)
	p.AwaitOutput(`"trace_only":true`, 2)
	p.AwaitOutput(`"dst_port":9`, captureDrops)
	r := p.Interrupt()
	if r.Code != 0 || r.Stderr != "dropwatch: using source netdm, with trace beside it\n" {
		t.Errorf("%+v", r)
	}
	if err := os.WriteFile("/out/"+watchJSON, []byte(r.Stdout), 0o600); err != nil {
		t.Fatal(err)
	}
}
