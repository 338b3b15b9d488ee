package host

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// InNetns runs f on a thread that is in a network namespace of the running host: its
// sockets are those of the namespace, and so are the files below
// /proc/thread-self/net. Goroutines that f starts are not in it. It needs
// CAP_SYS_ADMIN; the error of f is returned as it is.
func (h *Host) InNetns(n Netns, f func() error) error {
	file, err := h.openNetns(n)
	if err != nil {
		return fmt.Errorf("cannot enter network namespace %s: %w", n.label(), err)
	}
	defer file.Close()
	done := make(chan error)
	go onThread(func() {
		if err := unix.Setns(int(file.Fd()), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("cannot enter network namespace %s: %w", n.label(), os.NewSyscallError("setns", err))
			return
		}
		done <- f()
	})
	return <-done
}

// InNewNetns runs f on a thread that is in a network namespace of its own. That ends with the last socket that f opened
// there. It needs CAP_SYS_ADMIN; the error of f is returned as it is.
func InNewNetns(f func() error) error {
	done := make(chan error)
	go onThread(func() {
		if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("cannot make a network namespace: %w", os.NewSyscallError("unshare", err))
			return
		}
		done <- f()
	})
	return <-done
}

// onThread runs f on a thread that ends with it. It is never the first of the process,
// which the runtime keeps, and whose namespaces /proc/self shows as those of the process.
func onThread(f func()) {
	runtime.LockOSThread() // for good
	if unix.Gettid() != unix.Getpid() {
		f()
		return
	}
	done := make(chan struct{})
	go func() { // on another thread, as this one is locked
		defer close(done)
		onThread(f)
	}()
	<-done
	runtime.UnlockOSThread()
}

// openNetns opens the file of a namespace: that of its name, or else of a process in it.
func (h *Host) openNetns(n Netns) (*os.File, error) {
	t, ok := h.fsys.(tree)
	if !ok {
		return nil, errors.ErrUnsupported
	}
	if n.PID != 0 {
		return os.Open(t.path(proc(n.PID, "ns/net")))
	}
	err := os.ErrNotExist
	if !n.Seen() {
		return nil, err
	}
	for _, dir := range netnsDirs {
		var f *os.File
		if f, err = os.OpenFile(t.path(dir+"/"+n.Name), os.O_RDONLY|unix.O_NONBLOCK, 0); err == nil {
			return f, nil
		}
	}
	return nil, err
}
