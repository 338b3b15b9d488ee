package trace

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A Source is a pipeline.Source: the drops of the whole host from its opening
// to the end of Run.
type Source struct {
	opts    Options
	decoder decoder
	event   event.Event
	online  func() ([]int, error) // the CPUs
	cpus    []*cpu
	ended   atomic.Bool // the run is over
	armed   bool        // the bells are, as far as we know
	woken   bool        // the last wait ended before its time
	changed bool        // CPUs may have come or gone

	epoll, wake, uevents int // files; wake is an eventfd
}

// Open switches the event on, on all CPUs. The error wraps one of this package's
// if it is one of those cases.
func Open(opts Options) (*Source, error) { return open(opts, onlineCPUs) }

func open(opts Options, online func() ([]int, error)) (*Source, error) {
	f, err := readFormat()
	if err != nil {
		return nil, err
	}
	s := &Source{opts: opts, online: online, epoll: -1, wake: -1, uevents: -1}
	s.decoder.stacks = opts.Stack
	if s.decoder.layout, err = newLayout(f); err == nil {
		err = s.openFiles()
	}
	var cpus []int
	if err == nil {
		cpus, err = online()
	}
	if err == nil {
		err = s.openFirst(cpus)
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// ringSize is Options.RingSize as perf wants it.
func (s *Source) ringSize() int {
	return max(os.Getpagesize(), 1<<bits.Len(uint(s.opts.RingSize-1)))
}

func (s *Source) openFiles() (err error) {
	if s.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	if s.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err != nil {
		return err
	}
	if s.uevents, err = openUevents(); err != nil {
		return err
	}
	return s.watch(s.wake, s.uevents)
}

// watch makes wait return when one of these files has something.
func (s *Source) watch(fds ...int) error {
	for _, fd := range fds {
		e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
			return fmt.Errorf("wait for drops: %w", err)
		}
	}
	return nil
}

// openFirst opens the event on all CPUs, and finds out how large the rings may
// be if that was left to us.
func (s *Source) openFirst(online []int) error {
	if s.opts.RingSize > 0 {
		return s.openCPUs(online)
	}
	s.opts.RingSize = max(sureRing, min(largeRing, allRings/max(len(online), 1)))
	err := s.openCPUs(online)
	if errors.Is(err, ErrPermission) {
		s.closeAll()
		s.opts.RingSize = sureRing
		err = s.openCPUs(online)
	}
	return err
}

// openCPUs opens the event on those CPUs where it is not.
func (s *Source) openCPUs(online []int) error {
	for _, n := range online {
		if slices.ContainsFunc(s.cpus, func(c *cpu) bool { return c.n == n }) {
			continue
		}
		c, err := s.openCPU(n)
		if errors.Is(err, unix.ENODEV) { // it has gone meanwhile
			continue
		}
		if err != nil {
			return err
		}
		s.cpus = append(s.cpus, c)
		if err := s.start(c); err != nil {
			return err
		}
	}
	return nil
}

// start switches a CPU's event on.
func (s *Source) start(c *cpu) error {
	if err := s.watch(c.drops.fd, c.bell.fd); err != nil {
		return err
	}
	if err := c.arm(); err != nil {
		return err
	}
	return c.lead().control(unix.PERF_EVENT_IOC_ENABLE, 0)
}

// follow adapts to CPUs that have come or gone.
func (s *Source) follow(out pipeline.Output) error {
	if !s.changed {
		return nil
	}
	s.changed = false
	online, err := s.online()
	if err != nil {
		return err
	}
	return pipeline.Also(s.closeCPUs(online, out), s.openCPUs(online))
}

// closeCPUs accounts for the CPUs that have gone offline, and for those that are
// back already: their events stay dead.
func (s *Source) closeCPUs(online []int, out pipeline.Output) (err error) {
	var left []*cpu
	for _, c := range s.cpus {
		if slices.Contains(online, c.n) && !c.gone {
			left = append(left, c)
			continue
		}
		err = pipeline.Also(err, c.off())
		err = pipeline.Also(err, s.finish(c, out, time.Now()))
		c.close()
	}
	s.cpus = left
	return err
}

// Close lets everything go, but not while Run runs, which does so itself.
func (s *Source) Close() error {
	s.closeAll()
	for _, fd := range []*int{&s.epoll, &s.wake, &s.uevents} {
		if *fd >= 0 {
			unix.Close(*fd)
			*fd = -1
		}
	}
	return nil
}

// closeAll closes all CPUs, whatever they have.
func (s *Source) closeAll() {
	for _, c := range s.cpus {
		c.close()
	}
	s.cpus = nil
}

// Run gives drops and losses to out until ctx ends. The error is out's or one
// of the kernel's. A Source runs once. All is given out and flushed within
// drainTime of ctx's end; then Run waits until the kernel has let go.
func (s *Source) Run(ctx context.Context, out pipeline.Output) error {
	defer s.Close()
	said := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { s.end(); close(said) })
	defer func() {
		if !stop() { // the end has been said, or is just being
			<-said
		}
	}()
	err := s.receive(out)
	return pipeline.Also(err, s.finishAll(out, err == nil))
}

// end makes receive return.
func (s *Source) end() {
	s.ended.Store(true)
	unix.Write(s.wake, binary.NativeEndian.AppendUint64(nil, 1))
}

// receive hands on drops until the run is over.
func (s *Source) receive(out pipeline.Output) error {
	for s.armed = true; !s.ended.Load(); {
		n, err := s.read(out)
		if err != nil {
			return err
		}
		if err := s.pause(n > 0); err != nil {
			return err
		}
		if err := s.follow(out); err != nil {
			return err
		}
	}
	return nil
}
