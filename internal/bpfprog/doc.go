// Package bpfprog has what the sources that load BPF programs share: what the kernel refuses and
// what to do about it, what a kernel has, attaching a program, reading its ring and waiting for
// it, and the condition that a program tests. kernel.h has the types of the kernel that the
// programs read, and the BPF helpers.
package bpfprog

import (
	"errors"

	"dropwatch/internal/host"
)

// Reasons why a program cannot be loaded. An error of [Explain] wraps one of them where that
// applies, and says what to do.
var (
	ErrPermission  = errors.New("not permitted")
	ErrLockdown    = errors.New("the kernel is locked down") // lockdown=confidentiality
	ErrNoBTF       = errors.New("this kernel has no BTF")    // CONFIG_DEBUG_INFO_BTF
	ErrUnsupported = errors.New("this kernel does not support it")
)

// Needs is what programs need of a host.
var Needs = host.Requirements{
	Options:      []string{"BPF_SYSCALL", "BPF_EVENTS", "DEBUG_INFO_BTF"},
	Capabilities: []host.Capability{host.CapBPF, host.CapPerfmon},
}
