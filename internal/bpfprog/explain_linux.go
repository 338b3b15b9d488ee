package bpfprog

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"golang.org/x/sys/unix"

	"dropwatch/internal/host"
)

// Explain says what to do about what the kernel refuses. Other errors are returned as they are.
func Explain(err error) error {
	var refused *ebpf.VerifierError
	switch {
	case errors.Is(err, ErrNoBTF), tooManyFiles(err):
		return err
	case host.New("/").Locked(host.LockdownConfidentiality):
		return fmt.Errorf("%w (%w): boot it without lockdown=confidentiality, or use another source", ErrLockdown, err)
	case errors.Is(err, unix.EPERM): // the rest of its text says nothing more
		return fmt.Errorf("%w (%w): run as root or with CAP_BPF and CAP_PERFMON, before Linux 5.11 also with CAP_SYS_RESOURCE",
			ErrPermission, unix.EPERM)
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL), errors.Is(err, ebpf.ErrNotSupported), errors.As(err, &refused):
		return fmt.Errorf("%w (%w): this source needs Linux 5.8 with CONFIG_BPF_SYSCALL: use another source", ErrUnsupported, err)
	}
	return err
}

// NoBTF returns the error of a kernel whose types could not be read.
func NoBTF(err error) error {
	if tooManyFiles(err) {
		return err
	}
	why := ErrNoBTF
	if !errors.Is(err, ebpf.ErrNotSupported) { // whose text would repeat it
		why = fmt.Errorf("%w: %w", ErrNoBTF, err)
	}
	return fmt.Errorf("%w: boot one built with CONFIG_DEBUG_INFO_BTF, or use another source", why)
}

// tooManyFiles reports whether an error says nothing about what the kernel supports.
func tooManyFiles(err error) bool { return errors.Is(err, unix.EMFILE) || errors.Is(err, unix.ENFILE) }

// RaiseMemlock raises the limit to which Linux before 5.11 charges maps, if this process
// may. It comes before all maps: one for which there is no room makes package ebpf believe,
// until the process ends, that the kernel cannot map their memory.
func RaiseMemlock() {
	if version, err := features.LinuxVersionCode(); err == nil && version < 5<<16|11<<8 {
		_ = unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
	}
}
