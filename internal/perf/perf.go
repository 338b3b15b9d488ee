// Package perf reads tracepoints by perf_event_open(2): it knows how events are opened, what tracefs says of
// their fields, how rings are read, and how a reader waits for all CPUs and follows those that come and
// go. It makes events of functions (kprobe events), and removes them. What the events mean is for its users.
package perf

import (
	"errors"
	"time"
)

// Reasons why an event cannot be opened. Errors of this package wrap one of them where one fits, and say
// what was attempted and what to do.
var (
	ErrPermission = errors.New("not permitted")
	ErrNoPerf     = errors.New("this kernel has no perf events")      // CONFIG_PERF_EVENTS
	ErrNoTracefs  = errors.New("this kernel has no tracefs")          // CONFIG_TRACING
	ErrNoEvent    = errors.New("this kernel has no such trace event") // CONFIG_EVENT_TRACING
	ErrFilter     = errors.New("the kernel rejects the filter")       // of [Event.Filter]
	ErrFormat     = errors.New("unknown format of the event")
	ErrNoProbes   = errors.New("this kernel has no kprobe events") // CONFIG_KPROBE_EVENTS
	ErrNoFunction = errors.New("this kernel has no such function") // of [Probe.Function]
)

// Tracing is where tracefs is usually mounted: it has the formats of events, and the list of probes.
const Tracing = "/sys/kernel/tracing"

// BatchTime is how long the reader waits after a first hit, or until a ring is as full as [Sampling] has
// it, so that one wakeup serves many hits. After a BatchTime without hits it waits for the next first one.
const BatchTime = 100 * time.Millisecond
