// Package clock converts times of the kernel's monotonic clock, which perf events and BPF
// programs have, to wall-clock time.
package clock

import "time"

// A Base is a moment by the wall clock and by the kernel's monotonic clock.
type Base struct {
	now    time.Time // with Go's reading of the monotonic clock
	kernel int64     // in nanoseconds
}

// NewBase returns the moment that is a time by the wall clock, and so many nanoseconds by the kernel's.
func NewBase(now time.Time, kernel int64) Base { return Base{now, kernel} }

// Time converts nanoseconds of the kernel's clock. The times of a Base from [Now] are as those from
// time.Now: which of two is earlier, and by how much, does not depend on whether the wall clock was set between
// them.
func (b Base) Time(ns uint64) time.Time { return b.now.Add(time.Duration(int64(ns) - b.kernel)) }
