package host

import (
	"errors"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"dropwatch/internal/vmtest"
)

// TestReadFile reads what is no regular file, too long, or of another user.
func TestReadFile(t *testing.T) {
	root := t.TempDir()
	path := func(name string) string { return filepath.Join(root, name) }
	for _, name := range []string{"proc/x", "etc/x", "etc/dir/x"} {
		err := errors.Join(os.MkdirAll(filepath.Dir(path(name)), 0o755), os.WriteFile(path(name), []byte(" text\n"), 0o644))
		if err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(
		syscall.Mkfifo(path("etc/fifo"), 0o644), syscall.Mkfifo(path("proc/fifo"), 0o644),
		os.Symlink("fifo", path("etc/link")), os.Symlink("/dev/null", path("etc/null")), os.Symlink("x", path("etc/good")),
		os.WriteFile(path("etc/long"), nil, 0o644), os.Truncate(path("etc/long"), MaxFile+1))
	if err != nil {
		t.Fatal(err)
	}
	h := New(root)
	for name, want := range map[string]error{
		"proc/x": nil, "etc/x": nil, "etc/good": nil, "etc/none": fs.ErrNotExist, "etc/dir": ErrNotRegular,
		"etc/fifo": ErrNotRegular, "proc/fifo": ErrNotRegular, "etc/link": ErrNotRegular, "etc/null": ErrNotRegular, "etc/long": ErrTooLong,
	} {
		text, err := h.Text(name)
		if !errors.Is(err, want) || want == nil && text != "text" {
			t.Errorf("%s: %q, %v, want %v", name, text, err, want)
		}
	}
	me := uint32(os.Getuid())
	for limits, want := range map[Limits]error{
		{6, me, 0}: nil, {6, AnyOwner, 0}: nil, {5, me, time.Minute}: ErrTooLong, {6, me + 1, 0}: ErrOwner,
	} {
		if b, err := h.ReadForeign("etc/good", limits); !errors.Is(err, want) || want == nil && string(b) != " text\n" {
			t.Errorf("%+v: %q, %v, want %v", limits, b, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"7", "30", "x"} {
		if err := os.MkdirAll(filepath.Join(root, "proc", name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	memory := FS(fstest.MapFS{"proc/7/x": {}, "proc/30/x": {}, "proc/x/y": {}})
	for _, h := range []*Host{New(root), memory} {
		if got := h.PIDs(); !slices.Equal(got, []uint32{7, 30}) {
			t.Errorf("processes %d", got)
		}
	}
}

func TestParseStatus(t *testing.T) {
	got, err := ParseStatus([]byte("Name:\tUid: 7 7 7 7\nUid:\t1000\t0\t3\t4\nCapEff:\t0000000000001001\n"))
	want := Credential{1000, 0, 1<<CapNetAdmin | 1}
	if got != want || err != nil || !got.Capabilities.Has(CapNetAdmin) || got.Capabilities.Has(CapNetAdmin, CapBPF) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	for _, text := range []string{"", "Uid:\t1\t2\nCapEff:\t0\n", "Uid:\tx\t0\t0\t0\nCapEff:\t0\n", "Uid:\t0\t0\t0\t0\n"} {
		if _, err := ParseStatus([]byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	if CapBPF.String() != "CAP_BPF" || Capability(63).String() != "CAP_63" {
		t.Error(CapBPF, Capability(63))
	}
}

func TestParseCPUList(t *testing.T) {
	tests := map[string]int{"0": 1, "0-1\n": 2, "0-3,8,10-11": 7, "": -1, "3-1": -1, "x": -1, "-1": -1, "0-99999999": -1}
	for list, want := range tests {
		cpus, err := ParseCPUList(list)
		if (err != nil) != (want < 0) || err == nil && len(cpus) != want {
			t.Errorf("%q: %v, %v", list, cpus, err)
		}
	}
}

func TestPageSizeOfThisHost(t *testing.T) {
	aux, err := os.ReadFile("/proc/self/auxv")
	if err != nil {
		vmtest.SkipOrFail(t, err)
	}
	if got := ParsePageSize(aux); got != os.Getpagesize() {
		t.Errorf("%d bytes, want %d", got, os.Getpagesize())
	}
	if got := ParsePageSize(aux[:5]); got != 0 {
		t.Errorf("%d bytes in what is cut off", got)
	}
}

func TestLockdown(t *testing.T) {
	const file = "sys/kernel/security/lockdown"
	for name, tt := range map[string]struct {
		files fstest.MapFS
		want  Lockdown
		err   error
	}{
		"confidentiality": {fstest.MapFS{file: {Data: []byte("none integrity [confidentiality]\n")}}, LockdownConfidentiality, nil},
		"none":            {fstest.MapFS{file: {Data: []byte("[none] integrity confidentiality\n")}}, LockdownNone, nil},
		"not built":       {fstest.MapFS{"sys/kernel/security/lsm": {}}, LockdownNone, nil},
		"not mounted":     {fstest.MapFS{}, "", fs.ErrNotExist},
	} {
		got, err := FS(tt.files).Lockdown()
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %q, %v, want %q, %v", name, got, err, tt.want, tt.err)
		}
	}
}

func TestUsers(t *testing.T) {
	h := FS(fstest.MapFS{
		"etc/passwd": {Data: []byte("root:x:0:0::/root:/bin/sh\nbroken\nann:x:1000:5::/home/ann:/bin/sh\n")},
		"etc/subuid": {Data: []byte("bob:200000:10\nann:100000:65536\n1000:900000:1\nann:x:y\n")},
	})
	if dir, name := h.Home(1000); dir != "home/ann" || name != "ann" {
		t.Errorf("%q of %q", dir, name)
	}
	for id, want := range map[uint32]bool{
		1000: true, 100_000: true, 165_535: true, 165_536: false, 900_000: true, 200_000: false, 0: false, 1001: false,
	} {
		if got := h.IsUser(id, 1000); got != want {
			t.Errorf("%d is user 1000's: %t, want %t", id, got, want)
		}
	}
}

func TestMounts(t *testing.T) {
	text := "25 20 0:24 / /sys/fs/cgroup ro - tmpfs tmpfs rw\n30 25 0:27 / /a\\040b rw,nosuid shared:9 - cgroup2 cgroup2 rw\nx\n"
	h := FS(fstest.MapFS{"proc/self/mountinfo": {Data: []byte(text)}})
	if got := h.MountPoint("cgroup2"); got != "/a b" || h.MountPoint("tracefs") != "" {
		t.Errorf("mounted at %q", got)
	}
}

func TestLimitsAndDistributions(t *testing.T) {
	const head = "Limit  Soft Limit  Hard Limit  Units\nMax locked memory    "
	for text, want := range map[string]int{
		head + "65536  65536  bytes\n": 65536, head + "unlimited  unlimited  bytes\n": math.MaxInt, "": 0,
	} {
		if got := ParseLockLimit(text); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	got := ParseDistributions("ID_LIKE=\"ubuntu debian\"\nPRETTY=x\nID=neon\n")
	if !slices.Equal(got, []string{"neon", "ubuntu", "debian"}) {
		t.Errorf("%q", got)
	}
}

func TestRequirements(t *testing.T) {
	r := Requirements{Options: []string{"A", "B"}, LockedBytes: 10, LockedPages: 3}
	if got := r.Missing(KernelOptions{Values: map[string]string{"A": "m"}}); strings.Join(got, " ") != "B" {
		t.Errorf("missing %q", got)
	}
	if got := r.Locked(64 << 10); got != 10+3*64<<10 {
		t.Errorf("%d bytes locked", got)
	}
}

func TestVersion(t *testing.T) {
	for release, want := range map[string]Version{"6.12.8-amd64": {6, 12}, "5.17": {5, 17}, "../x": {}, "": {}} {
		if got := ParseVersion(release); got != want {
			t.Errorf("%q: %+v", release, got)
		}
	}
	if (Version{}).Before(9, 9) || !(Version{5, 3}).Before(5, 4) || (Version{5, 4}).Before(5, 4) || !(Version{4, 19}).Before(5, 4) {
		t.Error("order of versions")
	}
}
