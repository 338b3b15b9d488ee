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
	"dropwatch/internal/host"
	"dropwatch/internal/pipeline"
)

// A Source is a pipeline.Source: the drops of the whole host from its opening
// to the end of Run.
type Source struct {
	opts    Options
	decoder decoder
	others  []other // that this kernel has
	refused error   // why some of them are not open
	event   event.Event
	online  func() ([]int, error) // returns the CPUs that are online
	cpus    []*cpu                // on which the event is open
	ended   atomic.Bool           // the context of the run has ended
	enabled bool                  // the wakeups of all CPUs
	woken   bool                  // the last wait ended before its limit
	changed bool                  // CPUs may have come or gone

	from, until time.Time // see Began

	epoll, wake, uevents int // file descriptors, -1 if not open; wake is an eventfd
}

// Open enables the event on all CPUs, so that drops are recorded from now on. The caller calls
// Run or Close. The error wraps one of this package's sentinels where one fits.
func Open(opts Options) (*Source, error) { return open(opts, host.New("/").OnlineCPUs) }

// open is Open with a function that returns the CPUs.
func open(opts Options, online func() ([]int, error)) (*Source, error) {
	s := &Source{opts: opts, online: online, epoll: -1, wake: -1, uevents: -1}
	s.decoder.stacks = opts.Stack || s.choosesStacks()
	err := s.readFormats()
	if err == nil {
		err = s.openFiles()
	}
	var cpus []int
	if err == nil {
		cpus, err = online()
	}
	if err == nil {
		err = s.openFirst(cpus)
		s.until = time.Now()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// readFormats reads the formats of the events.
func (s *Source) readFormats() error {
	t, f, err := openTracefs()
	if err != nil {
		return err
	}
	defer t.close()
	if s.decoder.layout, err = newLayout(f); err != nil || !s.opts.Others {
		return err
	}
	s.others, err = readOthers(&t)
	return err
}

// Began returns two times between which the source began to report drops, on one CPU
// after the other.
func (s *Source) Began() (from, until time.Time) { return s.from, s.until }

// ringSize returns Options.RingSize, rounded up to a power of 2 pages as perf needs it.
func (s *Source) ringSize() int {
	return max(os.Getpagesize(), 1<<bits.Len(uint(s.opts.RingSize-1)))
}

// openFiles opens the files other than those of CPUs.
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

// watch makes wait return when one of these files has something to read.
func (s *Source) watch(fds ...int) error {
	for _, fd := range fds {
		e := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)}
		if err := unix.EpollCtl(s.epoll, unix.EPOLL_CTL_ADD, fd, &e); err != nil {
			return fmt.Errorf("wait for drops: %w", err)
		}
	}
	return nil
}

// openFirst opens the event on all CPUs. Unless the size of the rings was given, it tries large
// ones first and then those that everybody may have.
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

// openCPUs opens and enables the event on those CPUs where it is not open.
func (s *Source) openCPUs(online []int) error {
	for _, n := range online {
		if slices.ContainsFunc(s.cpus, func(c *cpu) bool { return c.n == n }) {
			continue
		}
		c, err := s.openCPU(n)
		if errors.Is(err, unix.ENODEV) { // it went offline meanwhile
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

// start enables the events of a CPU.
func (s *Source) start(c *cpu) error {
	if err := s.watch(c.drops.fd, c.wakeup.fd); err != nil {
		return err
	}
	if err := c.enableWakeup(); err != nil {
		return err
	}
	if len(s.cpus) == 1 { // the first of all
		s.from = time.Now()
	}
	return c.lead().control(unix.PERF_EVENT_IOC_ENABLE, 0)
}

// follow opens and closes events after CPUs came or went. Packets that a CPU drops before its
// events are open, or after the kernel has removed them, cannot be counted: each change is a
// Loss at event.Unopened.
func (s *Source) follow(out pipeline.Output) error {
	if !s.changed {
		return nil
	}
	s.changed = false
	online, err := s.online()
	if err != nil {
		return err
	}
	before := len(s.cpus)
	err = s.closeCPUs(online, out)
	left := len(s.cpus)
	err = errors.Join(err, s.openCPUs(online))
	changes := (before - left) + (len(s.cpus) - left)
	lose(out, event.Unopened, uint64(changes))
	return err
}

// closeCPUs reports the losses of the CPUs that went offline and closes their events. Those that
// are online again have to be opened again, as their events do not work any more.
func (s *Source) closeCPUs(online []int, out pipeline.Output) (err error) {
	var left []*cpu
	for _, c := range s.cpus {
		if slices.Contains(online, c.n) && !c.gone {
			left = append(left, c)
			continue
		}
		err = errors.Join(err, c.off())
		err = errors.Join(err, s.finish(c, out, time.Now()))
		c.close()
	}
	s.cpus = left
	return err
}

// Close disables the event and closes all files. Run does so itself; Close must not be called
// while it runs.
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

// closeAll closes the events of all CPUs without reading their rings.
func (s *Source) closeAll() {
	for _, c := range s.cpus {
		c.close()
	}
	s.cpus = nil
}

// Run emits drops and losses to out until ctx ends. The error is that of the kernel. It can be
// called once. Everything is emitted and flushed within drainTime after the end of ctx;
// then Run waits until the kernel has removed the events.
func (s *Source) Run(ctx context.Context, out pipeline.Output) error {
	defer s.Close()
	ended := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { s.end(); close(ended) })
	defer func() {
		if !stop() { // end was called or is being called
			<-ended
		}
	}()
	err := s.receive(out)
	if err == nil {
		s.readUevents()
		err = s.follow(out)
	}
	return errors.Join(err, s.finishAll(out, err == nil))
}

// end makes receive return.
func (s *Source) end() {
	s.ended.Store(true)
	unix.Write(s.wake, binary.NativeEndian.AppendUint64(nil, 1))
}

// receive emits drops until ctx ends.
func (s *Source) receive(out pipeline.Output) error {
	for s.enabled = true; !s.ended.Load(); {
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
