package vmtest

import (
	"fmt"
	"syscall"
	"testing"
)

// MountUnresponsive mounts a file system whose program does not answer until abort, as a dead NFS or
// FUSE mount does. Abort, which is called at the end of the test at the latest, ends all that
// waits for it.
func MountUnresponsive(t *testing.T, dir string) (abort func()) {
	t.Helper()
	RequireRoot(t)
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err != nil {
		SkipOrFail(t, fmt.Errorf("FUSE: %w", err))
	}
	if err := syscall.Mount("dead", dir, "fuse", 0, fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)); err != nil {
		syscall.Close(fd)
		SkipOrFail(t, fmt.Errorf("mount FUSE: %w", err))
	}
	abort = func() {
		if fd >= 0 {
			syscall.Close(fd)
		}
		fd = -1
	}
	t.Cleanup(func() {
		abort()
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return abort
}
