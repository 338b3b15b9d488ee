package event_test

import (
	"testing"
	"time"

	"dropwatch/internal/event"
)

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 10 * time.Second: "10s", 1500 * time.Millisecond: "1.5s", 5 * time.Minute: "5m", 65 * time.Second: "1m5s",
		time.Hour: "1h", 90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s", 20 * time.Minute: "20m", 10 * time.Hour: "10h",
	} {
		if got := event.Duration(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}
