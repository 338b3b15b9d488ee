package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/guest"
)

func TestSizes(t *testing.T) {
	page := os.Getpagesize()
	tests := map[string]struct {
		opts                          Options
		ring, snaplen, kinds, stacked int
	}{
		"zero":      {Options{}, 2 << 20, 128, 8192, 0},
		"given":     {Options{RingSize: 1 << 16, Trunc: 64, Kinds: 3, Stack: true}, 1 << 16, 64, 3, 256},
		"rounded":   {Options{RingSize: 1<<16 + 1}, 1 << 17, 128, 8192, 0},
		"too small": {Options{RingSize: 1, Trunc: 1, Kinds: -1}, page, 1, 8192, 0},
		"too large": {Options{RingSize: 1 << 40, Trunc: 1 << 20, Kinds: 1 << 30}, 1 << 30, 65535, 1 << 20, 0},
		"negative":  {Options{RingSize: -1, Trunc: -1}, 2 << 20, 128, 8192, 0},
	}
	for name, tt := range tests {
		o := &tt.opts
		ring, snaplen, kinds, stack := o.ringSize(200), o.snaplen(), o.kinds(), o.stackSize()
		if ring != tt.ring || snaplen != tt.snaplen || kinds != tt.kinds || stack != tt.stacked {
			t.Errorf("%s: ring %d, bytes %d, kinds %d, stack %d, want %d, %d, %d, %d", name, ring, snaplen, kinds, stack, tt.ring,
				tt.snaplen, tt.kinds, tt.stacked)
		}
	}
	if got := (&Options{RingSize: page}).ringSize(66000); got != 1<<20 {
		t.Errorf("a ring of %d bytes for records of 66000", got)
	}
	for record, want := range map[int]int{500: 2 << 20, 600: 4 << 20, 2400: 16 << 20, 66000: 16 << 20} {
		if got := new(Options).ringSize(record); got != want {
			t.Errorf("a ring of %d bytes for records of %d, want %d", got, record, want)
		}
	}
}

// TestEveryOptionLoads: the kernel takes the program with each.
func TestEveryOptionLoads(t *testing.T) {
	for _, form := range forms {
		for _, opts := range []Options{{Sample: -1}, {Sample: 1, Trunc: 1, Kinds: 1, RingSize: 1},
			{Trunc: 1 << 20, Stack: true, ByOwner: true}} {
			t.Run(fmt.Sprintf("%s %+v", form, opts), func(t *testing.T) { needForm(t, form, opts) })
		}
	}
}

// TestCapabilities opens as nobody, with some capabilities. Before 5.11 maps are
// counted as locked memory.
func TestCapabilities(t *testing.T) {
	needAble(t)
	const bpf, perfmon, resource = unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_RESOURCE
	type test struct {
		caps  []uintptr
		opens bool
	}
	tests := map[string]test{
		"none":         {nil, false},
		"only BPF":     {[]uintptr{bpf}, false},
		"only perfmon": {[]uintptr{perfmon}, false},
		"both":         {[]uintptr{bpf, perfmon}, true},
	}
	limited := !guest.AtLeast(5, 11)
	if limited {
		tests["both"] = test{[]uintptr{bpf, perfmon}, false}
		tests["to lift the limit"] = test{[]uintptr{bpf, perfmon, resource}, true}
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if limited {
				limitMemlock(t, func(l *unix.Rlimit) { l.Cur, l.Max = 64<<10, 64<<10 })
			}
			var s *Source
			err := sourcetest.AsNobody(tt.caps, func() (err error) {
				s, err = Open(Options{})
				return err
			})
			if err == nil {
				s.Close()
			}
			const say = "run as root or with CAP_BPF and CAP_PERFMON, before Linux 5.11 also with CAP_SYS_RESOURCE"
			if tt.opens != (err == nil) || err != nil && (!errors.Is(err, bpfprog.ErrPermission) || !strings.Contains(err.Error(), say)) {
				t.Errorf("error %v, want one: %v", err, !tt.opens)
			}
		})
	}
}

// limitMemlock changes how many bytes of memory may be locked, until the end of the test.
func limitMemlock(t *testing.T, change func(*unix.Rlimit)) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_MEMLOCK, nil, &before); err != nil {
		t.Fatal(err)
	}
	set := func(limit unix.Rlimit) {
		if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
			t.Error(err)
		}
	}
	limit := before
	change(&limit)
	set(limit)
	t.Cleanup(func() { set(before) })
}

// TestMemlockFirst: the limit is raised before a map is created, and only where it matters.
func TestMemlockFirst(t *testing.T) {
	limitMemlock(t, func(l *unix.Rlimit) { l.Cur = 0 })
	s := new(Source) // tries no program
	if err := s.load(Options{}, nil, nil); err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Prlimit(0, unix.RLIMIT_MEMLOCK, nil, &limit); err != nil {
		t.Fatal(err)
	}
	if raised := limit.Cur > 0; raised == guest.AtLeast(5, 11) {
		t.Errorf("the limit was raised: %v, to %d", raised, limit.Cur)
	}
}

// TestNoBTF opens where the kernel's BTF is hidden from the whole process, as another
// thread reads it.
func TestNoBTF(t *testing.T) {
	const hidden = "DROPWATCH_TEST_WITHOUT_BTF"
	if os.Getenv(hidden) == "" {
		needAble(t)
		cmd := exec.Command("/proc/self/exe", "-test.run", "^TestNoBTF$", "-test.v")
		cmd.Env = append(os.Environ(), hidden+"=1")
		cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: unix.CLONE_NEWNS}
		if out, err := cmd.CombinedOutput(); err != nil || !bytes.Contains(out, []byte("--- PASS: TestNoBTF")) {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	if err := unix.Mount("", "/sys/kernel/btf", "tmpfs", 0, ""); err != nil {
		t.Fatal(err)
	}
	_, err := Open(Options{})
	if !errors.Is(err, bpfprog.ErrNoBTF) || !strings.Contains(err.Error(), "CONFIG_DEBUG_INFO_BTF") {
		t.Error(err)
	}
}

// TestGenerated compiles drops.bpf.c again: what is committed is made of it.
func TestGenerated(t *testing.T) { sourcetest.Generated(t, vmtest.SkipOrFail, "bpf.go", "drops") }
