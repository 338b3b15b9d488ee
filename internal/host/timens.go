package host

import (
	"fmt"
	"strconv"
	"strings"
)

// MonotonicOffset returns how many nanoseconds CLOCK_MONOTONIC of dropwatch's time namespace is
// ahead of that of the host; 0 where the kernel has no time namespaces (before Linux 5.6).
func (h *Host) MonotonicOffset() int64 {
	text, err := h.ReadFile("proc/self/timens_offsets")
	if err != nil {
		return 0
	}
	return parseMonotonicOffset(string(text))
}

// parseMonotonicOffset parses lines of a clock, seconds and nanoseconds (time_namespaces(7)).
func parseMonotonicOffset(text string) int64 {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] != "monotonic" && f[0] != fmt.Sprint(clockMonotonic) {
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

// clockMonotonic is CLOCK_MONOTONIC (uapi/linux/time.h), as which Linux 5.6 names it.
const clockMonotonic = 1
