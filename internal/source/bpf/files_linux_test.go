package bpf

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// TestTooManyFiles: a limit of open files is not taken for a kernel that lacks something.
func TestTooManyFiles(t *testing.T) {
	for _, limit := range []error{unix.EMFILE, unix.ENFILE} {
		program := fmt.Errorf("load program: %w: %w", limit, ebpf.ErrNotSupported)
		if err := explain(program); !errors.Is(err, limit) || errors.Is(err, ErrUnsupported) {
			t.Errorf("program: %v", err)
		}
		if err := noBTF(fmt.Errorf("open vmlinux: %w", limit)); !errors.Is(err, limit) || errors.Is(err, ErrNoBTF) {
			t.Errorf("types: %v", err)
		}
	}
}
