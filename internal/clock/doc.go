// Package clock converts times of the kernel's monotonic clock, which perf events and BPF
// programs have, to wall-clock time, and shows when the wall clock is set.
package clock

import "time"

// A Moment is the present by the wall clock, which can be set, and by a clock that nobody sets.
type Moment struct {
	Wall      time.Time     // without Go's reading of the monotonic clock
	SinceBoot time.Duration // also while the host was suspended; 0: not known
}

// Step returns by how much the wall clock was set forward between an earlier moment of the same boot and m; 0 if that is not
// known.
func (m Moment) Step(earlier Moment) time.Duration {
	if m.SinceBoot == 0 || earlier.SinceBoot == 0 {
		return 0
	}
	return m.Wall.Sub(earlier.Wall) - (m.SinceBoot - earlier.SinceBoot)
}

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
