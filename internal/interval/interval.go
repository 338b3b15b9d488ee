// Package interval divides a run into intervals of equal length: a live run by the clock,
// a recorded one by the time of its events.
package interval

import (
	"sync"
	"time"
)

// A Divider calls a function at the end of each interval that had an event. It belongs to
// a sink, whose lock guards it: a live run ends its intervals from another goroutine.
type Divider struct {
	every    time.Duration
	begin    time.Time // of the run
	until    time.Time // end of the current interval, of a recorded run only
	recorded bool
	lock     sync.Locker
	end      func(at time.Time, live bool)

	timer   *time.Timer
	due     bool // the timer is set
	stopped bool
}

// New returns a Divider. Begin is when a recorded run began; zero means that the run is live
// and begins now. End is called with the lock held and the end of the interval. Live says
// that a timer calls it, not Event: the sink then has to flush. If every is 0 or less, end
// is never called.
func New(every time.Duration, begin time.Time, lock sync.Locker, end func(at time.Time, live bool)) *Divider {
	d := &Divider{every: every, begin: begin, recorded: !begin.IsZero(), lock: lock, end: end}
	if !d.recorded {
		d.begin = time.Now()
	}
	d.until = d.begin.Add(every)
	return d
}

// Begin is when the run began.
func (d *Divider) Begin() time.Time { return d.begin }

// Event must be called, with the lock held, before an event of time t is counted. It ends the
// current interval if t, of a recorded run, is after it; in a live run it sets the timer that
// ends the interval.
func (d *Divider) Event(t time.Time) {
	switch {
	case d.every <= 0 || d.stopped:
	case !d.recorded && !d.due:
		d.schedule()
	case d.recorded && !t.Before(d.until):
		d.end(d.until, false)
		d.until = t.Add(d.every - t.Sub(d.begin)%d.every)
	}
}

// schedule sets the timer for the end of the current interval.
func (d *Divider) schedule() {
	d.due = true
	d.timer = time.AfterFunc(d.every-time.Since(d.begin)%d.every, func() {
		d.lock.Lock()
		defer d.lock.Unlock()
		if !d.stopped {
			d.due = false
			d.end(time.Now(), true)
		}
	})
}

// Stop must be called, with the lock held, when the run is over. End is not called after it.
func (d *Divider) Stop() {
	d.stopped = true
	if d.timer != nil {
		d.timer.Stop()
	}
}
