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
)

// tracing is where tracefs belongs, and mounts are where it is found.
const tracing = "/sys/kernel/tracing"

var mounts = []string{tracing, "/sys/kernel/debug/tracing"}

// The file of tracefs that says what our event looks like.
const formatFile = "events/skb/kfree_skb/format"

// Reasons gives a look-up of the numbers by which [Options.Filter] knows this
// kernel's reasons. It gives none before Linux 5.17, and none of a subsystem,
// whose reasons have no names here. The errors are those of [Open].
func Reasons() (func(name string) (numbers []condition.Span, ok bool), error) {
	f, err := readFormat()
	if err != nil {
		return nil, err
	}
	numbers := make(map[string][]condition.Span)
	for n, name := range f.symbols["reason"] {
		numbers[name] = append(numbers[name], condition.Span{Lo: n, Hi: n})
	}
	return func(name string) ([]condition.Span, bool) { return numbers[name], true }, nil
}

// ReasonNames gives the names that [Reasons] knows, sorted.
func ReasonNames() ([]string, error) {
	f, err := readFormat()
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Values(f.symbols["reason"])), nil
}

// readFormat reads the event's format where tracefs is mounted, or else from a
// mount that nobody sees and that goes with its last file.
func readFormat() (format, error) {
	text, err := readMounted()
	if errors.Is(err, fs.ErrNotExist) {
		text, err = readDetached()
	}
	if err != nil {
		return format{}, fmt.Errorf("read tracefs's %s: %w", formatFile, err)
	}
	return parseFormat(string(text))
}

func readMounted() (text []byte, err error) {
	for _, dir := range mounts {
		text, err = os.ReadFile(dir + "/" + formatFile)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return text, explainRead(err)
}

// readDetached mounts tracefs nowhere, as fsopen(2) can since Linux 5.2.
func readDetached() ([]byte, error) {
	dir, err := mountDetached("tracefs")
	if err != nil {
		return nil, explainMount(err)
	}
	defer unix.Close(dir)
	fd, err := unix.Openat(dir, formatFile, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("%w: it was built without CONFIG_EVENT_TRACING", ErrNoEvent)
	}
	if err != nil {
		return nil, explainRead(err)
	}
	f := os.NewFile(uintptr(fd), formatFile)
	defer f.Close()
	return io.ReadAll(f)
}

// mountDetached gives the root directory of a new mount that has no place.
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

// explainMount says what to do where tracefs is not mounted and we cannot do it.
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

// explainRead says what to do where tracefs may not be read.
func explainRead(err error) error {
	switch {
	case !errors.Is(err, fs.ErrPermission):
		return err
	case locked("confidentiality"):
		return errLocked(err)
	}
	return fmt.Errorf("%w (%w): run as root or with CAP_DAC_READ_SEARCH", ErrPermission, err)
}

// locked tells whether the kernel is locked down to a level
// (security/lockdown/lockdown.c): "none integrity [confidentiality]".
func locked(level string) bool {
	text, err := os.ReadFile("/sys/kernel/security/lockdown")
	return err == nil && strings.Contains(string(text), "["+level+"]")
}

func errLocked(err error) error {
	return fmt.Errorf("%w (%w): the kernel is locked down, boot it without lockdown=confidentiality", ErrPermission, err)
}
