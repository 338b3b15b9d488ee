package bpfprog

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// TestTooManyFiles: a limit of open files is not taken for a kernel that lacks something.
func TestTooManyFiles(t *testing.T) {
	for _, limit := range []error{unix.EMFILE, unix.ENFILE} {
		program := fmt.Errorf("load program: %w: %w", limit, ebpf.ErrNotSupported)
		if err := Explain(program); !errors.Is(err, limit) || errors.Is(err, ErrUnsupported) {
			t.Errorf("program: %v", err)
		}
		if err := NoBTF(fmt.Errorf("open vmlinux: %w", limit)); !errors.Is(err, limit) || errors.Is(err, ErrNoBTF) {
			t.Errorf("types: %v", err)
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
		if err := Explain(tt.err); !errors.Is(err, tt.is) || !strings.Contains(err.Error(), tt.say) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
