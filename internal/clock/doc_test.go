package clock

import (
	"testing"
	"time"
)

// TestStep: how far the wall clock was set, which is not known without the other one.
func TestStep(t *testing.T) {
	noon := time.Unix(1e9, 0)
	for name, tt := range map[string]struct {
		earlier, now Moment
		want         time.Duration
	}{
		"nothing": {Moment{noon, time.Hour}, Moment{noon.Add(time.Minute), time.Hour + time.Minute}, 0},
		"forward": {Moment{noon, time.Hour}, Moment{noon.Add(time.Hour), time.Hour + time.Minute}, 59 * time.Minute},
		"back":    {Moment{noon, time.Hour}, Moment{noon, time.Hour + time.Minute}, -time.Minute},
		"unknown": {Moment{noon, 0}, Moment{noon.Add(time.Hour), time.Hour}, 0},
	} {
		if got := tt.now.Step(tt.earlier); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	before := Present()
	if after := Present(); after.SinceBoot < before.SinceBoot || after.Step(before).Abs() > time.Second {
		t.Errorf("%+v, and then %+v", before, after)
	}
}
