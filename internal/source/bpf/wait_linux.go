package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A waiter sleeps until the program wakes us. It does not care what is in the
// ring, only that we are woken, so that records may gather there meanwhile.
type waiter struct {
	epoll, wake int // files; wake is an eventfd
}

func newWaiter(ring int) (*waiter, error) {
	w := &waiter{epoll: -1, wake: -1}
	var err error
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err == nil {
		w.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	}
	for _, fd := range []int{ring, w.wake} {
		if err == nil {
			e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(fd)}
			err = unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, fd, &e)
		}
	}
	if err != nil {
		w.close()
		return nil, fmt.Errorf("wait for drops: %w", err)
	}
	return w, nil
}

// wait returns when we are woken, a signal came, or a limit that is not negative
// is over.
func (w *waiter) wait(limit time.Duration) error {
	ms := -1
	if limit >= 0 {
		ms = int(limit / time.Millisecond)
	}
	var events [2]unix.EpollEvent
	if _, err := unix.EpollWait(w.epoll, events[:], ms); err != nil && !errors.Is(err, unix.EINTR) {
		return fmt.Errorf("wait for drops: %w", err)
	}
	return nil
}

// end makes wait return.
func (w *waiter) end() { unix.Write(w.wake, binary.NativeEndian.AppendUint64(nil, 1)) }

func (w *waiter) close() {
	if w == nil {
		return
	}
	for _, fd := range []int{w.epoll, w.wake} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
