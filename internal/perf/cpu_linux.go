package perf

import "golang.org/x/sys/unix"

// A CPU has what a [Reader] needs of the events of one CPU. They are opened disabled.
type CPU struct {
	N       int    // its number
	Lead    *Event // the leader of the group, which enables and disables all of it
	Samples *Event // the event of the group with the ring of the samples
	Wakeup  *Event // wakes the reader at the first hit, by a ring of its own; it is not of the group

	enabled bool // Wakeup is
	gone    bool // it went offline, and its events with it
}

// Base returns the CPU itself, for those that embed it.
func (c *CPU) Base() *CPU { return c }

// Off stops counting. When it returns, the ring is complete.
func (c *CPU) Off() error { return c.Lead.control(unix.PERF_EVENT_IOC_DISABLE, 0) }

// enableWakeup makes the next hit wake the reader.
func (c *CPU) enableWakeup() error {
	if c.enabled {
		return nil
	}
	c.enabled = true
	c.Wakeup.Ring.Skip()
	return c.Wakeup.control(unix.PERF_EVENT_IOC_ENABLE, 0)
}

// disableWakeup disables the wakeup if it has come, so that further hits cost nothing. The
// kernel would do that itself after PERF_EVENT_IOC_REFRESH, but on 6.18 a tracepoint that was so
// stopped cannot be enabled again: perf_trace_add does not clear PERF_HES_STOPPED.
func (c *CPU) disableWakeup() error {
	if !c.enabled || !c.Wakeup.Ring.Skip() {
		return nil
	}
	c.enabled = false
	return c.Wakeup.control(unix.PERF_EVENT_IOC_DISABLE, 0)
}
