package capture

import (
	"errors"
	"slices"
	"syscall"

	"dropwatch/internal/perf"
	"dropwatch/internal/source/netdm"
	"dropwatch/netlink"
)

// advice is what to do about the errors that users meet most often. The first entry
// that errors.Is matches is used, so a more specific error comes before a more
// general one.
var advice = []struct {
	err  error
	text string
}{
	{netlink.ErrNoFamily, "try `modprobe drop_monitor`; it needs a kernel with CONFIG_NET_DROP_MONITOR, " +
		"and the host's own network namespace, not a container's"},
	{netlink.ErrConfigurePermission, "run it as root (sudo), or give it CAP_NET_ADMIN in the host's user namespace"},
	{netlink.ErrJoinPermission, "run it as root (sudo), or give it CAP_SYS_ADMIN besides CAP_NET_ADMIN: this kernel requires both"},
	{netlink.ErrUnsupported, "alert modes, truncation, queues and statistics need Linux 5.4 or later; " +
		"hardware drops need a kernel with devlink, without which `set hw false`, or dump -o sw, helps"},
	{netdm.ErrSwitchedOff, "start again when it has finished (`status` says who listens); " +
		"with `set source auto` first, a session goes on with the next source"},
	{perf.ErrNoProbes, "reasons, functions, traps and counters need none: dropwatch points lists those that work here"},
	{syscall.EMFILE, "raise the limit of this shell, as with `ulimit -n 1024`"},
	{syscall.ENFILE, "raise the limit of this host: sysctl fs.file-max"},
	{syscall.ENOSPC, "free space, or write elsewhere"},
	{syscall.EPIPE, "the reader closed the pipe"},
}

// inUseAdvice goes with a netdm.InUseError, which has a type and not a value to
// compare with.
const inUseAdvice = "end it there, or take over: `set takeover true` in a session, --takeover on the command line; " +
	"or watch beside it, with source trace"

// advised is an error with the advice that belongs to it. It prints as "ERROR:
// ADVICE" and unwraps to the error itself, so callers can still test for it.
type advised struct {
	error
	advice string
}

// Error has the advice behind the error, after a colon.
func (e *advised) Error() string { return e.error.Error() + ": " + e.advice }

// Unwrap gives the error without advice.
func (e *advised) Unwrap() error { return e.error }

// Advise appends advice to each error that was joined in err, where advice is
// known. It is safe to call more than once: an error that has advice is left as it
// is. Of errors with the same text only the first is kept. A nil err stays nil.
func Advise(err error) error {
	all := SplitErrors(err)
	for i, err := range all {
		all[i] = adviseOne(err)
	}
	if len(all) == 1 {
		return all[0]
	}
	return errors.Join(all...)
}

// adviseOne handles an error that is not a list.
func adviseOne(err error) error {
	if errors.As(err, new(*advised)) || errors.As(err, new(*notBuiltError)) {
		return err
	}
	if errors.As(err, new(*netdm.InUseError)) {
		return &advised{err, inUseAdvice}
	}
	for _, a := range advice {
		if errors.Is(err, a.err) {
			return &advised{err, a.text}
		}
	}
	return err
}

// A notBuiltError is the [netlink.ErrNoFamily] of a kernel that was built without the drop
// monitor. There is no advice: dropwatch uses another source.
type notBuiltError struct{ error }

// Error is instead of the kernel's: that a family is unknown says nothing to a person.
func (*notBuiltError) Error() string { return "this kernel was built without CONFIG_NET_DROP_MONITOR" }

// Unwrap gives the kernel's error.
func (e *notBuiltError) Unwrap() error { return e.error }

// SplitErrors returns the errors that errors.Join has joined in err, at any depth,
// in order. It leaves out repetitions: a file that cannot be written fails at the
// write and again when it is closed, with the same text. It returns nothing for a
// nil err.
func SplitErrors(err error) (all []error) {
	for _, err := range flatten(err) {
		said := func(before error) bool { return errors.Is(before, err) || before.Error() == err.Error() }
		if !slices.ContainsFunc(all, said) {
			all = append(all, err)
		}
	}
	return all
}

// flatten takes apart what errors.Join has joined. An error that wraps several but
// has a text of its own, such as that of fmt.Errorf with two %w, stays whole:
// taking it apart would lose that text.
func flatten(err error) (all []error) {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok || err.Error() != errors.Join(joined.Unwrap()...).Error() { // it has words of its own
		return []error{err}
	}
	for _, err := range joined.Unwrap() {
		all = append(all, flatten(err)...)
	}
	return all
}
