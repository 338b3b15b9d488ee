package bpfprog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Waiter waits until the program wakes the reader. It is edge-triggered: records that are already
// in the ring do not wake it, so that many can gather there. Waiting takes no thread: one in a system
// call keeps Go's monitor busy, which costs more than to read a few thousand records.
type Waiter struct {
	epoll *os.File
	conn  syscall.RawConn // of epoll

	mu    sync.Mutex // protects what follows
	event int        // an eventfd; -1 after Close
}

// NewWaiter returns a Waiter for the ring with this file descriptor.
func NewWaiter(ring int) (*Waiter, error) {
	w := &Waiter{event: -1}
	if err := w.open(ring); err != nil {
		w.Close()
		return nil, fmt.Errorf("wait for drops: %w", err)
	}
	return w, nil
}

// open makes the epoll instance and the eventfd of Wake, and adds the ring, which stays its owner's. On an error the
// caller must call Close.
func (w *Waiter) open(ring int) error {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return err
	}
	if err = unix.SetNonblock(epoll, true); err == nil { // as package os wants it
		w.event, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	}
	w.epoll = os.NewFile(uintptr(epoll), "epoll")
	for _, fd := range []int{ring, w.event} {
		if err == nil {
			e := unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLET, Fd: int32(fd)}
			err = unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, fd, &e)
		}
	}
	if err == nil {
		w.conn, err = w.epoll.SyscallConn()
	}
	return err
}

// Wait waits until the program or [Waiter.Wake] wakes it, a signal comes, or limit is over. A negative limit means none.
func (w *Waiter) Wait(limit time.Duration) error {
	var deadline time.Time
	if limit >= 0 {
		deadline = time.Now().Add(limit)
	}
	err := w.epoll.SetReadDeadline(deadline)
	if err == nil {
		err = w.conn.Read(hasEvents)
	}
	if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("wait for drops: %w", err)
	}
	return nil
}

// hasEvents removes what an epoll file reports, and returns whether that was anything, or a signal came.
func hasEvents(epoll uintptr) bool {
	var events [2]unix.EpollEvent
	n, _ := unix.EpollWait(int(epoll), events[:], 0)
	return n != 0
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
	w.epoll.Close() // which a nil file ignores
	if w.event >= 0 {
		unix.Close(w.event)
	}
	w.event = -1
}
