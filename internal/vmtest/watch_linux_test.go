package vmtest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// mark is the protocol of drops that awaitWatch made.
var mark = fmt.Sprintf("%#x", drops.MarkType)

// unmarked are the drops that others made.
func unmarked(t *testing.T, stdout string) []line {
	t.Helper()
	return slices.DeleteFunc(lines(t, stdout), func(l line) bool { return l.Kind != "drop" || l.Protocol == mark })
}

// awaitWatch makes drops that are no test's until one is shown.
func awaitWatch(t *testing.T, p *guest.Process) *guest.Process {
	t.Helper()
	guest.Eventually(t, "drops are shown", func() bool {
		if err := drops.Mark(1); err != nil {
			t.Fatal(err)
		}
		return strings.Contains(p.Stdout(), `"protocol":"`+mark+`"`)
	})
	return p
}

// TestGuestWatch sees each way of losing packets by each source: with bytes from
// the IP header on by bpf, and from that of MAC on by NET_DM. Of others the source
// beside it tells.
func TestGuestWatch(t *testing.T) {
	for _, source := range []string{"bpf", "netdm", "trace"} {
		for _, way := range drops.Ways {
			if !way.Silent {
				t.Run(source+"/"+way.Name, func(t *testing.T) { watchWay(t, source, way) })
			}
		}
	}
}

func watchWay(t *testing.T, source string, way drops.Way) {
	const n = 3
	guest.ResetMonitor(t)
	drop := way.Prepare(t, n)
	p := awaitWatch(t, guest.Start(t, "", ours, "watch", "--json", "--source", source))
	drop()
	mine := func() []line {
		return slices.DeleteFunc(unmarked(t, p.Stdout()), func(l line) bool { return l.Reason != way.Reason() })
	}
	guest.Eventually(t, "all drops are shown", func() bool { return len(mine()) >= n })
	r := p.Interrupt()
	if named := way.Reason() != "" && way.Reason() != "NOT_SPECIFIED"; named && len(mine()) != n {
		t.Errorf("%d drops, want %d", len(mine()), n)
	}
	withBytes := source == "bpf" && way.First != drops.Transport || source == "netdm" && way.First == drops.MAC
	if got := slices.ContainsFunc(mine(), func(l line) bool { return l.Flow != nil }); got != withBytes {
		t.Errorf("packets are shown: %v, want %v", got, withBytes)
	}
	if got, want := slices.ContainsFunc(mine(), line.unseen), source == "netdm" && way.First != drops.MAC; got != want {
		t.Errorf("told by the source beside it: %v, want %v", got, want)
	}
	if t.Failed() || r.Code != 0 || guest.Monitoring() {
		t.Errorf("monitoring %v, %+v", guest.Monitoring(), r)
	}
	wantClosed(t, r.Stdout)
}

// wantClosed checks the ledger against the drops before it.
func wantClosed(t *testing.T, stdout string) {
	t.Helper()
	all := lines(t, stdout)
	end := all[len(all)-1]
	shown, lost := 0, 0
	for _, l := range all {
		shown += l.Count
	}
	for _, n := range end.Lost {
		lost += n
	}
	if end.Kind != "end" || end.Shown != shown || end.Total != shown+end.Filtered+end.Parts+lost {
		t.Errorf("%d drops, and then %+v", shown, end)
	}
}

// TestGuestWatchInANamespace: NET_DM does not exist there, and bpf does not need
// it.
func TestGuestWatchInANamespace(t *testing.T) {
	own := &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	r := awaitWatch(t, guest.StartAs(t, own, "", ours, "watch", "--json")).Interrupt()
	if r.Code != 0 || r.Stderr != "dropwatch: source bpf\n" {
		t.Errorf("%+v", r)
	}
	if r := guest.StartAs(t, own, "", ours, "watch", "--source", "netdm").Wait(); r.Code != 1 || !strings.Contains(r.Stderr, "not a container's") {
		t.Errorf("%+v", r)
	}
}

// TestGuestWatchHardware: bpf does not see drops of devices, so NET_DM is taken.
func TestGuestWatchHardware(t *testing.T) {
	guest.ResetMonitor(t)
	guest.HardwareDrops(t)
	const why = ", as another cannot be used: bpf: it sees no hardware drops\n"
	for origins, source := range map[string]string{"hw": "netdm", "sw,hw": "netdm, with trace beside it"} {
		p := guest.Start(t, "", ours, "watch", "--json", "--origin", origins)
		p.AwaitOutput(`"origin":"hardware","trap":{"name":"blackhole_route","group":"l3_drops"}`, 2)
		if origins == "sw,hw" {
			awaitWatch(t, p)
		}
		r := p.Interrupt()
		if r.Code != 0 || r.Stderr != "dropwatch: source "+source+why {
			t.Errorf("%s: %+v", origins, r)
		}
		wantClosed(t, r.Stdout)
	}
	if r := guest.Run(t, "", ours, "watch", "--source", "bpf", "--origin", "hw"); r.Code != 1 || !strings.Contains(r.Stderr, "source bpf: it sees no hardware drops") {
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
		}, "", ours, strings.Fields(command)...)
	}
	r := start("watch").Wait()
	for _, want := range []string{"\n  bpf: ", "CAP_BPF and CAP_PERFMON", "\n  netdm: ", "CAP_NET_ADMIN", "\n  trace: "} {
		if r.Code != 1 || !strings.Contains(r.Stderr, want) {
			t.Errorf("with none: %+v, want %q", r, want)
		}
	}
	if r := start("doctor").Wait(); r.Code != 1 || !strings.HasSuffix(r.Stdout, "bpf: no, netdm: no, trace: no\n") {
		t.Errorf("doctor with none: %+v", r)
	}
	if r := awaitWatch(t, start("watch --json", bpf, perfmon, sysResource)).Interrupt(); r.Code != 0 || !strings.Contains(r.Stderr, "source bpf\n") {
		t.Errorf("with CAP_BPF and CAP_PERFMON: %+v", r)
	}
	if r := awaitWatch(t, start("watch --json --source trace", dacReadSearch, sysAdmin)).Interrupt(); r.Code != 0 {
		t.Errorf("without CAP_NET_ADMIN: %+v", r)
	}
	if r := awaitWatch(t, start("watch --json --source netdm", netAdmin, sysAdmin)).Interrupt(); r.Code != 0 || !strings.Contains(r.Stderr, "cannot be shown: trace: ") {
		t.Errorf("without CAP_DAC_READ_SEARCH: %+v", r)
	}
	if guest.Monitoring() {
		t.Error("monitoring was left on")
	}
}

func TestGuestDoctor(t *testing.T) {
	guest.ResetMonitor(t)
	if r := guest.Run(t, "", ours, "doctor"); r.Code != 0 || !strings.HasSuffix(r.Stdout, "bpf: yes, netdm: yes, trace: yes\n") {
		t.Errorf("%+v", r)
	}
	p := startOracle(t, "start\nexit\n")
	if r := guest.Run(t, "", ours, "doctor"); !regexp.MustCompile(`(?m)^warn +monitor +.*dropwatch \(pid \d+\)`).MatchString(r.Stdout) {
		t.Errorf("beside the C program: %+v", r)
	}
	p.Signal(syscall.SIGKILL)
	p.Wait()
	if r := guest.Run(t, "", ours, "doctor"); !regexp.MustCompile(`(?m)^warn +monitor +`).MatchString(r.Stdout) {
		t.Errorf("after it was killed: %+v", r)
	}
}

// TestGuestReplay: what was recorded is what was shown, also after a crash.
func TestGuestReplay(t *testing.T) {
	guest.ResetMonitor(t)
	file := filepath.Join(t.TempDir(), "session")
	p := guest.Start(t, "", ours, "record", "--source", "netdm", file)
	guest.AwaitMonitoring(t)
	guest.Flood(t, 3)
	guest.FloodOutput(t, 2)
	replayed := func() (udp, output int) {
		r := guest.Run(t, "", ours, "replay", "--json", file)
		for _, l := range lines(t, r.Stdout) {
			switch {
			case l.Kind != "drop":
			case strings.Contains(l.Symbol, "udp") && !l.unseen() && l.Flow != nil && l.Flow.Src == "127.0.0.1":
				udp++
			case regexp.MustCompile(outputDrop).MatchString(l.Symbol) && l.unseen():
				output++
			}
		}
		return udp, output
	}
	guest.Eventually(t, "it is recorded", func() bool { udp, output := replayed(); return udp == 3 && output == 2 })
	p.Signal(syscall.SIGKILL)
	p.Wait()
	r := guest.Run(t, "", ours, "replay", file)
	if udp, output := replayed(); r.Code != 1 || udp != 3 || output != 2 || !strings.Contains(r.Stderr, "breaks off, as after a crash") {
		t.Errorf("after a crash: %d and %d drops, %+v", udp, output, r)
	}
}

// TestGuestWatchFile leaves packets and JSON of one run for the host's tshark.
func TestGuestWatchFile(t *testing.T) {
	guest.ResetMonitor(t)
	p := guest.Start(t, "", ours, "watch", "--json", "--source", "netdm", "-w", "/out/"+watchFile)
	guest.AwaitMonitoring(t)
	guest.Flood(t, captureDrops)
	guest.FloodOutput(t, 2)
	p.AwaitOutput(`"unseen":true`, 2)
	p.AwaitOutput(`"dst_port":9`, captureDrops)
	r := p.Interrupt()
	if r.Code != 0 || r.Stderr != "dropwatch: source netdm, with trace beside it\n" {
		t.Errorf("%+v", r)
	}
	if err := os.WriteFile("/out/"+watchJSON, []byte(r.Stdout), 0o600); err != nil {
		t.Fatal(err)
	}
}
