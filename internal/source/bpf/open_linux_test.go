package bpf

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"dropwatch/internal/vmtest/drops"
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
			t.Errorf("%s: ring %d, bytes %d, kinds %d, stack %d, want %d, %d, %d, %d", name, ring, snaplen, kinds, stack, tt.ring, tt.snaplen, tt.kinds, tt.stacked)
		}
	}
	if got := (&Options{RingSize: page}).ringSize(66000); got != 1<<20 {
		t.Errorf("a ring of %d bytes for records of 66000", got)
	}
}

// TestEveryOptionLoads: the kernel takes the program with each.
func TestEveryOptionLoads(t *testing.T) {
	for _, form := range forms {
		for _, opts := range []Options{{}, {Sample: 1}, {Trunc: 1}, {Trunc: 1 << 20, Stack: true}, {ByOwner: true}, {Kinds: 1, RingSize: 1}, {Sample: -1}} {
			t.Run(fmt.Sprintf("%s %+v", form, opts), func(t *testing.T) { needForm(t, form, opts) })
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	refused := &ebpf.VerifierError{Cause: unix.EACCES}
	tests := map[string]struct {
		err, is error
		say     string
	}{
		"not root":     {fmt.Errorf("x: %w", unix.EPERM), ErrPermission, "CAP_BPF and CAP_PERFMON"},
		"no BTF":       {fmt.Errorf("%w: %w", ErrNoBTF, ebpf.ErrNotSupported), ErrNoBTF, ""},
		"no BPF":       {unix.ENOSYS, ErrUnsupported, "CONFIG_BPF_SYSCALL"},
		"no ring":      {unix.EINVAL, ErrUnsupported, "Linux 5.8"},
		"not verified": {refused, ErrUnsupported, "another source"},
		"another":      {unix.EMFILE, unix.EMFILE, ""},
	}
	for name, tt := range tests {
		if err := explain(tt.err); !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.say) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestCapabilities opens as nobody, with some capabilities.
func TestCapabilities(t *testing.T) {
	need(t, Options{}).Close()
	tests := map[string]struct {
		caps []uintptr
		say  string
	}{
		"none":          {nil, "run as root or with CAP_BPF and CAP_PERFMON"},
		"only BPF":      {[]uintptr{unix.CAP_BPF}, "run as root or with CAP_BPF and CAP_PERFMON"},
		"what it needs": {[]uintptr{unix.CAP_BPF, unix.CAP_PERFMON}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var s *Source
			var err error
			drops.NewNamespace(t).Do(func() error {
				if err := becomeNobody(tt.caps); err != nil {
					return err
				}
				s, err = Open(Options{})
				return nil
			})
			if err == nil {
				s.Close()
			}
			if tt.say == "" && err != nil || tt.say != "" && (!errors.Is(err, ErrPermission) || !strings.Contains(err.Error(), tt.say)) {
				t.Errorf("error %v, want %q", err, tt.say)
			}
		})
	}
}

// becomeNobody makes the calling thread, and no other, run as nobody with these
// capabilities.
func becomeNobody(caps []uintptr) error {
	const nobody = 65534
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	for _, call := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
		if _, _, errno := unix.RawSyscall(call, nobody, nobody, nobody); errno != 0 {
			return errno
		}
	}
	var data [2]unix.CapUserData
	for _, c := range caps {
		data[c/32].Effective |= 1 << (c % 32)
		data[c/32].Permitted |= 1 << (c % 32)
	}
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
}

// compiler is the one that made what is committed: another makes other bytes.
const compiler = "14.0.6"

// TestGenerated compiles drops.bpf.c again: what is committed is made of it.
func TestGenerated(t *testing.T) {
	version, err := exec.Command("clang-14", "--version").Output()
	if err == nil && !bytes.Contains(version, []byte(compiler)) {
		err = fmt.Errorf("this clang is not %s: %s", compiler, version)
	}
	if err != nil {
		if os.Getenv("DROPWATCH_REQUIRE_ALL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	dir := t.TempDir()
	cmd := exec.Command("go", slices.Insert(generate(t), 2, "-output-dir", dir)...)
	cmd.Env = append(os.Environ(), "GOPACKAGE=bpf")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"drops_bpfel.go", "drops_bpfel.o", "drops_bpfeb.go", "drops_bpfeb.o"} {
		want, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not what drops.bpf.c gives: run go generate ./internal/source/bpf", name)
		}
	}
}

// generate gives the arguments of the command that made them: tool bpf2go ...
func generate(t *testing.T) []string {
	t.Helper()
	source, err := os.ReadFile("bpf.go")
	if err != nil {
		t.Fatal(err)
	}
	_, command, _ := strings.Cut(string(source), "//go:generate go ")
	command, _, _ = strings.Cut(command, "\n")
	return strings.Fields(command)
}
