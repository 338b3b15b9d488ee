package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A cpu is what we have open on one CPU.
type cpu struct {
	n      int
	all    *perf  // counts what the filter rejects, too; nil without a filter
	drops  *perf  // the samples
	bell   *perf  // wakes us at a first drop
	armed  bool   // the bell is on
	seen   uint64 // samples that came out of the ring
	told   uint64 // losses that the ring told
	gone   bool   // it went offline, and its events with it
	closed bool
}

// A perf is a perf event on one CPU, with its ring if it has one.
type perf struct {
	fd   int
	mem  []byte
	ring ring
}

// openCPU opens the event on a CPU, switched off.
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
	if s.opts.Stack {
		attr.Sample_type |= unix.PERF_SAMPLE_CALLCHAIN
	}
	if c.drops, err = openPerf(attr, n, group); err != nil {
		return c, err
	}
	bell := s.attr()
	sampling(&bell, 1)
	if c.bell, err = openPerf(bell, n, -1); err != nil {
		return c, err
	}
	return c, s.prepare(c)
}

// prepare sets the filter, and maps the rings.
func (s *Source) prepare(c *cpu) error {
	for _, p := range []*perf{c.drops, c.bell} {
		if err := p.filter(s.opts.Filter); err != nil {
			return err
		}
	}
	if err := c.drops.mmap(s.ringSize()); err != nil {
		return err
	}
	return c.bell.mmap(os.Getpagesize())
}

// attr describes the event as a count, switched off.
func (s *Source) attr() unix.PerfEventAttr {
	return unix.PerfEventAttr{
		Type:    unix.PERF_TYPE_TRACEPOINT,
		Size:    uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Config:  s.decoder.layout.id,
		Bits:    unix.PerfBitDisabled | unix.PerfBitUseClockID, // the same clock for a group
		Clockid: unix.CLOCK_MONOTONIC,
	}
}

// sampling asks for a record of each hit, and to be woken after so many bytes.
func sampling(attr *unix.PerfEventAttr, watermark int) {
	attr.Sample = 1
	attr.Bits |= unix.PerfBitWatermark | unix.PerfBitExcludeCallchainUser
	attr.Wakeup = uint32(watermark)
}

func openPerf(attr unix.PerfEventAttr, cpu, group int) (*perf, error) {
	fd, err := unix.PerfEventOpen(&attr, -1, cpu, group, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open skb:kfree_skb on CPU %d: %w", cpu, explainOpen(err))
	}
	return &perf{fd: fd}, nil
}

// explainOpen says what to do where the event cannot be had.
func explainOpen(err error) error {
	switch {
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%w: it was built without CONFIG_PERF_EVENTS", ErrNoPerf)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: perf does not know the id that tracefs gave", ErrNoEvent)
	case !errors.Is(err, unix.EPERM) && !errors.Is(err, unix.EACCES):
		return err
	case locked("confidentiality"):
		return errLocked(err)
	}
	return fmt.Errorf("%w (%w): run as root or with %s", ErrPermission, err, needed())
}

// needed names what perf asks for. Debian and Ubuntu have levels above 2, at
// which CAP_PERFMON alone is not enough.
func needed() string {
	const sysctl = "kernel.perf_event_paranoid"
	text, _ := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	level, err := strconv.Atoi(strings.TrimSpace(string(text)))
	switch {
	case err != nil:
		return "CAP_PERFMON"
	case level > 2:
		return fmt.Sprintf("CAP_SYS_ADMIN, or with CAP_PERFMON after sysctl %s=2, which is %d", sysctl, level)
	}
	return fmt.Sprintf("CAP_PERFMON, %s is %d", sysctl, level)
}

// filter sets what the kernel rejects, if anything.
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
		return fmt.Errorf("set filter %q: %w (%w): it takes the fields of skb:kfree_skb, numbers and == != < > & && ||", expr, ErrFilter, errno)
	}
	return nil
}

// mmap gives the event a ring: the kernel's page before size bytes.
func (p *perf) mmap(size int) error {
	mem, err := unix.Mmap(p.fd, 0, os.Getpagesize()+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("map a ring of %d bytes: %w (%w): ask for less, raise kernel.perf_event_mlock_kb or run with CAP_IPC_LOCK", size, ErrPermission, err)
	}
	if err != nil {
		return fmt.Errorf("map a ring of %d bytes: %w", size, err)
	}
	page := (*unix.PerfEventMmapPage)(unsafe.Pointer(&mem[0]))
	p.mem, p.ring = mem, newRing(mem[os.Getpagesize():], &page.Data_head, &page.Data_tail)
	return nil
}

func (p *perf) control(request uint, arg int) error {
	if err := unix.IoctlSetInt(p.fd, request, arg); err != nil {
		return fmt.Errorf("switch skb:kfree_skb on or off: %w", err)
	}
	return nil
}

// hits reads how often the event has happened.
func (p *perf) hits() (uint64, error) {
	var b [8]byte
	if _, err := unix.Read(p.fd, b[:]); err != nil {
		return 0, fmt.Errorf("read the count of skb:kfree_skb: %w", err)
	}
	return binary.NativeEndian.Uint64(b[:]), nil
}

func (p *perf) close() {
	if p == nil {
		return
	}
	if p.mem != nil {
		unix.Munmap(p.mem)
	}
	unix.Close(p.fd)
}

// lead is the event that switches both counts on and off, at the same moment.
func (c *cpu) lead() *perf {
	if c.all != nil {
		return c.all
	}
	return c.drops
}

// off stops counting. When it returns the ring has all that it will have.
func (c *cpu) off() error { return c.lead().control(unix.PERF_EVENT_IOC_DISABLE, 0) }

// arm makes the bell ring at the next drop.
func (c *cpu) arm() error {
	if c.armed {
		return nil
	}
	c.armed = true
	c.bell.ring.skip()
	return c.bell.control(unix.PERF_EVENT_IOC_ENABLE, 0)
}

// hush switches the bell off if it has rung. PERF_EVENT_IOC_REFRESH would have
// the kernel do that, but on 6.18 a tracepoint stopped so does not start again:
// perf_trace_add does not clear PERF_HES_STOPPED.
func (c *cpu) hush() error {
	if !c.armed || !c.bell.ring.skip() {
		return nil
	}
	c.armed = false
	return c.bell.control(unix.PERF_EVENT_IOC_DISABLE, 0)
}

// close lets go. For the last event of a tracepoint the kernel then waits until
// no CPU can still be in it (tracepoint_synchronize_unregister), tens of
// milliseconds on an idle machine.
func (c *cpu) close() {
	if !c.closed {
		c.all.close()
		c.drops.close()
		c.bell.close()
		c.closed = true
	}
}
