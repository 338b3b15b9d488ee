package host

import (
	"testing"
	"testing/fstest"
)

func TestMonotonicOffset(t *testing.T) {
	for text, want := range map[string]int64{
		"monotonic      100000         5\nboottime       200000         0\n": 100000*1e9 + 5,
		"monotonic          -3 500000000\nboottime            0         0\n": -25e8,
		"1 7 0\n7 8 0\n":  7e9,
		"boottime 8 0\n":  0,
		"monotonic x 0\n": 0,
	} {
		h := FS(fstest.MapFS{"proc/self/timens_offsets": {Data: []byte(text)}})
		if got := h.MonotonicOffset(); got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
	if got := FS(fstest.MapFS{}).MonotonicOffset(); got != 0 {
		t.Errorf("without time namespaces: %d", got)
	}
}
