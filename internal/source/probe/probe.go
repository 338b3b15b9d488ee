// Package probe reports when functions of the kernel are reached under a condition, with what their arguments
// say: events of kind Point. It works from Linux 5.10 on, needs the kernel's types (BTF), and no compiler.
//
// Of three ways it takes, for each function, the first that the kernel can do. All give the same, but only BPF has the
// headers of packets:
//   - BPF programs that are made of the condition are attached to the function (fentry, fexit), and write an event where
//     it is true. This costs least, and is done from Linux 5.12 on, for the first functions: to detach many takes seconds.
//   - A kprobe event of the function, which perf reads, has such programs test the condition before there is an event.
//   - The kernel fetches the values of a kprobe event whenever the function is called, and then filters by what it can
//     test of the condition: the rest is evaluated here.
//
// A value behind a pointer that cannot be followed is 0, and so is all behind that.
//
// At the return of a function the arguments are those of its call, also what they point to. The two are paired by stack
// address, and those of events by task, too. A return without its call is counted as lost if calls were lost. Every call
// is kept, or without BPF read if the condition does not exclude it by its arguments alone: a point at the return of
// a function that is called for each packet costs more than one at its call. Of a point that asks for the values at the return
// nothing is kept by programs that are attached, which have the arguments there, and by those at probes the arguments alone;
// without BPF its values are those of the call.
//
// What the kernel itself misses, as when too many calls are under way, is counted from Linux 5.14 on.
//
// The kernel is left as it was, unless the process is killed (SIGKILL): its kprobe events then cost nothing, and the
// next source that is opened removes them. Functions of nf_tables for traces are called only while a rule asks for
// traces: for a point at one of them there is such a rule, in a network namespace of the source, to which no packet comes.
package probe

import (
	"iter"
	"time"

	"dropwatch/internal/host"
	"dropwatch/internal/member"
	"dropwatch/internal/point"
	"dropwatch/kallsyms"
)

//go:generate -command compile go tool bpf2go -cc clang-14 -strip llvm-strip-14 -tags linux -target bpfel,bpfeb
//go:generate compile -type found -type shape rules rules.bpf.c -- -O2 -mcpu=v3 -Wall -Werror

// Needs are what the source needs of a host: CAP_DAC_OVERRIDE because the list of probes in perf.Tracing is written, which
// is root's. Where conditions are to be tested by BPF, it needs bpfprog.Needs as well. For each CPU it locks a ring, a page
// more for its control data, and two pages for the ring of the wakeup.
var Needs = host.Requirements{
	Options:      []string{"PERF_EVENTS", "KPROBE_EVENTS", "DEBUG_INFO_BTF"},
	Capabilities: []host.Capability{host.CapPerfmon, host.CapDACOverride},
	LockedBytes:  defaultRing, LockedPages: 3,
}

// Options of a Source.
type Options struct {
	Points  []point.Point // each with a name of its own
	Types   *member.Types // of the running kernel
	Symbols Symbols       // likewise: which functions can be probed

	// Lacking is called with each point that is not possible on this kernel, and why; the others are opened. If it
	// is nil, one such point is the error of Open.
	Lacking func(p *point.Point, err error)

	// Tester is what tests the conditions of points in the kernel.
	Tester Tester

	// Filtered, if it is not nil, is called with why BPF cannot be used for a point that is opened without.
	Filtered func(err error)

	// Unnamed, if it is not nil, is called with why the rules of iptables by which packets are dropped cannot be named. It
	// takes programs that are attached to its functions.
	Unnamed func(err error)

	// RingSize is the size in bytes of the ring of each CPU, rounded up to a power of 2 pages. 0 stands for
	// 256 KiB.
	RingSize int
}

// A Tester is what tests a condition in the kernel.
type Tester uint8

const (
	Any      Tester = iota // the first of the others that is possible: Attached, BPF, Filters
	Attached               // BPF that is attached to the function itself: Open fails where that is not possible
	BPF                    // BPF at a probe of the function: Open fails where that is not possible
	Filters                // the filters of events, which compare a value with a constant
)

// Symbols is the symbol table of the kernel: a [kallsyms.Live] that was loaded.
type Symbols interface {
	Everywhere(name string) []kallsyms.Range
	Lookup(pc uint64) (kallsyms.Symbol, bool)
	Names() iter.Seq[string]
}

// defaultRing is half of what kernel.perf_event_mlock_kb by default allows a process without CAP_IPC_LOCK.
const defaultRing = 256 << 10

// drainTime is how long at the end what is left is emitted. The rest is lost as unread.
const drainTime = time.Second
