package host

import (
	"testing"
	"testing/fstest"
)

func TestClockOffset(t *testing.T) {
	for text, want := range map[string]struct{ monotonic, boottime int64 }{
		"monotonic      100000         5\nboottime       200000         0\n": {100000*1e9 + 5, 200000 * 1e9},
		"monotonic          -3 500000000\nboottime            0         0\n": {-25e8, 0},
		"1 7 0\n7 8 0\n":  {7e9, 8e9},
		"boottime 8 0\n":  {0, 8e9},
		"monotonic x 0\n": {},
	} {
		h := FS(fstest.MapFS{"proc/self/timens_offsets": {Data: []byte(text)}})
		monotonic, boottime := h.ClockOffset(Monotonic), h.ClockOffset(Boottime)
		if monotonic != want.monotonic || boottime != want.boottime {
			t.Errorf("%q: %d and %d, want %d", text, monotonic, boottime, want)
		}
	}
	if got := FS(fstest.MapFS{}).ClockOffset(Monotonic); got != 0 {
		t.Errorf("without time namespaces: %d", got)
	}
}
