package sourcetest

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onThread runs f on a thread that ends with it, whatever f made of it.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good
		done <- f()
	}()
	return <-done
}

// AsNobody runs f as nobody with these capabilities.
func AsNobody(caps []uintptr, f func() error) error {
	return onThread(func() error {
		if err := becomeNobody(caps); err != nil {
			return err
		}
		return f()
	})
}

// becomeNobody is of the calling thread, and no other.
func becomeNobody(caps []uintptr) error {
	const nobody = 65534
	if err := unix.Prctl(unix.PR_SET_KEEPCAPS, 1, 0, 0, 0); err != nil {
		return err
	}
	for _, call := range []uintptr{unix.SYS_SETRESGID, unix.SYS_SETRESUID} {
		if _, _, errno := unix.RawSyscall(call, nobody, nobody, nobody); errno != 0 {
			return errno
		}
	}
	var data [2]unix.CapUserData
	for _, c := range caps {
		data[c/32].Effective |= 1 << (c % 32)
		data[c/32].Permitted |= 1 << (c % 32)
	}
	return unix.Capset(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &data[0])
}

// WithMounts runs f in a mount namespace of its own, whose mounts nobody else
// sees.
func WithMounts(f func() error) error {
	return onThread(func() error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
			return err
		}
		return f()
	})
}

// Files lists what files without a name the process has, as those of perf, BPF
// and epoll.
func Files(t testing.TB) (names []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name, _ := os.Readlink("/proc/self/fd/" + e.Name()); strings.HasPrefix(name, "anon_inode:") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
