package trace

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// pause waits until there is something to read. Drops that have just come are
// seldom alone, so what follows them may gather for batchTime. So may what has
// woken us and is not there yet: a CPU rings the bell before it writes the
// sample. After a batchTime with nothing the bells are armed again, and the
// rings read once more before the long wait.
func (s *Source) pause(busy bool) (err error) {
	limit := time.Duration(-1)
	switch {
	case busy || s.woken:
		s.armed, limit = false, batchTime
	case !s.armed:
		s.armed = true
		return s.bells((*cpu).arm)
	}
	if s.woken, err = s.wait(limit); err == nil && s.woken {
		err = s.bells((*cpu).hush)
	}
	return err
}

// bells does something to the bell of each CPU.
func (s *Source) bells(do func(*cpu) error) error {
	for _, c := range s.cpus {
		if err := do(c); err != nil {
			return err
		}
	}
	return nil
}

// wait returns when a file has something, a signal came, or a limit that is not
// negative is over, which is no waking.
func (s *Source) wait(limit time.Duration) (woken bool, err error) {
	ms := -1
	if limit >= 0 {
		ms = int(limit / time.Millisecond)
	}
	var events [16]unix.EpollEvent
	n, err := unix.EpollWait(s.epoll, events[:], ms)
	if err != nil && !errors.Is(err, unix.EINTR) {
		return false, fmt.Errorf("wait for drops: %w", err)
	}
	for _, e := range events[:max(n, 0)] {
		s.notice(int(e.Fd), e.Events)
	}
	return n != 0, nil
}

// notice looks at what woke us, other than drops: a file that can give nothing
// more is that of a CPU that has gone.
func (s *Source) notice(fd int, events uint32) {
	switch {
	case fd == s.uevents:
		changed, gone := readUevents(fd)
		s.changed = s.changed || changed
		for _, c := range s.cpus {
			c.gone = c.gone || slices.Contains(gone, c.n)
		}
	case events&(unix.EPOLLHUP|unix.EPOLLERR) != 0:
		unix.EpollCtl(s.epoll, unix.EPOLL_CTL_DEL, fd, nil)
		s.changed = true
	}
}

// read hands on what is in the rings, and tells how many records that were.
func (s *Source) read(out pipeline.Output) (n int, err error) {
	if err := s.setClock(); err != nil {
		return 0, err
	}
	for _, c := range s.cpus {
		shown, err := s.show(c, out, s.running)
		n += shown
		if err != nil {
			return n, err
		}
	}
	if n > 0 || !s.armed { // then it is told that no more came
		err = out.Flush()
	}
	return n, err
}

func (s *Source) running() bool { return !s.ended.Load() }

// setClock finds out what the wall clock is ahead of the clock of the samples.
// The wall clock itself perf does not give to an event that an NMI might hit,
// which it takes tracepoints for (kernel/events/core.c, perf_event_set_clock).
func (s *Source) setClock() (err error) {
	s.decoder.wall, err = clock.WallAhead()
	return err
}

// show hands on a CPU's records while more says so.
func (s *Source) show(c *cpu, out pipeline.Output, more func() bool) (n int, err error) {
	r := &c.drops.ring
	r.look()
	for err == nil && more() {
		rec := r.next()
		if rec == nil {
			break
		}
		n++
		err = s.emit(c, out, rec)
	}
	r.release()
	return n, err
}

// emit gives out what a record says.
func (s *Source) emit(c *cpu, out pipeline.Output, rec []byte) error {
	switch recordType(rec) {
	case recordLost:
		return s.lose(out, event.InRing, c.tell(rec))
	case recordSample:
		c.seen++
		if !s.decoder.sample(rec, uint32(c.n), &s.event) {
			return s.lose(out, event.Undecoded, 1)
		}
		return out.Emit(&s.event)
	}
	return nil
}

// tell enters that the ring had no room for a number of samples.
func (c *cpu) tell(rec []byte) uint64 {
	n := lostCount(rec)
	c.told += n
	return n
}

// count passes over what is left in the ring of a CPU, whose event is off, and
// tells how many samples that were.
func (c *cpu) count() (unread uint64) {
	r := &c.drops.ring
	r.look()
	for rec := r.next(); rec != nil; rec = r.next() {
		if recordType(rec) == recordSample {
			unread++
		}
	}
	r.release()
	c.seen += unread
	return unread
}

// finishAll switches the event off and accounts for all CPUs, after handing on
// what is left, if that is wanted.
func (s *Source) finishAll(out pipeline.Output, show bool) (err error) {
	for _, c := range s.cpus {
		err = pipeline.Also(err, c.off())
	}
	end := time.Now()
	err = pipeline.Also(err, s.setClock())
	for _, c := range s.cpus {
		if show && err == nil {
			err = s.finish(c, out, end)
		} else {
			c.count()
			err = pipeline.Also(err, s.account(c, out))
		}
	}
	if show && err == nil {
		err = out.Flush()
	}
	return err
}

// finish hands on what is left of a CPU whose event is off, as far as there is
// time, and accounts for the rest.
func (s *Source) finish(c *cpu, out pipeline.Output, end time.Time) error {
	_, err := s.show(c, out, func() bool { return time.Since(end) < drainTime })
	unread := c.count()
	if err == nil {
		err = s.lose(out, event.Unread, unread)
	}
	return pipeline.Also(err, s.account(c, out))
}

// account reports what a CPU, whose event is off and whose ring is read, had
// hit but not sampled, and what its filter rejected: perf counts a hit if it
// fits the filter, so another event without one counts them all.
func (s *Source) account(c *cpu, out pipeline.Output) error {
	hits, err := c.drops.hits()
	if err != nil {
		return err
	}
	err = s.lose(out, event.InRing, less(hits, c.seen+c.told))
	if c.all == nil {
		return err
	}
	all, err2 := c.all.hits()
	if err2 != nil {
		return pipeline.Also(err, err2)
	}
	return pipeline.Also(err, s.lose(out, event.ByFilter, less(all, hits)))
}

// less is n-m, or 0 where that would be less.
func less(n, m uint64) uint64 { return n - min(n, m) }

// lose gives out that n drops were not seen, if any were not.
func (s *Source) lose(out pipeline.Output, at event.Place, n uint64) error {
	if n == 0 {
		return nil
	}
	return out.Emit(&event.Event{Kind: event.Loss, Time: time.Now(), Count: n, Place: at})
}
