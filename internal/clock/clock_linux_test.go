package clock

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestWallAhead stalls the readings of the clocks.
func TestWallAhead(t *testing.T) {
	good, early, late := reading{100, 1_000_110, 120}, reading{100, 1_000_105, 9000}, reading{100, 1_008_990, 9000}
	for _, readings := range [][]reading{{good, good, good}, {early, good, late}, {good, late, early}, {late, early, good}} {
		left := readings
		got, err := wallAhead(func() (reading, error) {
			r := left[0]
			left = left[1:]
			return r, nil
		})
		if got != 1_000_000 || err != nil {
			t.Errorf("%v: %d ahead, %v, want 1000000", readings, got, err)
		}
	}
	if _, err := wallAhead(func() (reading, error) { return reading{}, unix.EINVAL }); !errors.Is(err, unix.EINVAL) {
		t.Errorf("error %v, want %v", err, unix.EINVAL)
	}
	now, err := readClocks()
	if d := time.Since(time.Unix(0, now.wall)); err != nil || d < 0 || d > time.Minute || now.after < now.before {
		t.Errorf("readings %+v, %v, taken %v ago", now, err, d)
	}
}
