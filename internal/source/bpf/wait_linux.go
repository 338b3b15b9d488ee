package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// A waiter waits until the program wakes the reader. It is edge-triggered: records that are already
// in the ring do not wake it, so that many can gather there.
type waiter struct {
	epoll, event int // files; event is an eventfd
}

// newWaiter returns a waiter for the ring with this file descriptor.
func newWaiter(ring int) (*waiter, error) {
	w := &waiter{epoll: -1, event: -1}
	var err error
	if w.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err == nil {
		w.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	}
	for _, fd := range []int{ring, w.event} {
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

// wait waits until the program or [waiter.wake] wakes it, a signal comes, or limit is over. A
// negative limit means none.
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

// wake makes wait return.
func (w *waiter) wake() { unix.Write(w.event, binary.NativeEndian.AppendUint64(nil, 1)) }

// close closes the files. A nil waiter is ignored.
func (w *waiter) close() {
	if w == nil {
		return
	}
	for _, fd := range []int{w.epoll, w.event} {
		if fd >= 0 {
			unix.Close(fd)
		}
	}
}
