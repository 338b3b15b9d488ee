// Package probe reports when functions of the kernel are reached under a condition, with what their arguments
// say: events of kind Point. It makes kprobe events of the functions, which work from Linux 5.10 on, and reads
// them as perf does. It needs the kernel's types (BTF), and no compiler.
//
// Where it can, a BPF program that is made of the condition tests it at the probe, so that a call which is of no
// interest has no event. Where it cannot, the kernel fetches the values of a point whenever its function is called,
// and then filters by what it can test of the condition: the rest is evaluated here. Both give the same, but only BPF
// has the headers of packets. A value behind a pointer that cannot be followed is 0, and so is all behind that.
//
// At the return of a function the arguments are those of its call, also what they point to. The two events are
// paired by task and stack address. A return without its call is counted as lost if calls were lost. Every call
// is kept, or without BPF read if the condition does not exclude it by its arguments alone: a point at the return of
// a function that is called for each packet costs more than one at its call.
//
// What the kernel itself misses, as when too many calls are under way, is counted from Linux 5.14 on.
//
// The kernel is left as it was, unless the process is killed (SIGKILL): its probes then cost nothing, and the
// next source that is opened removes them. Functions of nf_tables for traces are called only while a rule asks for
// traces: for a point at one of them there is such a rule, in a network namespace of the source, to which no packet comes.
package probe

import (
	"iter"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/host"
	"dropwatch/internal/member"
	"dropwatch/internal/point"
	"dropwatch/kallsyms"
)

// Needs are what the source needs of a host: CAP_DAC_OVERRIDE because the list of probes in perf.Tracing is written, which
// is root's. Where conditions are to be tested by BPF, it needs bpfprog.Needs as well. For each CPU it locks a ring, a page
// more for its control data, and two pages for the ring of the wakeup.
var Needs = host.Requirements{
	Options:      []string{"PERF_EVENTS", "KPROBE_EVENTS", "DEBUG_INFO_BTF"},
	Capabilities: []host.Capability{host.CapPerfmon, host.CapDACOverride},
	LockedBytes:  defaultRing, LockedPages: 3,
}

// Lacks are the facts that a Source reports of no event.
const Lacks = event.FactReason | event.FactTrap | event.FactCookie | event.FactSegments

// Options of a Source.
type Options struct {
	Points  []point.Point
	Types   *member.Types
	Symbols Symbols

	// Lacking is called with each point that is not possible on this kernel, and why; the others are opened. If it
	// is nil, one such point is the error of Open.
	Lacking func(p *point.Point, err error)

	// Tester is what tests the conditions of points in the kernel.
	Tester Tester

	// Filtered, if it is not nil, is called with why BPF cannot be used for a point that is opened without.
	Filtered func(err error)

	// RingSize is the size in bytes of the ring of each CPU, rounded up to a power of 2 pages. 0 stands for
	// 256 KiB.
	RingSize int
}

// A Tester is what tests a condition in the kernel.
type Tester uint8

const (
	Either  Tester = iota // BPF where that is possible, or else filters
	Filters               // the filters of events, which compare a value with a constant
	BPF                   // BPF: Open fails where that is not possible
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
