// Package trace makes events of the packets that the kernel frees, as its
// tracepoint skb:kfree_skb tells them through perf_event_open(2): each with its
// place, protocol and time, and since Linux 5.17 with the reason. It needs
// neither NET_DM, BTF, BPF nor kprobes, sees all network namespaces, and counts
// exactly what it could not show.
//
// What a CPU drops in the moment between its coming online and our noticing is
// neither seen nor counted, nor, before Linux 5.11, what it drops while it goes
// offline. The drops of a CPU come in order; those of several are not sorted
// among each other within a batch.
package trace

import (
	"errors"
	"time"
)

// Why a Source cannot be had. The error that Open returns wraps one of them and
// says what was tried and what to do.
var (
	ErrPermission = errors.New("not permitted")
	ErrNoPerf     = errors.New("this kernel has no perf events")      // CONFIG_PERF_EVENTS
	ErrNoTracefs  = errors.New("this kernel has no tracefs")          // CONFIG_TRACING
	ErrNoEvent    = errors.New("this kernel has no such trace event") // CONFIG_EVENT_TRACING
	ErrFilter     = errors.New("the kernel does not take the filter") // Options.Filter
	ErrFormat     = errors.New("the event's format is not known to us")
)

// Options of a Source. The zero value works.
type Options struct {
	// Stack asks for the kernel's call chain of each drop, which costs the
	// CPU that drops a microsecond or more.
	Stack bool

	// RingSize is the number of bytes that the kernel keeps for us on each
	// CPU, rounded up to a power of two pages; 0 stands for 2 MiB, less if
	// there are more than 32 CPUs, or for 512 KiB if it must be, what
	// kernel.perf_event_mlock_kb allows a process without CAP_IPC_LOCK.
	RingSize int

	// Filter is an expression over the event's fields for the kernel, as in
	// "reason == 3 && protocol == 2048" (Documentation/trace/events.rst), such
	// as [Expression] gives.
	// What it rejects is counted by a second event.
	Filter string
}

// The sizes of rings: what we would like, of all together, and what we may have.
const (
	largeRing = 2 << 20
	allRings  = 64 << 20
	sureRing  = 512 << 10
)

// The times of a run. After a first drop we wait for batchTime, or until a ring
// is a quarter full or holds maxBatch bytes, so that one wake-up serves many drops;
// after a batchTime without any we wait for the next first drop. What cannot be
// shown within drainTime of the end is counted as unread.
const (
	batchTime = 100 * time.Millisecond
	drainTime = 40 * time.Millisecond
	maxBatch  = 128 << 10
)
