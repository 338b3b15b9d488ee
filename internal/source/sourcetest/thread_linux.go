package sourcetest

import (
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// onThread runs f on a thread of its own, which ends with f. So f may change the credentials and
// namespaces of its thread.
func onThread(f func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // for good
		done <- f()
	}()
	return <-done
}

// AsNobody runs f as the user nobody with these capabilities only.
func AsNobody(caps []uintptr, f func() error) error {
	return onThread(func() error {
		if err := becomeNobody(caps); err != nil {
			return err
		}
		return f()
	})
}

// becomeNobody changes the calling thread only, by system calls that libc and Go would make for
// all threads.
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

// WithMounts runs f in a mount namespace of its own: what it mounts is not visible elsewhere.
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

// Files returns the kinds of the open files without a name, such as those of perf, BPF and epoll,
// sorted. A test compares two lists to find files that were not closed.
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
