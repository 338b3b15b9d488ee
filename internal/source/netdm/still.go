package netdm

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"dropwatch/internal/pipeline"
	"dropwatch/netlink"
)

// each are the origins: monitoring of each can be on or off.
var each = [...]netlink.Origins{netlink.Software, netlink.Hardware}

// An activity is what a Run knows of an origin.
type activity struct {
	alerts atomic.Uint64 // received
	lastOn atomic.Int64  // when its monitoring was last known to be on, as age returns it
}

// age returns how old the run is, in nanoseconds.
func (r *Run) age() int64 { return int64(time.Since(r.made)) }

// markOn records that monitoring of origins was on when the run was so old.
func (r *Run) markOn(origins netlink.Origins, at int64) {
	for _, o := range each {
		if origins&o != 0 {
			r.activity[o].lastOn.Store(at)
		}
	}
}

// recordAlert records which origins an alert, received at r.now, is about.
func (r *Run) recordAlert(a *netlink.Alert) {
	origins := netlink.Software
	switch {
	case a.Packet && a.Has(netlink.AttrOrigin) && a.Origin == netlink.OriginHardware, len(a.Traps) > 0 && len(a.Points) == 0:
		origins = netlink.Hardware
	case len(a.Traps) > 0:
		origins = both
	}
	for _, o := range each {
		if origins&o != 0 {
			r.activity[o].alerts.Add(1)
		}
	}
	r.markOn(origins, r.now)
}

// counts returns how many alerts were received about each origin.
func (r *Run) counts() (n [len(each)]uint64) {
	for i, o := range each {
		n[i] = r.activity[o].alerts.Load()
	}
	return n
}

// silent reports whether the run has received no alert about one of its origins since before.
func (r *Run) silent(before [len(each)]uint64) bool {
	for i, n := range r.counts() {
		if r.origins&each[i] != 0 && n == before[i] {
			return true
		}
	}
	return false
}

// check ends the run, by cancel, when another program has switched monitoring off. It asks the
// kernel only after a second without alerts about an origin, and never again after a request
// that failed.
func (r *Run) check(ctx context.Context, cancel context.CancelCauseFunc) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	for before := r.counts(); ; before = r.counts() {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if !r.silent(before) {
			continue
		}
		on, err := r.session.stillOn()
		if err != nil {
			return
		}
		if off := r.origins &^ on; off != 0 {
			cancel(r.stopped(off))
			return
		}
		r.markOn(r.origins, r.age())
	}
}

// stopped returns the error of a run after another program has switched off some of its origins.
func (r *Run) stopped(off netlink.Origins) error {
	since, name := r.activity[netlink.Software].lastOn.Load(), "software"
	if off&netlink.Software == 0 {
		since, name = r.activity[netlink.Hardware].lastOn.Load(), "hardware"
	}
	err := error(ErrSwitchedOff)
	if off != r.origins {
		err = fmt.Errorf("%w for %s drops", ErrSwitchedOff, name)
	}
	return &pipeline.StoppedError{Since: r.made.Add(time.Duration(since)), Err: err}
}

// stillOn returns which of the origins that Start has switched on are on. The session forgets
// the others: switching them off at its end would stop whoever starts monitoring next.
func (s *Session) stillOn() (netlink.Origins, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	on, err := s.monitor.Running()
	if err != nil {
		return 0, err
	}
	for _, o := range each {
		if s.on&o == 0 {
			continue
		}
		stays := false
		if on {
			if stays, err = s.isOn(o); err != nil {
				return 0, err
			}
		}
		if !stays {
			s.on &^= o
		}
	}
	return s.on, nil
}

// isOn reports whether monitoring of an origin is on. The kernel has no request for that: isOn
// sends START, which is refused exactly if it is on, and otherwise STOP.
func (s *Session) isOn(o netlink.Origins) (bool, error) {
	switch err := s.monitor.Start(o); {
	case errors.Is(err, netlink.ErrAlreadyOn):
		return true, nil
	case err != nil:
		return false, err
	}
	return false, s.halt(o)
}
