package netlink

import (
	"errors"
	"fmt"
	"syscall"

	nl "github.com/mdlayher/netlink"
)

// Sentinels that errors of this package match, with [errors.Is].
var (
	// ErrNoFamily: this kernel, or this network namespace, has no NET_DM.
	ErrNoFamily = errors.New("this kernel or network namespace has no NET_DM family")
	// ErrConfigurePermission: CAP_NET_ADMIN in the initial user namespace is missing.
	ErrConfigurePermission = errors.New("not permitted without CAP_NET_ADMIN")
	// ErrJoinPermission: CAP_SYS_ADMIN is missing, which listening needs since
	// Linux 6.7 and in stable kernels since December 2023.
	ErrJoinPermission = errors.New("not permitted without CAP_SYS_ADMIN")
	// ErrMonitoring: the monitor is on, and cannot be configured until it is off.
	ErrMonitoring = errors.New("monitoring is on")
	// ErrAlreadyOn: START found the monitor on.
	ErrAlreadyOn = errors.New("monitoring is already on")
	// ErrAlreadyOff: STOP found the monitor off, on an old kernel.
	ErrAlreadyOff = errors.New("monitoring is off")
	// ErrUnsupported: the kernel is too old for the request, or was built
	// without it.
	ErrUnsupported = errors.New("not supported by this kernel")
)

// An Error is a request that failed. It matches, with [errors.Is], one of this
// package's sentinels where one fits, and the kernel's errno.
type Error struct {
	Op      string // what was attempted: "start monitoring"
	Message string // the kernel's extended acknowledgement, empty if it gave none
	Err     error  // mostly a [syscall.Errno]
	kind    error  // one of the sentinels, or nil
}

// Error says what was attempted, why it failed, and the kernel's own explanation if it gave
// one.
func (e *Error) Error() string {
	why := e.Err
	if e.kind != nil {
		why = e.kind
	}
	if e.Message == "" {
		return fmt.Sprintf("%s: %v", e.Op, why)
	}
	return fmt.Sprintf("%s: %v (kernel: %s)", e.Op, why, e.Message)
}

// Unwrap gives the sentinel and the errno.
func (e *Error) Unwrap() []error {
	if e.kind == nil {
		return []error{e.Err}
	}
	return []error{e.kind, e.Err}
}

// newError makes an *Error of what a request answered; kinds says which
// sentinel an errno stands for in that request. A nil err stays nil.
func newError(op string, err error, kinds map[syscall.Errno]error) error {
	if err == nil {
		return nil
	}
	e := &Error{Op: op, Err: err}
	if oe, ok := errors.AsType[*nl.OpError](err); ok {
		e.Message, e.Err = oe.Message, oe.Err
	}
	if errno, ok := errors.AsType[syscall.Errno](e.Err); ok {
		e.Err, e.kind = errno, kinds[errno]
	}
	return e
}
