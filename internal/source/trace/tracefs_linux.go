package trace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/host"
)

// tracing is where tracefs is usually mounted, and mounts are all directories to search.
// Tracefs is the kernel's and always answers.
const tracing = "/sys/kernel/tracing"

var mounts = []string{tracing, "/sys/kernel/debug/tracing"}

// formatFile is the file in tracefs that describes the event.
const formatFile = "events/skb/kfree_skb/format"

// Reasons returns a function that returns the numbers of a drop reason in this kernel, for
// [Options.Filter]. A name that is not known has none: Linux before 5.17 has no reasons, and
// tracefs does not name those of subsystems. A finer reason than this event gives has the numbers
// of its family ([event.ReasonFamily]), and ok is false: other drops have them, too. The errors
// are those of [Open].
func Reasons() (func(name string) (numbers []condition.Span, ok bool), error) {
	f, err := readFormat()
	if err != nil {
		return nil, err
	}
	numbers := make(map[string][]condition.Span)
	for n, name := range f.symbols["reason"] {
		numbers[name] = append(numbers[name], condition.Span{Lo: n, Hi: n})
	}
	return func(name string) ([]condition.Span, bool) {
		family := numbers[event.ReasonFamily(name)]
		if len(numbers[name]) == 0 && len(family) > 0 {
			return family, false
		}
		return numbers[name], true
	}, nil
}

// ReasonNames returns the names of the reasons that [Reasons] knows, sorted.
func ReasonNames() ([]string, error) {
	f, err := readFormat()
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Values(f.symbols["reason"])), nil
}

// readFormat reads the format of the event where tracefs is mounted. If it is not mounted,
// readFormat mounts it without a mount point, so that nobody else sees it.
func readFormat() (format, error) {
	text, err := readMounted()
	switch {
	case errors.Is(err, fs.ErrNotExist) && !locked():
		text, err = readDetached()
	case err != nil:
		err = explainRead(err, locked())
	}
	if err != nil {
		return format{}, fmt.Errorf("read tracefs's %s: %w", formatFile, err)
	}
	return parseFormat(string(text))
}

// readMounted reads the format from a mounted tracefs.
func readMounted() (text []byte, err error) {
	h := host.New("/")
	for _, dir := range mounts {
		text, err = h.ReadFile(strings.TrimPrefix(dir, "/") + "/" + formatFile)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return text, err
}

// readDetached mounts tracefs without a mount point, which needs fsopen(2) of Linux 5.2, and
// reads the format. The mount ends with the last open file. It has no path for internal/host,
// and nobody else can change it.
func readDetached() ([]byte, error) {
	dir, err := mountDetached("tracefs")
	if err != nil {
		return nil, explainMount(err)
	}
	defer unix.Close(dir)
	fd, err := unix.Openat(dir, formatFile, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, explainRead(err, locked())
	}
	f := os.NewFile(uintptr(fd), formatFile)
	defer f.Close()
	return io.ReadAll(f)
}

// mountDetached mounts a file system without a mount point and returns its root directory, which
// the caller closes.
func mountDetached(fsType string) (dir int, err error) {
	ctx, err := unix.Fsopen(fsType, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(ctx)
	if err := unix.FsconfigCreate(ctx); err != nil {
		return -1, err
	}
	return unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_RDONLY)
}

// explainMount says what to do where tracefs is not mounted and cannot be mounted.
func explainMount(err error) error {
	const mount = "mount it first: mount -t tracefs tracefs " + tracing
	switch {
	case errors.Is(err, unix.ENODEV):
		return fmt.Errorf("%w: it was built without CONFIG_TRACING", ErrNoTracefs)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w (it is not mounted here: %w): run as root with CAP_SYS_ADMIN, or %s", ErrPermission, err, mount)
	}
	return fmt.Errorf("it is not mounted here: %w: %s", err, mount)
}

// explainRead says what to do where tracefs may not be read, or has no such event.
func explainRead(err error, locked bool) error {
	switch missing := errors.Is(err, fs.ErrNotExist); {
	case locked && (missing || errors.Is(err, fs.ErrPermission)):
		return errLocked(err)
	case missing:
		return fmt.Errorf("%w: it was built without CONFIG_EVENT_TRACING", ErrNoEvent)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w (%w): run as root or with CAP_DAC_READ_SEARCH", ErrPermission, err)
	}
	return err
}

// locked reports whether the kernel is locked down against tracing. If it has been so since the
// boot, tracefs has no files.
func locked() bool { return host.New("/").Locked(host.LockdownConfidentiality) }

// errLocked says what to do about that.
func errLocked(err error) error {
	return fmt.Errorf("%w (%w): the kernel is locked down, boot it without lockdown=confidentiality", ErrPermission, err)
}
