package perf

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"dropwatch/internal/host"
)

// mounts are all directories to search. Tracefs is the kernel's and always answers.
var mounts = []string{Tracing, "/sys/kernel/debug/tracing"}

// formatFile is the file in tracefs that describes an event.
func formatFile(event string) string { return "events/" + event + "/format" }

// A Tracefs is where formats are read: mounted at dir, or else the directory fd.
type Tracefs struct {
	dir string
	fd  int
}

// OpenTracefs opens tracefs where it is mounted, and reads the format of an event, "skb/kfree_skb". If it
// is not mounted, OpenTracefs mounts it without a mount point, so that nobody else sees it. The caller
// closes it unless there is an error.
func OpenTracefs(event string) (t Tracefs, f Format, err error) {
	t, text, err := openMounted(event)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !locked():
		t, text, err = openDetached(event)
	case err != nil:
		err = explainRead(err, locked())
	}
	if err != nil {
		return t, f, fmt.Errorf("read tracefs's %s: %w", formatFile(event), err)
	}
	if f, err = ParseFormat(string(text)); err != nil {
		t.Close()
	}
	return t, f, err
}

// openMounted reads the format of an event from a mounted tracefs.
func openMounted(event string) (t Tracefs, text []byte, err error) {
	t.fd = -1
	for _, t.dir = range mounts {
		text, err = t.read(event)
		if err == nil || !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	return t, text, err
}

// openDetached mounts tracefs without a mount point, which needs fsopen(2) of Linux 5.2, and
// reads the format. The mount ends with the last open file.
func openDetached(event string) (t Tracefs, text []byte, err error) {
	if t.fd, err = mountDetached("tracefs", unix.MOUNT_ATTR_RDONLY); err != nil {
		return t, nil, explainMount(err)
	}
	if text, err = t.read(event); err != nil {
		t.Close()
		return t, nil, explainRead(err, locked())
	}
	return t, text, nil
}

// Format reads the format of another event. The error is fs.ErrNotExist if this kernel has no such event.
func (t *Tracefs) Format(event string) (f Format, err error) {
	text, err := t.read(event)
	if err == nil {
		f, err = ParseFormat(string(text))
	}
	if err != nil {
		return Format{}, fmt.Errorf("read tracefs's %s: %w", formatFile(event), err)
	}
	return f, nil
}

// read returns the text of the format of an event.
func (t *Tracefs) read(event string) ([]byte, error) {
	name := formatFile(event)
	if t.fd < 0 {
		return host.New("/").ReadFile(strings.TrimPrefix(t.dir, "/") + "/" + name)
	}
	fd, err := unix.Openat(t.fd, name, unix.O_RDONLY|unix.O_CLOEXEC, 0) // it has no path for internal/host, and nobody can change it
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	return io.ReadAll(f)
}

// Close closes it. The formats that were read stay.
func (t *Tracefs) Close() {
	if t.fd >= 0 {
		unix.Close(t.fd)
	}
}

// mountDetached mounts a file system without a mount point, with attributes such as MOUNT_ATTR_RDONLY, and
// returns its root directory, which the caller closes.
func mountDetached(fsType string, attributes int) (dir int, err error) {
	ctx, err := unix.Fsopen(fsType, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(ctx)
	if err := unix.FsconfigCreate(ctx); err != nil {
		return -1, err
	}
	return unix.Fsmount(ctx, unix.FSMOUNT_CLOEXEC, attributes)
}

// explainMount says what to do where tracefs is not mounted and cannot be mounted.
func explainMount(err error) error {
	const mount = "mount it first: mount -t tracefs tracefs " + Tracing
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
