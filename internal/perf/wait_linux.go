package perf

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// pause waits until there is something to read. Busy says that the last read found something.
// Hits seldom come alone, so while they come it waits for BatchTime, to read many at once; it
// does so after a wakeup too, which a CPU sends before it has written the sample. After a
// BatchTime without hits it first enables the wakeups and returns, as a hit may have come in
// between; only after one more reading without hits it waits without a limit.
func (r *Reader[C]) pause(busy bool) (err error) {
	limit := time.Duration(-1)
	switch {
	case busy || r.woken:
		r.enabled, limit = false, BatchTime
	case !r.enabled:
		r.enabled = true
		return r.eachCPU((*CPU).enableWakeup)
	}
	if r.woken, err = r.wait(limit); err == nil && r.woken {
		err = r.eachCPU((*CPU).disableWakeup)
	}
	return err
}

// eachCPU calls do for each CPU until one fails.
func (r *Reader[C]) eachCPU(do func(*CPU) error) error {
	for _, c := range r.Members {
		if err := do(c.Base()); err != nil {
			return err
		}
	}
	return nil
}

// wait waits until a file has something to read, a signal comes, or the limit is over; only in
// the last case woken is false. A negative limit means none.
func (r *Reader[C]) wait(limit time.Duration) (woken bool, err error) {
	ms := -1
	if limit >= 0 {
		ms = int(limit / time.Millisecond)
	}
	var events [16]unix.EpollEvent
	n, err := unix.EpollWait(r.epoll, events[:], ms)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return false, fmt.Errorf("wait for perf events: %w", err)
	}
	for _, e := range events[:max(n, 0)] {
		r.notice(int(e.Fd), e.Events)
	}
	return n != 0, nil
}

// notice handles a file that has something other than samples: a call of Wake, messages about CPUs, or a hangup,
// which means that the CPU of an event went offline.
func (r *Reader[C]) notice(fd int, events uint32) {
	switch {
	case fd == r.wake:
		unix.Read(r.wake, make([]byte, 8))
	case fd == r.uevents:
		r.readUevents()
	case events&(unix.EPOLLHUP|unix.EPOLLERR) != 0:
		unix.EpollCtl(r.epoll, unix.EPOLL_CTL_DEL, fd, nil)
		r.changed = true
	}
}

// readUevents records whether CPUs came or went.
func (r *Reader[C]) readUevents() {
	changed, gone := readUevents(r.uevents)
	r.changed = r.changed || changed
	for _, c := range r.Members {
		b := c.Base()
		b.gone = b.gone || slices.Contains(gone, b.N)
	}
}
