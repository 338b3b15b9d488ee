// Package trace reports the packets that the kernel frees, as its tracepoint
// skb:kfree_skb reports them by perf_event_open(2): each with its location, protocol and time,
// and since Linux 5.17 with the reason. It needs neither NET_DM, BTF, BPF nor kprobes, sees all
// network namespaces, and counts exactly what it loses.
//
// The exception are CPUs that come online or go offline: packets that one drops before its events
// are open, or after the kernel has removed them, are not counted. Each such change is a Loss at
// [event.Unopened].
//
// The drops of a CPU come in order; those of different CPUs are not sorted.
package trace

import (
	"time"

	"dropwatch/internal/condition"
	"dropwatch/internal/host"
)

// Needs are what the source needs of a host. For each CPU it locks the smaller of the default
// rings, a page more for its control data, and two pages for the ring of the wakeup.
var Needs = host.Requirements{
	Options:      []string{"PERF_EVENTS", "EVENT_TRACING"},
	Capabilities: []host.Capability{host.CapPerfmon},
	LockedBytes:  sureRing, LockedPages: 3,
}

// Options of a Source. The zero value works.
type Options struct {
	// Stack: record the kernel stack trace of each drop, which costs the CPU that drops a
	// microsecond or more.
	Stack bool

	// StackAt are addresses: the call chain of a drop at one of them is read also
	// without Stack. It is ignored if it has more than 8 spans.
	StackAt []condition.Span

	// Others: also read the tracepoints that say more of some drops (of queueing disciplines since
	// Linux 7.2, of full receive buffers, of protocols without memory), and those of frames that XDP
	// loses, which are drops without a location. The end of Run then takes some 30 ms more for each.
	Others bool

	// FreesFrames reports whether an address is in one of [FrameFunctions], which free the packets
	// that XDP loses. It distinguishes those from frames that are no packets. If it is nil, the next
	// drop for no particular reason on the same CPU is taken for the packet.
	FreesFrames func(pc uint64) bool

	// RingSize is the size in bytes of the ring of each CPU, rounded up to a power of 2
	// pages. 0 stands for 2 MiB, or less if there are more than 32 CPUs; if that is not
	// permitted, for 512 KiB, which kernel.perf_event_mlock_kb by default allows a process
	// without CAP_IPC_LOCK.
	RingSize int

	// Filter is a filter over the event's fields, which the kernel evaluates:
	// "reason == 3 && protocol == 2048" (Documentation/trace/events.rst). [Expression]
	// makes one. The drops that it rejects are counted and reported as event.Rejected.
	Filter string
}

// FrameFunctions are the functions of the kernel and its modules in which a packet is freed after
// xdp:xdp_exception or xdp:xdp_redirect_err. Compilers inline some of them into others.
var FrameFunctions = []string{
	"do_xdp_generic", "netif_receive_generic_xdp", "__netif_receive_skb_core", // net/core/dev.c
	"dev_map_generic_redirect", "dev_map_bpf_prog_run_skb", // kernel/bpf/devmap.c
	"cpu_map_bpf_prog_run_skb", "cpu_map_kthread_run", // kernel/bpf/cpumap.c
	"veth_xdp_rcv_skb", "veth_xdp_rcv", "veth_poll", // drivers/net/veth.c
}

// Sizes of rings in bytes: the preferred one, the limit for all CPUs together, and what is
// permitted without CAP_IPC_LOCK.
const (
	largeRing = 2 << 20
	allRings  = 64 << 20
	sureRing  = 512 << 10
)

// The reader is woken when a ring is a quarter full or has maxBatch bytes. What is not emitted within
// drainTime after the end is counted as unread.
const (
	drainTime = 40 * time.Millisecond
	maxBatch  = 128 << 10
)
