package perf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"dropwatch/internal/host"
)

// An Event is a perf event on one CPU, with its ring if it has one.
type Event struct {
	FD   int  // closed by Close
	Ring Ring // see Map

	name string // of the tracepoint, for errors
	mem  []byte // of the mapping; nil without a ring
}

// Attr returns the attributes of an event that only counts, disabled. The id is that of the tracepoint
// in [Format].
func Attr(id uint64) unix.PerfEventAttr {
	return unix.PerfEventAttr{
		Type:    unix.PERF_TYPE_TRACEPOINT,
		Size:    uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Config:  id,
		Bits:    unix.PerfBitDisabled | unix.PerfBitUseClockID, // all events of a group must have the same clock
		Clockid: unix.CLOCK_MONOTONIC,
	}
}

// OutputAttr returns the attributes of an event whose records a BPF program writes (bpf_perf_event_output), disabled.
func OutputAttr() unix.PerfEventAttr {
	attr := Attr(unix.PERF_COUNT_SW_BPF_OUTPUT)
	attr.Type = unix.PERF_TYPE_SOFTWARE
	return attr
}

// Sampling requests a record of each hit, and a wakeup after so many bytes. The samples have what
// [ParseSample] reads if the caller asks for that, too: see [SampleType].
func Sampling(attr *unix.PerfEventAttr, watermark int) {
	attr.Sample = 1
	attr.Bits |= unix.PerfBitWatermark | unix.PerfBitExcludeCallchainUser
	attr.Wakeup = uint32(watermark)
}

// SampleType is what [ParseSample] reads. PERF_SAMPLE_CALLCHAIN may be added.
const SampleType = unix.PERF_SAMPLE_TID | unix.PERF_SAMPLE_TIME | unix.PERF_SAMPLE_RAW

// Open opens a tracepoint on a CPU, in the group of another event unless group is -1. The name is that in
// tracefs, "skb/kfree_skb". The caller closes it.
func Open(name string, attr unix.PerfEventAttr, cpu, group int) (*Event, error) {
	name = strings.Replace(name, "/", ":", 1)
	fd, err := unix.PerfEventOpen(&attr, -1, cpu, group, unix.PERF_FLAG_FD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("open %s on CPU %d: %w", name, cpu, explainOpen(err))
	}
	return &Event{FD: fd, name: name}, nil
}

// explainOpen says what to do where the event cannot be opened.
func explainOpen(err error) error {
	switch {
	case errors.Is(err, unix.ENOSYS):
		return fmt.Errorf("%w: it was built without CONFIG_PERF_EVENTS", ErrNoPerf)
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("%w: perf does not know the id that tracefs gave", ErrNoEvent)
	case errors.Is(err, unix.EMFILE):
		return fmt.Errorf("%w: raise the limit of open files (ulimit -n), or open fewer events", err)
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

// Filter sets the filter of the event over its fields (Documentation/trace/events.rst), unless expr is empty.
func (e *Event) Filter(expr string) error {
	if expr == "" {
		return nil
	}
	text, err := unix.BytePtrFromString(expr)
	if err != nil {
		return fmt.Errorf("set filter %q: %w: it has a NUL", expr, ErrFilter)
	}
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(e.FD), unix.PERF_EVENT_IOC_SET_FILTER, uintptr(unsafe.Pointer(text)))
	if errno != 0 {
		return fmt.Errorf("set filter %q: %w (%w): use the fields of %s, numbers and == != < > & && ||", expr,
			ErrFilter, errno, e.name)
	}
	return nil
}

// Test has a BPF program test each hit of the event: if it returns 0, neither this nor another event of the probe has
// it. It does so until the event is closed, also if it is disabled.
func (e *Event) Test(program int) error {
	if err := unix.IoctlSetInt(e.FD, unix.PERF_EVENT_IOC_SET_BPF, program); err != nil {
		return fmt.Errorf("attach a BPF program to %s: %w", e.name, err)
	}
	return nil
}

// Output makes the event write into the ring of another, on the same CPU.
func (e *Event) Output(to *Event) error {
	if err := unix.IoctlSetInt(e.FD, unix.PERF_EVENT_IOC_SET_OUTPUT, to.FD); err != nil {
		return fmt.Errorf("share a ring: %w", err)
	}
	return nil
}

// Map maps the ring of the event: a page of control data, and size bytes, a power of two of pages (perf_mmap,
// kernel/events/core.c).
func (e *Event) Map(size int) error {
	mem, err := unix.Mmap(e.FD, 0, os.Getpagesize()+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("map a ring of %d bytes: %w (%w): use a smaller ring, raise kernel.perf_event_mlock_kb or run with "+
			"CAP_IPC_LOCK", size, ErrPermission, err)
	}
	if err != nil {
		return fmt.Errorf("map a ring of %d bytes: %w", size, err)
	}
	page := (*unix.PerfEventMmapPage)(unsafe.Pointer(&mem[0]))
	e.mem, e.Ring = mem, NewRing(mem[os.Getpagesize():], &page.Data_head, &page.Data_tail)
	return nil
}

// control makes an ioctl that enables or disables the event.
func (e *Event) control(request uint, arg int) error {
	if err := unix.IoctlSetInt(e.FD, request, arg); err != nil {
		return fmt.Errorf("switch %s on or off: %w", e.name, err)
	}
	return nil
}

// Hits reads how often the event has happened and passed its filter.
func (e *Event) Hits() (uint64, error) {
	var b [8]byte
	if _, err := unix.Read(e.FD, b[:]); err != nil {
		return 0, fmt.Errorf("read the count of %s: %w", e.name, err)
	}
	return binary.NativeEndian.Uint64(b[:]), nil
}

// Close closes an event and unmaps its ring. A nil Event is ignored.
func (e *Event) Close() {
	if e == nil {
		return
	}
	if e.mem != nil {
		unix.Munmap(e.mem)
	}
	unix.Close(e.FD)
}
