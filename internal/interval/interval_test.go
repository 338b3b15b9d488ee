package interval_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"dropwatch/internal/interval"
)

// A run notes the ends of intervals, in seconds since it began.
type run struct {
	sync.Mutex
	*interval.Divider
	ends []string
}

func start(every time.Duration, begin time.Time) *run {
	r := &run{}
	r.Divider = interval.New(every, begin, r, func(at time.Time, live bool) {
		r.ends = append(r.ends, fmt.Sprintf("%v %v", at.Sub(r.Begin()), live))
	})
	return r
}

func (r *run) event(t time.Time) {
	r.Lock()
	defer r.Unlock()
	r.Event(t)
}

func (r *run) want(t *testing.T, want ...string) {
	t.Helper()
	r.Lock()
	defer r.Unlock()
	if !slices.Equal(r.ends, want) {
		t.Errorf("ends %q, want %q", r.ends, want)
	}
	r.ends = nil
}

func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(2*time.Second, time.Time{})
		time.Sleep(500 * time.Millisecond)
		r.event(time.Time{})
		r.event(time.Time{})
		time.Sleep(1499 * time.Millisecond)
		r.want(t)
		time.Sleep(2 * time.Millisecond)
		r.want(t, "2s true")
		time.Sleep(10 * time.Second)
		r.want(t) // nothing happened
		r.event(time.Time{})
		time.Sleep(2 * time.Second)
		r.want(t, "14s true")
		r.event(time.Time{})
		r.Lock()
		r.Stop()
		r.Unlock()
		r.event(time.Time{})
		time.Sleep(time.Minute)
		r.want(t)
	})
}

func TestRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Unix(1000, 0)
		r := start(2*time.Second, begin)
		for _, at := range []float64{-1, 0, 1.5, 2, 1, 11, 12.5, 12} {
			r.event(begin.Add(time.Duration(at * float64(time.Second))))
			time.Sleep(time.Hour) // which is not part of the run
		}
		r.want(t, "2s false", "4s false", "12s false")
	})
}

func TestNever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(0, time.Time{})
		r.event(time.Now())
		time.Sleep(time.Hour)
		r.want(t)
	})
}
