package clock

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"golang.org/x/sys/unix"

	"dropwatch/internal/host"
)

// offset is that of dropwatch's time namespace, which no process can change while it is in it.
var offset = sync.OnceValue(func() int64 { return host.New("/").MonotonicOffset() })

// WallAhead returns how many nanoseconds CLOCK_REALTIME is now ahead of the kernel's monotonic
// clock, which is CLOCK_MONOTONIC of the initial time namespace.
// Setting the wall clock changes it: a long run asks again from time to time.
func WallAhead() (int64, error) {
	ahead, err := wallAhead(readClocks)
	return ahead + offset(), err
}

// A reading is one of the wall clock, and one of the monotonic clock before and after it,
// in nanoseconds.
type reading struct{ before, wall, after int64 }

// wallAhead uses the quickest of three readings: if this thread was not running for a moment
// within one, all times that are computed from it would be shifted.
func wallAhead(read func() (reading, error)) (int64, error) {
	best := reading{after: math.MaxInt64}
	for range 3 {
		r, err := read()
		if err != nil {
			return 0, fmt.Errorf("read the clocks: %w", err)
		}
		if r.after-r.before < best.after-best.before {
			best = r
		}
	}
	return best.wall - (best.before + (best.after-best.before)/2), nil
}

// readClocks makes a reading.
func readClocks() (reading, error) {
	var before, wall, after unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &before)
	err = errors.Join(err, unix.ClockGettime(unix.CLOCK_REALTIME, &wall))
	err = errors.Join(err, unix.ClockGettime(unix.CLOCK_MONOTONIC, &after))
	return reading{before.Nano(), wall.Nano(), after.Nano()}, err
}
