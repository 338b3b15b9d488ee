package trace

import (
	"os"

	"golang.org/x/sys/unix"

	"dropwatch/internal/perf"
)

// A cpu has the events that are open on one CPU.
type cpu struct {
	perf.CPU             // its Samples are of the drops that pass the filter
	all      *perf.Event // counts all drops, also those that the filter rejects; nil without a filter
	chained  *perf.Event // samples those that pass at Options.StackAt, into the same ring; nil without
	samples  uint64      // of drops that were read from the ring
	reported uint64      // drops that were reported as lost
	closed   bool

	others    []otherPerf   // the other tracepoints, which sample into the same ring
	wakers    []*perf.Event // wake the reader at the first of their frames, in the group of wakeup
	unwritten uint64        // records of any event that, by records in the ring, found no room
	sayings   [2]saying
	last      *saying // the one that no drop has followed yet, or nil
	redirect  uint64  // the XDP program whose redirect failed last
}

// openCPU opens the events on a CPU, disabled. The two that count are a group, so that they are
// enabled and disabled at the same moment.
func (s *Source) openCPU(n int) (c *cpu, err error) {
	c = &cpu{CPU: perf.CPU{N: n}}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	attr := perf.Attr(s.decoder.layout.id)
	group := -1
	if s.opts.Filter != "" {
		if c.all, err = perf.Open(dropEvent, attr, n, -1); err != nil {
			return c, err
		}
		c.Lead, group, attr.Bits = c.all, c.all.FD, attr.Bits&^unix.PerfBitDisabled
	}
	perf.Sampling(&attr, min(s.ringSize()/4, maxBatch))
	attr.Sample_type = perf.SampleType
	if s.decoder.stacks {
		attr.Sample_type |= unix.PERF_SAMPLE_CALLCHAIN
	}
	if err = s.openSamples(c, attr, group); err != nil {
		return c, err
	}
	attr.Bits = attr.Bits&^unix.PerfBitDisabled | unix.PerfBitExcludeCallchainKernel
	first := perf.Attr(s.decoder.layout.id)
	perf.Sampling(&first, 1)
	if c.Wakeup, err = perf.Open(dropEvent, first, n, -1); err != nil {
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
	if c.Samples, err = perf.Open(dropEvent, without, c.N, group); err != nil {
		return err
	}
	if c.Lead == nil {
		c.Lead = c.Samples
	}
	if !s.choosesStacks() {
		return nil
	}
	attr.Bits &^= unix.PerfBitDisabled
	c.chained, err = perf.Open(dropEvent, attr, c.N, c.Lead.FD)
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
	if err := c.Samples.Map(s.ringSize()); err != nil {
		return err
	}
	if c.chained != nil {
		if err := c.chained.Output(c.Samples); err != nil {
			return err
		}
	}
	return c.Wakeup.Map(os.Getpagesize())
}

// setFilters divides the drops between the two events that have samples.
func (s *Source) setFilters(c *cpu) error {
	filter := s.opts.Filter
	if c.chained != nil {
		if err := c.chained.Filter(atSpans(filter, s.opts.StackAt, true)); err != nil {
			return err
		}
		filter = atSpans(filter, s.opts.StackAt, false)
	}
	if err := c.Samples.Filter(filter); err != nil {
		return err
	}
	return c.Wakeup.Filter(s.opts.Filter)
}

// hits reads how many drops matched the filter.
func (c *cpu) hits() (uint64, error) {
	n, err := c.Samples.Hits()
	if err != nil || c.chained == nil {
		return n, err
	}
	chained, err := c.chained.Hits()
	return n + chained, err
}

// Close closes the events. After the last event of a tracepoint the kernel waits until no CPU
// can be in it any more (tracepoint_synchronize_unregister): tens of milliseconds on an idle
// machine.
func (c *cpu) Close() {
	if !c.closed {
		for _, o := range c.others {
			o.Close()
		}
		for _, p := range c.wakers {
			p.Close()
		}
		c.all.Close()
		c.chained.Close()
		c.Samples.Close()
		c.Wakeup.Close()
		c.closed = true
	}
}
