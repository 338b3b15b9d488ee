package acceptance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"dropwatch/internal/host"
	"dropwatch/internal/vmtest/drops"
	"dropwatch/internal/vmtest/guest"
)

// probes returns the probes that the kernel has, one a line.
func probes(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("/sys/kernel/tracing/kprobe_events")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// fullQueue returns a namespace with a listener whose queue has room for 3 connections, and has one more. Refuse
// has it refuse one SYN.
func fullQueue(t *testing.T) (ns *drops.Namespace, refuse func()) {
	t.Helper()
	ns = drops.NewNamespace(t)
	listener := ns.Listen(syscall.SOCK_STREAM)
	ns.Do(func() error { return syscall.Listen(listener, 3) })
	for range 4 {
		ns.Write(ns.Dial())
	}
	return ns, func() {
		before := overflows(ns)
		fd := ns.Dial()
		ns.Await("the SYN is refused", func() bool { return overflows(ns) > before })
		ns.Close(fd) // otherwise it is sent again
	}
}

// overflows is how many SYNs were refused.
func overflows(ns *drops.Namespace) int { return ns.Counter("netstat", "TcpExt", "ListenOverflows") }

// startProbes starts dropwatch, and waits until it sees all that happens at its points: it says its source then.
func startProbes(t *testing.T, args ...string) *guest.Process {
	t.Helper()
	p := guest.Start(t, "", dropwatchPath, args...)
	p.AwaitMessage("using source ")
	return p
}

// events are the events at points that --json wrote, as text, and how many the ledger has.
func events(t *testing.T, stdout string) (all []string, shown int) {
	t.Helper()
	for text := range strings.Lines(stdout) {
		var l struct {
			Kind, Symbol string
			Point        struct {
				Name string
				Args struct{ Qlen, Limit, Port int }
			}
			Points struct{ Shown int }
		}
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		switch l.Kind {
		case "point":
			args, _ := json.Marshal(l.Point.Args) // a struct of numbers
			all = append(all, l.Point.Name+" "+l.Symbol+" "+string(args))
		case "end":
			shown = l.Points.Shown
		}
	}
	return all, shown
}

const refused = `tcp_accept_queue tcp_conn_request {"Qlen":4,"Limit":3,"Port":9}`

// TestGuestWatchPoints: what a point reports is what the kernel counts, as text and as JSON, live and recorded, by
// several at once, with drops and without. Nothing is left in the kernel.
func TestGuestWatchPoints(t *testing.T) {
	file, done := filepath.Join(t.TempDir(), "points.dw"), filepath.Join(t.TempDir(), "done")
	ns, refuse := fullQueue(t)
	text := startProbes(t, "watch", "--point", "tcp_accept_queue,udp_queue")
	asJSON := startProbes(t, "watch", "--json", "--point", "transport/tcp", "point", "tcp_accept_queue")
	// It ends with its command: to remove all probes takes longer here than an interrupted run may.
	alone := startProbes(t, "watch", "--json", "--point", "all", "kind", "point", "and", "args.limit", "<", "4", "--",
		"sh", "-c", "until [ -e "+done+" ]; do sleep 0.1; done")
	record := startProbes(t, "record", "--point", "tcp_accept_queue", file)
	before := overflows(ns)
	for range 3 {
		refuse()
	}
	n := overflows(ns) - before
	line := `point tcp_accept_queue +tcp_conn_request .* qlen 4 limit 3 port 9 `
	text.AwaitOutput(line, n)
	for _, p := range []*guest.Process{asJSON, alone} {
		p.AwaitOutput(`"kind":"point"`, n)
	}
	replay := func() guest.Result {
		return guest.Run(t, "", dropwatchPath, "replay", "--json", file, "point", "==", "tcp_accept_queue")
	}
	guest.Eventually(t, "they are recorded", func() bool { return strings.Count(replay().Stdout, `"kind":"point"`) >= n })

	r := text.Interrupt()
	if got := len(regexp.MustCompile(line).FindAllString(r.Stdout, -1)); got != n || r.Code != 0 ||
		!strings.Contains(r.Stdout, "SYN refused on port 9: accept queue 4 of 3\n") || !strings.Contains(r.Stderr, " and probe") {
		t.Errorf("%d lines, want %d: %+v", got, n, r)
	}
	wantEvents(t, asJSON.Interrupt(), n)
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	wantEvents(t, alone.Wait(), n)
	if r := record.Interrupt(); r.Code != 0 {
		t.Errorf("record: %+v", r)
	}
	wantEvents(t, replay(), n)
	if left := probes(t); left != "" {
		t.Errorf("probes left:\n%s", left)
	}
}

// wantEvents checks that a run reported that n SYNs were refused, and no other point.
func wantEvents(t *testing.T, r guest.Result, n int) {
	t.Helper()
	all, shown := events(t, r.Stdout)
	if r.Code != 0 || len(all) != n || shown != n {
		t.Errorf("exit code %d, %d events, %d in the ledger, want %d: %s%s", r.Code, len(all), shown, n, r.Stdout, r.Stderr)
	}
	for _, e := range all {
		if e != refused {
			t.Errorf("%s, want %s", e, refused)
		}
	}
}

// TestGuestSessionPoints: what is on in a session is reported by start and watch, and no longer when it is off.
func TestGuestSessionPoints(t *testing.T) {
	guest.ResetMonitor(t)
	_, refuse := fullQueue(t)
	s := openTerminal(t)
	s.expect("dropwatch> ")
	s.enter("points on tcp_accept_qeue")
	s.expect("did you mean tcp_accept_queue?")
	s.enter("points on tcp_accept_queue udp")
	s.expect("points that are on from the next start, watch or record: tcp_accept_queue, udp_queue")
	s.enter("points off udp")
	s.expect("tcp_accept_queue\r\n")
	for command, ready := range map[string]string{"start": "Issue Ctrl-C", "watch kind point": "using source probe"} {
		s.enter(command)
		s.expect(ready)
		refuse()
		s.expect("point tcp_accept_queue")
		s.press("\x03")
		s.expect("dropwatch> ")
		if left := probes(t); left != "" {
			t.Errorf("%s left probes:\n%s", command, left)
		}
	}
	s.enter("points test tcp_accept_queue")
	s.expect("tcp_accept_queue: possible on this kernel")
	if guest.AtLeast(5, 12) {
		s.expect("by BPF attached to the function (fentry)")
	} else {
		s.expect("by a kprobe event and BPF")
	}
	s.expect("dropwatch> ")
	s.enter("points off")
	s.expect("no points are on")
	s.enter("watch -d 1s kind point")
	s.expect("none is reported")
	s.expect("dropwatch> ")
	s.enter("exit")
	s.wait()
}

// TestGuestTopPoints: the live view has a row of the point and the port.
func TestGuestTopPoints(t *testing.T) {
	_, refuse := fullQueue(t)
	s := openTerminal(t, "top", "--point", "tcp_accept_queue")
	s.expect("No point events in")
	refuse()
	s.expect("tcp_accept_queue")
	s.press("q")
	s.expect("1 point event in")
	s.expect("SYN refused on port 9: accept queue 4 of 3")
	s.wait()
	if left := probes(t); left != "" {
		t.Errorf("probes left:\n%s", left)
	}
}

// TestGuestKilledPoints: what a killed dropwatch leaves is off, and gone when the next one reports points; where BPF is
// attached to functions, it leaves nothing.
func TestGuestKilledPoints(t *testing.T) {
	p := startProbes(t, "watch", "--point", "tcp_accept_queue", "kind", "point")
	p.Signal(syscall.SIGKILL)
	p.Wait()
	if left := probes(t); strings.Count(left, "\n") != 1 && !guest.AtLeast(5, 12) || left != "" && guest.AtLeast(5, 12) {
		t.Errorf("left: %s", left)
	}
	r := guest.Run(t, "", dropwatchPath, "watch", "--point", "udp_queue", "-d", "100ms", "kind", "point")
	if left := probes(t); r.Code != 0 || left != "" {
		t.Errorf("%+v, left: %s", r, left)
	}
}

// TestGuestServicePoints: a service reports the points that its configuration names, and those that it has.
func TestGuestServicePoints(t *testing.T) {
	dir := t.TempDir()
	file, out := filepath.Join(dir, "dropwatch.toml"), filepath.Join(dir, "out.json")
	text := `output = ["json:` + out + `"]
points = ["tcp_accept_queue"]
expression = "kind == point"
[[point]]
name = "own"
functions = ["tcp_conn_request"]
when = "sk->sk_num == 9"
args = ["limit = sk->sk_max_ack_backlog"]
`
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, refuse := fullQueue(t)
	p := startProbes(t, "run", "--config", file)
	refuse()
	guest.Eventually(t, "both points are reported", func() bool {
		text, _ := os.ReadFile(out)
		return strings.Contains(string(text), `{"name":"tcp_accept_queue","args":{"qlen":4,"limit":3,"port":9}}`) &&
			strings.Contains(string(text), `{"name":"own","args":{"limit":3}}`)
	})
	if r := p.Interrupt(); r.Code != 0 || !strings.Contains(r.Stderr, "limit 3\n") || probes(t) != "" {
		t.Errorf("%+v, left: %s", r, probes(t))
	}
}

// TestGuestUnitOfPoints: the capabilities of the unit suffice for a service that reports points, as a user of its own,
// without CAP_SYS_ADMIN where perf_event_paranoid is not above 2.
func TestGuestUnitOfPoints(t *testing.T) {
	if guest.IsBetween() {
		return
	}
	guest.Sysctl(t, "kernel/perf_event_paranoid", "2")
	dir := t.TempDir()
	file := filepath.Join(dir, "dropwatch.toml")
	text := "output = [\"json:" + filepath.Join(dir, "out.json") + "\"]\npoints = [\"tcp_accept_queue\"]\nexpression = \"kind == point\"\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	unit := guest.Run(t, "", dropwatchPath, "config", "--systemd", "--config", file).Stdout
	_, rest, _ := strings.Cut(unit, "AmbientCapabilities=")
	names, _, _ := strings.Cut(rest, "\n")
	const sysResource, all = 24, 64
	caps := []uintptr{sysResource} // for which the unit has LimitMEMLOCK
	for c := range host.Capability(all) {
		if slices.Contains(strings.Fields(names), c.String()) {
			caps = append(caps, uintptr(c))
		}
	}
	_, refuse := fullQueue(t)
	p := guest.StartAs(t, &syscall.SysProcAttr{
		Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: caps,
	}, "", dropwatchPath, "run", "--config", file)
	p.AwaitMessage("using source probe")
	p.AwaitIdle()
	refuse()
	guest.Eventually(t, "the point is reported", func() bool {
		out, _ := os.ReadFile(filepath.Join(dir, "out.json"))
		return strings.Contains(string(out), `"kind":"point"`) || p.Ended()
	})
	r := p.Interrupt()
	if r.Code != 0 || strings.Contains(r.Stderr, "without BPF") || strings.Contains(names, "SYS_ADMIN") || probes(t) != "" {
		t.Errorf("with %s: %+v, left: %s", names, r, probes(t))
	}
}
