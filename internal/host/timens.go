package host

import (
	"strconv"
	"strings"
)

// A Clock is one that a time namespace can shift, by its number (uapi/linux/time.h), as which Linux 5.6 names it.
type Clock int

// The clocks.
const (
	Monotonic Clock = 1 // CLOCK_MONOTONIC
	Boottime  Clock = 7 // CLOCK_BOOTTIME, which goes on during suspend
)

// name is how later kernels name the clock.
func (c Clock) name() string {
	if c == Boottime {
		return "boottime"
	}
	return "monotonic"
}

// ClockOffset returns how many nanoseconds a clock of dropwatch's time namespace is ahead of that of the host; 0 where the
// kernel has no time namespaces (before Linux 5.6).
func (h *Host) ClockOffset(c Clock) int64 {
	text, err := h.ReadFile("proc/self/timens_offsets")
	if err != nil {
		return 0
	}
	return parseClockOffset(string(text), c)
}

// parseClockOffset parses lines of a clock, seconds and nanoseconds (time_namespaces(7)).
func parseClockOffset(text string, c Clock) int64 {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != c.name() && f[0] != strconv.Itoa(int(c)) {
			continue
		}
		seconds, err := strconv.ParseInt(f[1], 10, 64)
		nanoseconds, err2 := strconv.ParseInt(f[2], 10, 64)
		if err == nil && err2 == nil {
			return seconds*1e9 + nanoseconds
		}
	}
	return 0
}
