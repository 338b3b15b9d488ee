package clock

import (
	"errors"
	"fmt"
	"math"

	"golang.org/x/sys/unix"
)

// WallAhead is how many nanoseconds the wall clock is ahead of CLOCK_MONOTONIC
// just now.
func WallAhead() (int64, error) { return wallAhead(readClocks) }

// A reading is of the wall clock between two of the monotonic clock, all in
// nanoseconds.
type reading struct{ before, wall, after int64 }

// wallAhead takes the quickest of three readings: a stall within one would shift
// all times that are made of it.
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

func readClocks() (reading, error) {
	var before, wall, after unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &before)
	err = errors.Join(err, unix.ClockGettime(unix.CLOCK_REALTIME, &wall))
	err = errors.Join(err, unix.ClockGettime(unix.CLOCK_MONOTONIC, &after))
	return reading{before.Nano(), wall.Nano(), after.Nano()}, err
}
