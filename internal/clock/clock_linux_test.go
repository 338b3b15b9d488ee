package clock

import (
	"errors"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestNow stalls the readings of the clocks.
func TestNow(t *testing.T) {
	at := func(ns int64) time.Time { return time.Unix(0, ns) }
	good, early, late := reading{100, 120, at(1_000_110)}, reading{100, 9000, at(1_000_105)}, reading{100, 9000, at(1_008_990)}
	for _, readings := range [][]reading{{good, good, good}, {early, good, late}, {good, late, early}, {late, early, good}} {
		left := readings
		got, err := now(func() (reading, error) {
			r := left[0]
			left = left[1:]
			return r, nil
		})
		if ns := got.Time(50).UnixNano(); ns != 1_000_050 || err != nil {
			t.Errorf("%v: 50 is %d, %v, want 1000050", readings, ns, err)
		}
	}
	if _, err := now(func() (reading, error) { return reading{}, unix.EINVAL }); !errors.Is(err, unix.EINVAL) {
		t.Errorf("error %v, want %v", err, unix.EINVAL)
	}
	r, err := readClocks()
	if d := time.Since(r.wall); err != nil || d < 0 || d > time.Minute || r.after < r.before {
		t.Errorf("readings %+v, %v, taken %v ago", r, err, d)
	}
}
