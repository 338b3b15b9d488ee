package app

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A serviceRun is a service whose configuration can be changed.
type serviceRun struct {
	*verbRun
	config string // the path of its file
	lines  string // that of an output
}

// startService runs a configuration with a fake monitor, with an output of JSON and settings
// besides.
func startService(t *testing.T, fake, settings string) *serviceRun {
	t.Helper()
	dir := t.TempDir()
	s := &serviceRun{config: dir + "/service.toml", lines: dir + "/lines.json"}
	s.configure(t, settings)
	s.verbRun = startVerb(t, fake, "-l", "none", "run", "--config", s.config)
	return s
}

// configure writes the configuration.
func (s *serviceRun) configure(t *testing.T, settings string) {
	t.Helper()
	text := fmt.Sprintf("source = 'netdm'\noutput = ['json:%s']\n%s", s.lines, settings)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// written returns the lines of the output.
func (s *serviceRun) written() string { b, _ := os.ReadFile(s.lines); return string(b) }

// signal sends a signal to the service.
func (s *serviceRun) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// starts returns how often monitoring was switched on.
func (s *serviceRun) starts() int { return strings.Count(s.changes(), "start ") }

// reload makes the service read its configuration, and waits until it monitors again.
func (s *serviceRun) reload(t *testing.T) {
	t.Helper()
	before := s.starts()
	s.signal(t, syscall.SIGHUP)
	await(t, "it monitors again", func() bool { return s.starts() > before })
}

// TestServiceWritesAsConfigured: outputs, source and filter are those of the file, and SIGINT and
// SIGTERM are how it ends.
func TestServiceWritesAsConfigured(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			s := startService(t, "packet summary=3 packet", "expression = 'not proto arp'")
			await(t, "the drops are written", func() bool { return strings.Count(s.written(), `"kind":"drop"`) == 2 })
			if code := s.end(t, sig); code != 0 || !strings.Contains(s.stderr.String(), "\ntotal 5: 2 shown, 0 lost, 3 undecided") {
				t.Errorf("exit code %d: %s", code, &s.stderr)
			}
			if !strings.Contains(s.changes(), "stop\n") {
				t.Errorf("it is still on: %s", s.changes())
			}
		})
	}
}

// TestReload: another configuration is run without a drop that is not accounted for: the run before
// ends with its ledger, and that after begins with the time that nobody watched.
func TestReload(t *testing.T) {
	s := startService(t, "packet packet", "")
	await(t, "the drops are written", func() bool { return strings.Count(s.written(), `"kind":"drop"`) == 2 })
	s.configure(t, "expression = 'len > 60'\n")
	s.reload(t)
	await(t, "the drops are written", func() bool { return strings.Count(s.written(), `"kind":"drop"`) == 4 })
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	var kinds []string
	for line := range strings.Lines(s.written()) {
		kinds = append(kinds, regexp.MustCompile(`"kind":"([a-z]+)"`).FindStringSubmatch(line)[1])
	}
	if name, _ := os.Hostname(); strings.Count(s.written(), `Z","host":"`+name+`"`) != len(kinds) {
		t.Errorf("lines do not name the host %s: %s", name, s.written())
	}
	if got, want := strings.Join(kinds, " "), "drop drop end loss drop drop end"; got != want {
		t.Errorf("kinds %s, want %s: %s", got, want, s.written())
	}
	if !strings.Contains(s.written(), `"cause":"the configuration was read again"`) {
		t.Errorf("the cause of the gap is missing: %s", s.written())
	}
	said := s.stderr.String()
	if !strings.Contains(said, "no source was running for ") || strings.Count(said, "total 2: 2 shown, 0 lost\n") != 2 {
		t.Errorf("the ledgers are missing: %s", said)
	}
}

// TestReloadWrong: a wrong configuration changes nothing, and one that cannot be run is replaced by
// the one before.
func TestReloadWrong(t *testing.T) {
	s := startService(t, "packet", "")
	s.configure(t, "stak = true")
	s.signal(t, syscall.SIGHUP)
	await(t, "it says why", func() bool { return strings.Contains(s.stderr.String(), "the configuration is unchanged") })
	if !strings.Contains(s.stderr.String(), "service.toml:3: unknown key stak: did you mean stack?\n") || s.starts() != 1 {
		t.Errorf("%d starts: %s", s.starts(), &s.stderr)
	}
	missing := filepath.Dir(s.lines) + "/none/lines.json"
	if err := os.WriteFile(s.config, []byte("source = 'netdm'\noutput = ['json:"+missing+"']\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.reload(t)
	await(t, "it goes on", func() bool { return strings.Count(s.written(), `"kind":"drop"`) == 2 })
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	for _, want := range []string{"create the directory", "\ndropwatch: going on with the configuration before\n"} {
		if !strings.Contains(s.stderr.String(), want) {
			t.Errorf("%q is missing: %s", want, &s.stderr)
		}
	}
}

// TestServiceManager: systemd hears when the service is ready, alive, reloading and stopping.
func TestServiceManager(t *testing.T) {
	name := t.TempDir() + "/notify"
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	hear := func(want string) {
		t.Helper()
		b := make([]byte, 1024)
		for heard := ""; !strings.HasPrefix(heard, want); {
			_ = conn.SetReadDeadline(time.Now().Add(maxWait))
			n, err := conn.Read(b)
			if err != nil {
				t.Fatalf("%s: %v", want, err)
			}
			heard = string(b[:n])
		}
	}
	t.Setenv("NOTIFY_SOCKET", name)
	t.Setenv("WATCHDOG_USEC", strconv.Itoa(int(200*time.Millisecond/time.Microsecond)))
	s := startService(t, "packet", "")
	hear("READY=1\nSTATUS=watching drops")
	hear("WATCHDOG=1")
	s.signal(t, syscall.SIGHUP)
	hear("RELOADING=1\nMONOTONIC_USEC=")
	hear("READY=1\n")
	s.configure(t, "stak = true")
	s.signal(t, syscall.SIGHUP)
	hear("RELOADING=1")
	hear("READY=1\nSTATUS=watching drops; the configuration that was read last is wrong")
	s.signal(t, syscall.SIGTERM)
	hear("STOPPING=1")
	if code := s.end(t, 0); code != 0 {
		t.Errorf("exit code %d: %s", code, &s.stderr)
	}
}

// TestManyReloads: a service that is reloaded all the time keeps no file open, and no memory, and
// each drop of the fake is in a ledger.
func TestManyReloads(t *testing.T) {
	const reloads = 30
	s := startService(t, "packets", "")
	files := func() int {
		names, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", s.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(names)
	}
	s.reload(t)
	before := files()
	for range reloads {
		s.reload(t)
	}
	await(t, fmt.Sprintf("no more than %d files are open", before), func() bool { return files() <= before })
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d: %s", code, &s.stderr)
	}
	shown := 0
	for _, total := range regexp.MustCompile(`(?m)^total \d+: (\d+) shown, 0 lost$`).FindAllStringSubmatch(s.stderr.String(), -1) {
		n, _ := strconv.Atoi(total[1])
		shown += n
	}
	written := strings.Count(s.written(), `"kind":"drop"`)
	if ends := strings.Count(s.written(), `"kind":"end"`); ends != reloads+2 || written == 0 || written != shown {
		t.Errorf("%d ends, %d drops written, %d in the ledgers", ends, written, shown)
	}
}

// last returns what last shows of a ring.
func last(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("dropwatch", append([]string{"-l", "none", "last"}, args...)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("last %q: %v", args, err)
	}
	return string(out)
}

// TestRecorder: last shows what a service has recorded, while it runs, after it was killed, and over
// the runs of several services. Two services cannot share a directory.
func TestRecorder(t *testing.T) {
	dir := t.TempDir() + "/ring"
	const drop = "__udp4_lib_rcv+0x9a2"
	more := fmt.Sprintf("output = ['json', 'recorder:%s,size=4M']\n", dir)
	run := func(fake string) *serviceRun {
		path := t.TempDir() + "/service.toml"
		if err := os.WriteFile(path, []byte("source = 'netdm'\n"+more), 0o600); err != nil {
			t.Fatal(err)
		}
		return &serviceRun{config: path, verbRun: startVerb(t, fake, "-l", "none", "run", "--config", path)}
	}
	recorded := func() int { return strings.Count(last(t, "--dir", dir, "--json"), `"kind":"drop"`) }
	segments := func() int { names, _ := filepath.Glob(dir + "/*.dw"); return len(names) }

	s := run("packet packet packet")
	await(t, "a segment is written", func() bool { return segments() == 1 })
	if n := recorded(); n != 3 {
		t.Errorf("%d drops while it runs, want 3", n)
	}
	s.signal(t, syscall.SIGKILL)
	s.end(t, 0)
	if n := recorded(); n != 3 {
		t.Errorf("%d drops after it was killed, want 3", n)
	}

	s = run("packet packet")
	await(t, "a second segment is written", func() bool { return segments() == 2 })
	second := exec.Command("dropwatch", "-l", "none", "run", "--config", s.config)
	second.Env = append(os.Environ(), "FAKE=packet")
	if out, err := second.CombinedOutput(); err == nil || !strings.Contains(string(out), "another program is writing to "+dir) {
		t.Errorf("a second service: %v: %s", err, out)
	}
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d: %s", code, &s.stderr)
	}
	text := last(t, "--config", s.config, "len", ">", "60")
	if strings.Count(text, drop) != 5+1 || !strings.Contains(text, "total 5: 5 shown, 0 lost\n") {
		t.Errorf("5 drops and a table are not shown: %s", text)
	}
	if text := last(t, "--config", s.config, "10m"); !strings.Contains(text, "\nno drops in ") { // those of the fake are of 2001
		t.Errorf("old drops are shown: %s", text)
	}
}

// TestAlert: an incident is a line on standard error and a run of a program, and goes on over a
// reload that leaves its alert as it is.
func TestAlert(t *testing.T) {
	got := t.TempDir() + "/got"
	program := t.TempDir() + "/program"
	if err := os.WriteFile(program, []byte("#!/bin/sh\ncat >>"+got+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	settings := "[[alert]]\nname = 'many'\ncount = 25\nwindow = '1h'\ncommand = ['" + program + "']\n"
	s := startService(t, "summary=30", settings)
	read := func() string { b, _ := os.ReadFile(got); return string(b) }
	await(t, "the program has run", func() bool { return strings.Contains(read(), `"kind":"end"`) })
	if !strings.Contains(read(), `"name":"many","state":"begin"`) || !strings.Contains(read(), `"kind":"finding"`) {
		t.Errorf("the program got %s", read())
	}
	s.configure(t, "stack = true\n"+settings)
	s.reload(t)
	await(t, "the drops are written", func() bool { return strings.Count(s.written(), `"kind":"drop"`) == 2 })
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
	if n := strings.Count(s.stderr.String(), "\ndropwatch: alert many: 30 drops within 1h"); n != 1 {
		t.Errorf("%d lines about it: %s", n, &s.stderr)
	}
}

// TestServiceOnTerminal: SIGHUP reloads a service that was started on a terminal, and the end of the
// terminal ends it.
func TestServiceOnTerminal(t *testing.T) {
	path := t.TempDir() + "/service.toml"
	text := "source = 'netdm'\noutput = ['json:" + t.TempDir() + "/lines.json']\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c := newConsole(t, []string{"FAKE=packet"}, "dropwatch", "-l", "none", "run", "--config", path).onTerminal()
	c.expect("using configuration "+path, "using source").signal(syscall.SIGHUP)
	c.expect("configuration "+path+" was read again", "using source")
	c.in.Close()
	c.wait(129)
	if !strings.HasSuffix(c.changes(), "stop, config summary 0 1000") {
		t.Errorf("it is still on: %s", c.changes())
	}
}

// TestConfiguredNames: an expression that cannot match on this kernel is found before it is run.
func TestConfiguredNames(t *testing.T) {
	s := startService(t, "packet", "")
	s.configure(t, "[[alert]]\nname = 'a'\ncount = 1\nexpression = 'reason == NO_SUCH_REASON'\n")
	s.signal(t, syscall.SIGHUP)
	await(t, "it says why", func() bool { return strings.Contains(s.stderr.String(), "the configuration is unchanged") })
	said := s.stderr.String()
	if !strings.Contains(said, s.config+":6: ") || !strings.Contains(said, "NO_SUCH_REASON") || s.starts() != 1 {
		t.Errorf("%d starts: %s", s.starts(), said)
	}
	if code := s.end(t, syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// TestRecorderOfOthers: a directory where other users can write is none for a recorder.
func TestRecorderOfOthers(t *testing.T) {
	dir := t.TempDir() + "/shared"
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777|os.ModeSticky)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("dropwatch", "-l", "none", "watch", "-s", "netdm", "--output", "recorder:"+dir)
	cmd.Env = append(os.Environ(), "FAKE=packet")
	out, _ := cmd.CombinedOutput()
	if !strings.Contains(string(out), "other users can write to the directory "+dir+": name one of your own\n") {
		t.Errorf("it says %s", out)
	}
}
