package clock

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/host"
)

// offset and bootOffset are those of dropwatch's time namespace, which no process can change while it is in it.
var (
	offset     = sync.OnceValue(func() int64 { return host.New("/").ClockOffset(host.Monotonic) })
	bootOffset = sync.OnceValue(func() int64 { return host.New("/").ClockOffset(host.Boottime) })
)

// Present returns the present moment. Since boot is by CLOCK_BOOTTIME of the initial time namespace.
func Present() (m Moment) {
	for range 3 { // unless this thread was not running for a moment between the readings
		var before, after unix.Timespec
		err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &before)
		m = Moment{Wall: time.Now().Round(0)}
		if err = errors.Join(err, unix.ClockGettime(unix.CLOCK_BOOTTIME, &after)); err != nil {
			return m
		}
		m.SinceBoot = time.Duration(before.Nano() - bootOffset())
		if after.Nano()-before.Nano() < int64(10*time.Millisecond) {
			return m
		}
	}
	return m
}

// Now returns the present moment by the kernel's monotonic clock, which is CLOCK_MONOTONIC of the
// initial time namespace. Setting the wall clock makes what it returned wrong: a long run asks again from time to
// time.
func Now() (Base, error) {
	b, err := now(readClocks)
	b.kernel -= offset()
	return b, err
}

// A reading is one of the wall clock, and one of the monotonic clock before and after it,
// in nanoseconds.
type reading struct {
	before, after int64
	wall          time.Time
}

// now uses the quickest of three readings: if this thread was not running for a moment
// within one, all times that are computed from it would be shifted.
func now(read func() (reading, error)) (Base, error) {
	best := reading{after: math.MaxInt64}
	for range 3 {
		r, err := read()
		if err != nil {
			return Base{}, fmt.Errorf("read the clocks: %w", err)
		}
		if r.after-r.before < best.after-best.before {
			best = r
		}
	}
	return NewBase(best.wall, best.before+(best.after-best.before)/2), nil
}

// readClocks makes a reading.
func readClocks() (r reading, err error) {
	var before, after unix.Timespec
	err = unix.ClockGettime(unix.CLOCK_MONOTONIC, &before)
	r.wall = time.Now()
	err = errors.Join(err, unix.ClockGettime(unix.CLOCK_MONOTONIC, &after))
	r.before, r.after = before.Nano(), after.Nano()
	return r, err
}
