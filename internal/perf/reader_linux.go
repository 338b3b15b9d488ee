package perf

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/host"
)

// CPUs is how a [Reader] knows the CPUs of a machine.
type CPUs struct {
	Online func() ([]int, error) // returns the CPUs that are online

	// Changes opens a socket on which the kernel reports CPUs that come and go. The caller closes it, also
	// after an error unless fd is -1.
	Changes func() (fd int, err error)
}

// ThisHost knows the CPUs of this host.
var ThisHost = CPUs{Online: host.New("/").OnlineCPUs, Changes: openUevents}

// A Member is what the user of a Reader keeps of a CPU: it embeds [CPU].
type Member interface {
	Base() *CPU
	Close() // closes the events
}

// A Reader waits for the events of all CPUs that are online, and follows CPUs that come and go.
type Reader[C Member] struct {
	Members []C // of the CPUs on which the events are open

	cpus    CPUs                     // those that are online
	open    func(cpu int) (C, error) // opens the events of a CPU
	ended   atomic.Bool              // the context of Receive has ended
	enabled bool                     // the wakeups of all CPUs
	woken   bool                     // the last wait ended before its limit
	changed bool                     // CPUs may have come or gone

	from time.Time // when the first events were enabled

	epoll, wake, uevents int // file descriptors, -1 if not open; wake is an eventfd

	closing sync.Mutex // protects wake
}

// NewReader returns a Reader without CPUs. Open opens the events of a CPU; it closes them if it fails. The
// caller closes the Reader.
func NewReader[C Member](cpus CPUs, open func(cpu int) (C, error)) (*Reader[C], error) {
	r := &Reader[C]{cpus: cpus, open: open, epoll: -1, wake: -1, uevents: -1}
	if err := r.openFiles(); err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// openFiles opens the files other than those of events.
func (r *Reader[C]) openFiles() (err error) {
	if r.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if r.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	if r.uevents, err = r.cpus.Changes(); err != nil {
		return err
	}
	return r.watch(r.wake, r.uevents)
}

// Began returns when the first events were enabled.
func (r *Reader[C]) Began() time.Time { return r.from }

// watch makes wait return when one of these files has something to read.
func (r *Reader[C]) watch(fds ...int) error {
	for _, fd := range fds {
		e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(r.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
			return fmt.Errorf("wait for perf events: %w", err)
		}
	}
	return nil
}

// OpenCPUs opens and enables the events on those CPUs where they are not open.
func (r *Reader[C]) OpenCPUs(online []int) error {
	for _, n := range online {
		if slices.ContainsFunc(r.Members, func(c C) bool { return c.Base().N == n }) {
			continue
		}
		c, err := r.open(n)
		if errors.Is(err, unix.ENODEV) { // it went offline meanwhile
			continue
		}
		if err != nil {
			return err
		}
		r.Members = append(r.Members, c)
		if err := r.start(c.Base()); err != nil {
			return err
		}
	}
	return nil
}

// start enables the events of a CPU.
func (r *Reader[C]) start(c *CPU) error {
	if err := r.watch(c.Samples.FD, c.Wakeup.FD); err != nil {
		return err
	}
	if err := c.enableWakeup(); err != nil {
		return err
	}
	if len(r.Members) == 1 { // the first of all
		r.from = time.Now()
	}
	return c.Lead.control(unix.PERF_EVENT_IOC_ENABLE, 0)
}

// Follow opens and closes events after CPUs came or went, and returns how many changes that were: hits
// on a CPU before its events are open, or after the kernel has removed them, cannot be counted. Finish
// reads what is left of a CPU that went offline.
func (r *Reader[C]) Follow(finish func(C) error) (changes int, err error) {
	if !r.changed {
		return 0, nil
	}
	r.changed = false
	online, err := r.cpus.Online()
	if err != nil {
		return 0, err
	}
	before := len(r.Members)
	err = r.closeCPUs(online, finish)
	left := len(r.Members)
	err = errors.Join(err, r.OpenCPUs(online))
	return (before - left) + (len(r.Members) - left), err
}

// closeCPUs finishes the CPUs that went offline and closes their events. Those that are online again
// have to be opened again, as their events do not work any more.
func (r *Reader[C]) closeCPUs(online []int, finish func(C) error) (err error) {
	var left []C
	for _, c := range r.Members {
		b := c.Base()
		if slices.Contains(online, b.N) && !b.gone {
			left = append(left, c)
			continue
		}
		err = errors.Join(err, b.Off())
		err = errors.Join(err, finish(c))
		c.Close()
	}
	r.Members = left
	return err
}

// Close closes the events of all CPUs, without reading their rings, and all files. A nil Reader is ignored.
func (r *Reader[C]) Close() {
	if r == nil {
		return
	}
	r.CloseCPUs()
	r.closing.Lock()
	defer r.closing.Unlock()
	for _, fd := range []*int{&r.epoll, &r.wake, &r.uevents} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
}

// CloseCPUs closes the events of all CPUs without reading their rings.
func (r *Reader[C]) CloseCPUs() {
	for _, c := range r.Members {
		c.Close()
	}
	r.Members = nil
}

// Receive calls read, waits until there is something to read, and calls follow, again and again until
// ctx ends. Read returns how many records there were. At the end Receive calls follow once more. The error is
// that of the kernel, of read or of follow. It can be called once.
func (r *Reader[C]) Receive(ctx context.Context, read func() (n int, err error), follow func() error) error {
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { r.end(); close(ended) })
	defer func() {
		if !stop() { // end was called or is being called
			<-ended
		}
	}()
	for r.enabled = true; r.Running(); {
		n, err := read()
		if err != nil {
			return err
		}
		if err := r.pause(n > 0); err != nil {
			return err
		}
		if err := follow(); err != nil {
			return err
		}
	}
	r.readUevents()
	return follow()
}

// end makes Receive return.
func (r *Reader[C]) end() {
	r.ended.Store(true)
	r.Wake()
}

// Wake makes Receive call read. It may be called at any time, and does nothing after Close.
func (r *Reader[C]) Wake() {
	r.closing.Lock()
	defer r.closing.Unlock()
	if r.wake >= 0 {
		unix.Write(r.wake, binary.NativeEndian.AppendUint64(nil, 1))
	}
}

// Running reports whether the context of Receive has not ended.
func (r *Reader[C]) Running() bool { return !r.ended.Load() }

// Idle reports whether nothing was read for so long that the next hit has to wake the reader.
func (r *Reader[C]) Idle() bool { return r.enabled }
