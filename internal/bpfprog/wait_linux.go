package bpfprog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// A Waiter waits until the program wakes the reader. It is edge-triggered: records that are already
// in the ring do not wake it, so that many can gather there.
type Waiter struct {
	epoll int // a file

	mu    sync.Mutex // protects what follows
	event int        // an eventfd; -1 after Close
}

// NewWaiter returns a Waiter for the ring with this file descriptor.
func NewWaiter(ring int) (*Waiter, error) {
	w := &Waiter{epoll: -1, event: -1}
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
		w.Close()
		return nil, fmt.Errorf("wait for drops: %w", err)
	}
	return w, nil
}

// Wait waits until the program or [Waiter.Wake] wakes it, a signal comes, or limit is over. A
// negative limit means none.
func (w *Waiter) Wait(limit time.Duration) error {
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

// Wake makes Wait return. It may be called at any time, and does nothing after Close.
func (w *Waiter) Wake() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.event >= 0 {
		unix.Write(w.event, binary.NativeEndian.AppendUint64(nil, 1))
	}
}

// Close closes the files, if that was not done before. Nobody may be in Wait. A nil Waiter is ignored.
func (w *Waiter) Close() {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, fd := range []*int{&w.epoll, &w.event} {
		if *fd >= 0 {
			unix.Close(*fd)
		}
		*fd = -1
	}
}
