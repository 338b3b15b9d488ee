package perf

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dropwatch/internal/source/sourcetest"
	"dropwatch/internal/vmtest"
)

func TestErrorsSayWhatToDo(t *testing.T) {
	tests := map[string]struct {
		err, is error
		say     string
	}{
		"perf forbidden":  {explainOpen(unix.EACCES), ErrPermission, "CAP_PERFMON"},
		"perf paranoid":   {explainOpen(unix.EPERM), ErrPermission, "perf_event_paranoid is "},
		"no perf":         {explainOpen(unix.ENOSYS), ErrNoPerf, "CONFIG_PERF_EVENTS"},
		"no event":        {explainOpen(unix.ENOENT), ErrNoEvent, "id"},
		"files":           {explainOpen(unix.EMFILE), unix.EMFILE, "ulimit -n"},
		"another":         {explainOpen(unix.EBUSY), unix.EBUSY, ""},
		"tracefs of root": {explainRead(unix.EACCES, false), ErrPermission, "run as root or with CAP_DAC_READ_SEARCH"},
		"not mounted": {
			explainMount(unix.EPERM), ErrPermission,
			"run as root with CAP_SYS_ADMIN, or mount it first: mount -t tracefs tracefs /sys/kernel/tracing",
		},
		"no fsopen":        {explainMount(unix.ENOSYS), unix.ENOSYS, "mount -t tracefs"},
		"no tracefs":       {explainMount(unix.ENODEV), ErrNoTracefs, "CONFIG_TRACING"},
		"not built":        {explainRead(unix.ENOENT, false), ErrNoEvent, "CONFIG_EVENT_TRACING"},
		"locked from boot": {explainRead(unix.ENOENT, true), ErrPermission, "locked down, boot it without lockdown=confidentiality"},
		"locked later":     {explainRead(unix.EPERM, true), ErrPermission, "the kernel is locked down"},
	}
	for name, tt := range tests {
		if !errors.Is(tt.err, tt.is) || !strings.Contains(tt.err.Error(), tt.say) || strings.Contains(tt.err.Error(), "\n") {
			t.Errorf("%s: %v", name, tt.err)
		}
	}
	name := formatFile("skb/kfree_skb")
	if err := explainRead(&os.PathError{Op: "open", Path: name, Err: unix.EPERM}, false); !strings.Contains(err.Error(), name) {
		t.Errorf("what was tried is not in %v", err)
	}
	if _, err := mountDetached("no-such-file-system", 0); !errors.Is(err, unix.ENODEV) {
		t.Errorf("mount of what there is not: %v", err)
	}
}

// TestFormatFromEitherMount reads the same where tracefs is mounted, in a mount
// namespace of the test's own, and where it is not.
func TestFormatFromEitherMount(t *testing.T) {
	vmtest.RequireRoot(t)
	const dropEvent = "skb/kfree_skb"
	dir, detached, err := openDetached(dropEvent)
	dir.Close()
	if err != nil {
		t.Fatal(err)
	}
	var mounted []byte
	err = sourcetest.WithMounts(func() error {
		err := unix.Mount("tracefs", mounts[0], "tracefs", 0, "")
		if err != nil && !errors.Is(err, unix.EBUSY) { // it was there
			return err
		}
		_, mounted, err = openMounted(dropEvent)
		return err
	})
	if err != nil || !slices.Equal(mounted, detached) || len(mounted) == 0 {
		t.Errorf("%v, mounted:\n%s\ndetached:\n%s", err, mounted, detached)
	}
}
