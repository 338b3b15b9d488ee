package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"

	"dropwatch/internal/host"
)

// A cpu has the events that are open on one CPU.
type cpu struct {
	n        int    // its number
	all      *perf  // counts all drops, also those that the filter rejects; nil without a filter
	drops    *perf  // samples the drops that pass the filter
	chained  *perf  // samples those of them at Options.StackAt, into the same ring; nil without
	wakeup   *perf  // wakes the reader at the first drop
	enabled  bool   // wakeup is
	samples  uint64 // of drops that were read from the ring
	reported uint64 // drops that were reported as lost
	gone     bool   // it went offline, and its events with it
	closed   bool

	others    []otherPerf // the other tracepoints, which sample into the same ring
	wakers    []*perf     // wake the reader at the first of their frames, in the group of wakeup
	unwritten uint64      // records of any event that, by records in the ring, found no room
	sayings   [2]saying
	last      *saying // the one that no drop has followed yet, or nil
	redirect  uint64  // the XDP program whose redirect failed last
}

// A perf is a perf event on one CPU, with its ring if it has one.
type perf struct {
	fd   int
	mem  []byte // of the mapping; nil without a ring
	ring ring
}

// openCPU opens the events on a CPU, disabled. The two that count are a group, so that they are
// enabled and disabled at the same moment.
func (s *Source) openCPU(n int) (c *cpu, err error) {
	c = &cpu{n: n}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	attr := s.attr()
	group := -1
	if s.opts.Filter != "" {
		if c.all, err = openPerf(attr, n, -1); err != nil {
			return c, err
		}
		group, attr.Bits = c.all.fd, attr.Bits&^unix.PerfBitDisabled
	}
	sampling(&attr, min(s.ringSize()/4, maxBatch))
	attr.Sample_type = unix.PERF_SAMPLE_TID | unix.PERF_SAMPLE_TIME | unix.PERF_SAMPLE_RAW
	if s.decoder.stacks {
		attr.Sample_type |= unix.PERF_SAMPLE_CALLCHAIN
	}
	if err = s.openSamples(c, attr, group); err != nil {
		return c, err
	}
	attr.Bits = attr.Bits&^unix.PerfBitDisabled | unix.PerfBitExcludeCallchainKernel
	first := s.attr()
	sampling(&first, 1)
	if c.wakeup, err = openPerf(first, n, -1); err != nil {
		return c, err
	}
	if err = s.prepare(c); err == nil {
		s.openOthers(c, attr)
	}
	return c, err
}

// openSamples opens the event, and once more for those drops alone that are to have a
// call chain: the samples of both have one, which is empty where it is not wanted.
func (s *Source) openSamples(c *cpu, attr unix.PerfEventAttr, group int) (err error) {
	without := attr
	if !s.opts.Stack {
		without.Bits |= unix.PerfBitExcludeCallchainKernel
	}
	if c.drops, err = openPerf(without, c.n, group); err != nil || !s.choosesStacks() {
		return err
	}
	attr.Bits &^= unix.PerfBitDisabled
	c.chained, err = openPerf(attr, c.n, c.lead().fd)
	return err
}

// choosesStacks reports whether only some drops are to have a call chain.
func (s *Source) choosesStacks() bool {
	n := len(s.opts.StackAt)
	return !s.opts.Stack && 0 < n && n <= maxStackAt
}

// prepare sets the filters and maps the rings.
func (s *Source) prepare(c *cpu) error {
	if err := s.setFilters(c); err != nil {
		return err
	}
	if err := c.drops.mmap(s.ringSize()); err != nil {
		return err
	}
	if c.chained != nil {
		if err := c.chained.output(c.drops); err != nil {
			return err
		}
	}
	return c.wakeup.mmap(os.Getpagesize())
}

// setFilters divides the drops between the two events that have samples.
func (s *Source) setFilters(c *cpu) error {
	filter := s.opts.Filter
	if c.chained != nil {
		if err := c.chained.filter(atSpans(filter, s.opts.StackAt, true)); err != nil {
			return err
		}
		filter = atSpans(filter, s.opts.StackAt, false)
	}
	if err := c.drops.filter(filter); err != nil {
		return err
	}
	return c.wakeup.filter(s.opts.Filter)
}

// attr returns the attributes of an event that only counts, disabled.
func (s *Source) attr() unix.PerfEventAttr {
	return unix.PerfEventAttr{
		Type:    unix.PERF_TYPE_TRACEPOINT,
		Size:    uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Config:  s.decoder.layout.id,
		Bits:    unix.PerfBitDisabled | unix.PerfBitUseClockID, // all events of a group must have the same clock
		Clockid: unix.CLOCK_MONOTONIC,
	}
}

// sampling requests a record of each hit, and a wakeup after so many bytes.
func sampling(attr *unix.PerfEventAttr, watermark int) {
	attr.Sample = 1
	attr.Bits |= unix.PerfBitWatermark | unix.PerfBitExcludeCallchainUser
	attr.Wakeup = uint32(watermark)
}

// openPerf opens an event on a CPU, in the group of another event unless group is -1.
func openPerf(attr unix.PerfEventAttr, cpu, group int) (*perf, error) {
	fd, err := unix.PerfEventOpen(&attr, -1, cpu, group, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open skb:kfree_skb on CPU %d: %w", cpu, explainOpen(err))
	}
	return &perf{fd: fd}, nil
}

// explainOpen says what to do where the event cannot be opened.
func explainOpen(err error) error {
	switch {
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%w: it was built without CONFIG_PERF_EVENTS", ErrNoPerf)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: perf does not know the id that tracefs gave", ErrNoEvent)
	case !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES):
		return err
	case locked():
		return errLocked(err)
	}
	return fmt.Errorf("%w (%w): run as root or with %s", ErrPermission, err, needed())
}

// needed says which capability opens the event. It depends on kernel.perf_event_paranoid: Debian
// and Ubuntu have levels above 2, for which CAP_PERFMON is not enough.
func needed() string {
	const sysctl = "kernel.perf_event_paranoid"
	text, _ := host.New("/").Sysctl("kernel/perf_event_paranoid")
	level, err := strconv.Atoi(text)
	switch {
	case err != nil:
		return "CAP_PERFMON"
	case level > 2:
		return fmt.Sprintf("CAP_SYS_ADMIN, or with CAP_PERFMON after sysctl %s=2, which is %d", sysctl, level)
	}
	return fmt.Sprintf("CAP_PERFMON, %s is %d", sysctl, level)
}

// filter sets the filter of the event, unless expr is empty.
func (p *perf) filter(expr string) error {
	if expr == "" {
		return nil
	}
	text, err := unix.BytePtrFromString(expr)
	if err != nil {
		return fmt.Errorf("set filter %q: %w: it has a NUL", expr, ErrFilter)
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), unix.PERF_EVENT_IOC_SET_FILTER, uintptr(unsafe.Pointer(text)))
	if errno != 0 {
		return fmt.Errorf("set filter %q: %w (%w): use the fields of skb:kfree_skb, numbers and == != < > & && ||", expr,
			ErrFilter, errno)
	}
	return nil
}

// output makes the event write into the ring of another, on the same CPU.
func (p *perf) output(to *perf) error {
	if err := unix.IoctlSetInt(p.fd, unix.PERF_EVENT_IOC_SET_OUTPUT, to.fd); err != nil {
		return fmt.Errorf("share a ring: %w", err)
	}
	return nil
}

// mmap maps the ring of the event: a page of control data, and size bytes.
func (p *perf) mmap(size int) error {
	mem, err := unix.Mmap(p.fd, 0, os.Getpagesize()+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("map a ring of %d bytes: %w (%w): use a smaller ring, raise kernel.perf_event_mlock_kb or run with "+
			"CAP_IPC_LOCK", size, ErrPermission, err)
	}
	if err != nil {
		return fmt.Errorf("map a ring of %d bytes: %w", size, err)
	}
	page := (*unix.PerfEventMmapPage)(unsafe.Pointer(&mem[0]))
	p.mem, p.ring = mem, newRing(mem[os.Getpagesize():], &page.Data_head, &page.Data_tail)
	return nil
}

// control makes an ioctl that enables or disables the event.
func (p *perf) control(request uint, arg int) error {
	if err := unix.IoctlSetInt(p.fd, request, arg); err != nil {
		return fmt.Errorf("switch skb:kfree_skb on or off: %w", err)
	}
	return nil
}

// hits reads how often the event has happened and passed its filter.
func (p *perf) hits() (uint64, error) {
	var b [8]byte
	if _, err := unix.Read(p.fd, b[:]); err != nil {
		return 0, fmt.Errorf("read the count of skb:kfree_skb: %w", err)
	}
	return binary.NativeEndian.Uint64(b[:]), nil
}

// close closes an event and unmaps its ring. A nil perf is ignored.
func (p *perf) close() {
	if p == nil {
		return
	}
	if p.mem != nil {
		unix.Munmap(p.mem)
	}
	unix.Close(p.fd)
}

// hits reads how many drops matched the filter.
func (c *cpu) hits() (uint64, error) {
	n, err := c.drops.hits()
	if err != nil || c.chained == nil {
		return n, err
	}
	chained, err := c.chained.hits()
	return n + chained, err
}

// lead returns the leader of the group, which enables and disables all of it.
func (c *cpu) lead() *perf {
	if c.all != nil {
		return c.all
	}
	return c.drops
}

// off stops counting. When it returns, the ring is complete.
func (c *cpu) off() error { return c.lead().control(unix.PERF_EVENT_IOC_DISABLE, 0) }

// enableWakeup makes the next drop wake the reader.
func (c *cpu) enableWakeup() error {
	if c.enabled {
		return nil
	}
	c.enabled = true
	c.wakeup.ring.skip()
	return c.wakeup.control(unix.PERF_EVENT_IOC_ENABLE, 0)
}

// disableWakeup disables the wakeup if it has come, so that further drops cost nothing. The
// kernel would do that itself after PERF_EVENT_IOC_REFRESH, but on 6.18 a tracepoint that was so
// stopped cannot be enabled again: perf_trace_add does not clear PERF_HES_STOPPED.
func (c *cpu) disableWakeup() error {
	if !c.enabled || !c.wakeup.ring.skip() {
		return nil
	}
	c.enabled = false
	return c.wakeup.control(unix.PERF_EVENT_IOC_DISABLE, 0)
}

// close closes the events. After the last event of a tracepoint the kernel waits until no CPU
// can be in it any more (tracepoint_synchronize_unregister): tens of milliseconds on an idle
// machine.
func (c *cpu) close() {
	if !c.closed {
		for _, o := range c.others {
			o.close()
		}
		for _, p := range c.wakers {
			p.close()
		}
		c.all.close()
		c.chained.close()
		c.drops.close()
		c.wakeup.close()
		c.closed = true
	}
}
