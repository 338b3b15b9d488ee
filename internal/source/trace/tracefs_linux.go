package trace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// mounts are where tracefs is usually found.
var mounts = []string{"/sys/kernel/tracing", "/sys/kernel/debug/tracing"}

// The file of tracefs that says what our event looks like.
const formatFile = "events/skb/kfree_skb/format"

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
	if errors.Is(err, unix.ENODEV) {
		return nil, fmt.Errorf("%w: it was built without CONFIG_TRACING", ErrNoTracefs)
	}
	if err != nil {
		return nil, explainRead(fmt.Errorf("mount tracefs: %w", err))
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

// explainRead says what to do where tracefs may not be read.
func explainRead(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	if locked("confidentiality") {
		return fmt.Errorf("%w (%w): the kernel is locked down, boot it without lockdown=confidentiality", ErrPermission, err)
	}
	return fmt.Errorf("%w (%w): run as root", ErrPermission, err)
}

// locked tells whether the kernel is locked down to a level
// (security/lockdown/lockdown.c): "none integrity [confidentiality]".
func locked(level string) bool {
	text, err := os.ReadFile("/sys/kernel/security/lockdown")
	return err == nil && strings.Contains(string(text), "["+level+"]")
}
