package perf

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
)

// fakeProbes returns a set of probes in a directory with a list of probes, on a host with some processes.
func fakeProbes(t *testing.T, list string, processes map[int]process) (p *Probes, file string) {
	t.Helper()
	tracefs, root := t.TempDir(), t.TempDir()
	file = filepath.Join(tracefs, probesFile)
	write(t, file, list)
	for pid, pr := range processes {
		dir := filepath.Join(root, "proc", fmt.Sprint(pid))
		stat := fmt.Sprintf("%d (a) b) S%s %d 0\n", pid, strings.Repeat(" 0", 18), pr.start)
		write(t, filepath.Join(dir, "stat"), stat)
		link(t, fmt.Sprintf("pid:[%d]", pr.namespace), filepath.Join(dir, "ns/pid"))
		if pid == os.Getpid() {
			link(t, fmt.Sprintf("pid:[%d]", pr.namespace), filepath.Join(root, "proc/self/ns/pid"))
		}
	}
	dir, err := unix.Open(tracefs, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	p, err = newProbes(dir, host.New(root))
	if err != nil {
		t.Fatal(err)
	}
	return p, file
}

// A process of a test: when it began, in hundredths of a second, and its PID namespace.
type process struct{ start, namespace uint64 }

func write(t *testing.T, name, text string) {
	t.Helper()
	os.MkdirAll(filepath.Dir(name), 0o700)
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, name string) {
	t.Helper()
	os.MkdirAll(filepath.Dir(name), 0o700)
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}

// TestLeftovers: only what the dead have left is removed, whatever else is there.
func TestLeftovers(t *testing.T) {
	const initial, container, gone = 4026531836, 4026532500, 4026532600
	const tick = 10_000_000 // nanoseconds
	self, live, other := os.Getpid(), os.Getpid()+1, os.Getpid()+2
	of := func(ns uint64, pid, start int) string {
		return maker{namespace: ns, pid: uint32(pid), start: uint64(start) * tick}.group(1) + "/e"
	}
	kept := []string{of(initial, self, 500), of(initial, live, 700), of(container, 1, 900), "kprobes/mine", "dropwatch_x/e"}
	dead := []string{of(initial, self, 400), of(initial, live, 701), of(initial, self+9, 5), of(gone, 1, 900)}
	var list strings.Builder
	for _, event := range append(slices.Clone(kept), dead...) {
		list.WriteString("p:" + event + " tcp_v4_rcv\n")
	}
	p, file := fakeProbes(t, list.String(), map[int]process{
		self: {500, initial}, live: {700, initial}, other: {900, container},
	})
	defer p.Close()
	if err := p.removeLeftovers(); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(file)
	removed := strings.TrimPrefix(string(text), list.String())
	if want := "-:" + strings.Join(dead, "\n-:") + "\n"; removed != want {
		t.Errorf("removed\n%swant\n%s", removed, want)
	}
	inside := *p
	inside.self.namespace = container // where other processes are not visible
	inside.host = host.New(t.TempDir())
	if m, _ := parseGroup(strings.TrimSuffix(of(gone, 1, 900), "/e")); inside.dead(m) {
		t.Error("in a container a process of another PID namespace is taken for dead")
	}
}

// TestCloseRemoves what was made, also if the format cannot be read.
func TestCloseRemoves(t *testing.T) {
	p, file := fakeProbes(t, "p:kprobes/mine f\n", map[int]process{os.Getpid(): {500, 4026531836}})
	_, _, err := p.Add(Probe{Name: "accept", Function: "tcp_conn_request"})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no format: %v", err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	event := p.self.group(p.set) + "/" + p.self.event(p.set, "accept")
	text, _ := os.ReadFile(file)
	if want := "p:kprobes/mine f\np:" + event + " tcp_conn_request\n-:" + event + "\n"; string(text) != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
}

func TestErrorsOfProbesSayWhatToDo(t *testing.T) {
	p, _ := fakeProbes(t, "", map[int]process{os.Getpid(): {500, 4026531836}})
	defer p.Close()
	tests := map[string]struct {
		err, is error
		say     string
	}{
		"not built": {explainProbes(unix.ENOENT, false), ErrNoProbes, "CONFIG_KPROBE_EVENTS"},
		"locked":    {explainProbes(unix.EPERM, true), ErrPermission, "boot it without lockdown"},
		"no root":   {explainProbes(unix.EACCES, false), ErrPermission, "run as root"},
		"read only": {explainProbes(unix.EROFS, false), unix.EROFS, ""},
		"function":  {p.explain(unix.ENOENT, "p:g/e f"), ErrNoFunction, ""},
		"several":   {p.explain(unix.EADDRNOTAVAIL, "p:g/e f"), ErrNoFunction, "several functions"},
		"forbidden": {p.explain(unix.EINVAL, "p:g/e f"), unix.EINVAL, `refuses "p:g/e f"`},
	}
	for name, tt := range tests {
		if !errors.Is(tt.err, tt.is) || !strings.Contains(tt.err.Error(), tt.say) || strings.Contains(tt.err.Error(), "\n") {
			t.Errorf("%s: %v", name, tt.err)
		}
	}
}

// TestProbesOfThisHost: a kernel has probes, or the error says in one line why not.
func TestProbesOfThisHost(t *testing.T) {
	vmtest.RequireRoot(t)
	p, err := OpenProbes()
	if err == nil {
		err = p.Close()
	} else if !errors.Is(err, ErrNoProbes) && !errors.Is(err, ErrPermission) {
		t.Errorf("neither probes nor why not: %v", err)
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("several lines: %v", err)
	}
	t.Log(err)
}
