package top

import (
	"math"
	"strings"
	"testing"

	"dropwatch/internal/live"
)

func TestCount(t *testing.T) {
	for n, want := range map[uint64]string{
		0: "0", 999_999: "999999", 1_000_000: "1.00M", 9_994_999: "9.99M", 12_345_678: "12.3M", 123_456_789: "123M", 999_499_999: "999M",
		999_500_000: "1.00G", 7_654_321_000_000: "7.65T", 2_000_000_000_000_000: "2.00P", math.MaxUint64: "18.4E",
	} {
		if got := count(n); got != want {
			t.Errorf("count %d: %s, want %s", n, got, want)
		}
	}
}

func TestSparkline(t *testing.T) {
	// from gives the history whose latest seconds are these.
	from := func(latest ...uint64) (h live.History) {
		copy(h[len(h)-len(latest):], latest)
		return h
	}
	huge := from(math.MaxUint64, 1)
	for _, tt := range []struct {
		h     live.History
		end   int64
		width int
		want  string // without the spaces before
	}{
		{from(), 100, 12, ""},
		{from(0, 1, 2, 3, 4, 5, 6, 7, 8), 100, 60, "▂▃▄▅▆▇██"},
		{from(1, 100), 100, 60, "▁█"},
		{huge, 100, 60, "█▁"},
		{from(5, 5, 5, 5, 5), 100, 12, "█"},  // seconds 95 to 99 are one column
		{from(5, 5, 5, 5, 5), 102, 12, "▅█"}, // 97 to 99, and 100 and 101, of which it is the mean
		{from(10, 10), 101, 12, "▂█"},        // 99, and 100 alone
		{from(7, 7, 7), 3, 30, "██"},         // a run that has just begun
		{from(1, 0, 0, 0, 0, 0, 0, 0, 0, 0), 10, 6, "█"},
		{from(3), 100, 0, ""},
	} {
		got := sparkline(&tt.h, tt.end, tt.width)
		if len([]rune(got)) != tt.width || strings.TrimLeft(got, " ") != tt.want {
			t.Errorf("width %d, end %d: %q, want %q", tt.width, tt.end, got, tt.want)
		}
	}
}

// TestSparklineStandsStill: a column stays as it is while the next one is made.
func TestSparklineStandsStill(t *testing.T) {
	count := func(second int64) uint64 { return uint64(second * second % 17) }
	var before string
	for end := int64(100); end < 105; end++ {
		var h live.History
		for i := range h {
			h[i] = count(end - live.Seconds + int64(i))
		}
		h[0], h[1], h[2], h[3], h[4] = 0, 0, 0, 0, 0 // the first column goes
		got := []rune(sparkline(&h, end, 12))
		if end == 101 {
			before = string(got[1:10])
		}
		if end > 101 && string(got[1:10]) != before {
			t.Errorf("at %d: %q, want %q", end, string(got[1:10]), before)
		}
	}
}

func TestSparkFit(t *testing.T) {
	for room, want := range map[int]int{200: 60, 60: 60, 59: 30, 29: 20, 19: 12, 11: 6, -5: 6} {
		if got := sparkFit(room); got != want {
			t.Errorf("room %d: %d, want %d", room, got, want)
		}
	}
}

func TestASCII(t *testing.T) {
	for line, want := range map[string]string{
		"plain \x1b[7m|": "plain \x1b[7m|",
		"…▼▲▁▂▃▄▅▆▇█":    "~v^_.:-=+*#",
		"é世x":            "???x",
	} {
		if got := ascii(line); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

func TestApart(t *testing.T) {
	for width, want := range map[int]string{
		12: "left   right", 10: "left right", 8: "l… right", 6: " right", 5: "right", 3: "right",
	} {
		if got := apart("left", "right", width); got != want {
			t.Errorf("width %d: %q, want %q", width, got, want)
		}
	}
	if got := pad("世界", 3); got != "世…" {
		t.Errorf("wide characters: %q", got)
	}
}
