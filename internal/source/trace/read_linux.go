package trace

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// pause waits until there is something to read. Busy says that the last read found something.
// Drops seldom come alone, so while they come it waits for batchTime, to read many at once; it
// does so after a wakeup too, which a CPU sends before it has written the sample. After a
// batchTime without drops it first enables the wakeups and returns, as a drop may have come in
// between; only after one more reading without drops it waits without a limit.
func (s *Source) pause(busy bool) (err error) {
	limit := time.Duration(-1)
	switch {
	case busy || s.woken:
		s.enabled, limit = false, batchTime
	case !s.enabled:
		s.enabled = true
		return s.eachCPU((*cpu).enableWakeup)
	}
	if s.woken, err = s.wait(limit); err == nil && s.woken {
		err = s.eachCPU((*cpu).disableWakeup)
	}
	return err
}

// eachCPU calls do for each CPU until one fails.
func (s *Source) eachCPU(do func(*cpu) error) error {
	for _, c := range s.cpus {
		if err := do(c); err != nil {
			return err
		}
	}
	return nil
}

// wait waits until a file has something to read, a signal comes, or the limit is over; only in
// the last case woken is false. A negative limit means none.
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

// notice handles a file that has something other than drops: messages about CPUs, or a hangup,
// which means that the CPU of an event went offline.
func (s *Source) notice(fd int, events uint32) {
	switch {
	case fd == s.uevents:
		s.readUevents()
	case events&(unix.EPOLLHUP|unix.EPOLLERR) != 0:
		unix.EpollCtl(s.epoll, unix.EPOLL_CTL_DEL, fd, nil)
		s.changed = true
	}
}

// readUevents records whether CPUs came or went.
func (s *Source) readUevents() {
	changed, gone := readUevents(s.uevents)
	s.changed = s.changed || changed
	for _, c := range s.cpus {
		c.gone = c.gone || slices.Contains(gone, c.n)
	}
}

// read emits what is in the rings, and returns how many records that were. It flushes the output
// unless nothing has come since it last did.
func (s *Source) read(out pipeline.Output) (n int, err error) {
	if err := s.setClock(); err != nil {
		return 0, err
	}
	for _, c := range s.cpus {
		n += s.show(c, out, s.running)
	}
	if n > 0 || !s.enabled { // with wakeups enabled it was flushed before
		out.Flush()
	}
	return n, nil
}

// running reports whether the context of the run has not ended.
func (s *Source) running() bool { return !s.ended.Load() }

// setClock reads how far the wall clock is ahead of the clock of the samples. perf refuses the
// wall clock for events that may happen in an NMI, as tracepoints may (perf_event_set_clock,
// kernel/events/core.c).
func (s *Source) setClock() (err error) {
	s.decoder.wall, err = clock.WallAhead()
	return err
}

// show emits the records in the ring of a CPU while more returns true, and what the last of them
// left open once none follows.
func (s *Source) show(c *cpu, out pipeline.Output, more func() bool) (n int) {
	r := &c.drops.ring
	r.readHead()
	empty := r.at == r.end
	for more() {
		rec := r.next()
		if rec == nil {
			break
		}
		n++
		s.emit(c, out, rec)
	}
	r.release()
	if empty && s.settle(c, out) {
		n++
	}
	return n
}

// emit emits the event of a record: a drop, or a loss.
func (s *Source) emit(c *cpu, out pipeline.Output, rec []byte) {
	switch recordType(rec) {
	case recordLost:
		s.lose(c, out)
		lose(out, event.InRing, c.addLost(rec))
	case recordSample:
		s.sample(c, out, rec)
	}
}

// sample emits the event of a sample, or keeps what it says of the next.
func (s *Source) sample(c *cpu, out pipeline.Output, rec []byte) {
	smp, ok := s.decoder.parse(rec)
	number := s.decoder.eventOf(&smp)
	if i := s.indexOf(number); i >= 0 {
		s.other(c, out, i, &smp)
		return
	}
	c.samples++
	if !ok || number != s.decoder.layout.id || !s.decoder.drop(&smp, uint32(c.n), &s.event) {
		lose(out, event.Undecoded, 1)
		return
	}
	s.join(c, out, &smp)
	out.Emit(&s.event)
}

// addLost counts the records that, by a PERF_RECORD_LOST, found no room in the ring, and returns
// how many drops are certainly among them. They may be of any event; the others are known at the end.
func (c *cpu) addLost(rec []byte) uint64 {
	c.unwritten += lostCount(rec)
	n := less(less(c.unwritten, c.othersLost()), c.reported)
	c.reported += n
	return n
}

// othersLost returns how many samples of other tracepoints may have been lost: those that were not
// read. It is all if that cannot be known.
func (c *cpu) othersLost() (n uint64) {
	for i := range c.others {
		hits, err := c.others[i].hits()
		if err != nil {
			return math.MaxUint64
		}
		n += less(hits, c.others[i].samples)
	}
	return n
}

// count skips what is left in the ring of a CPU, whose event is disabled, and returns how many
// drops those are.
func (s *Source) count(c *cpu) (unread uint64) {
	r := &c.drops.ring
	r.readHead()
	var n counter
	for rec := r.next(); rec != nil; rec = r.next() {
		if recordType(rec) == recordSample {
			s.sample(c, &n, rec)
		}
	}
	r.release()
	return uint64(n)
}

// A counter is an Output that counts drops, decoded or not.
type counter uint64

// Emit implements pipeline.Output.
func (n *counter) Emit(e *event.Event) {
	if e.Kind == event.Drop || e.Kind == event.Loss {
		*n += counter(e.Count)
	}
}

// Flush implements pipeline.Output.
func (*counter) Flush() {}

// finishAll disables the events of all CPUs, emits what is left in the rings if show is true,
// and reports the losses.
func (s *Source) finishAll(out pipeline.Output, show bool) (err error) {
	for _, c := range s.cpus {
		err = errors.Join(err, c.off())
	}
	end := time.Now()
	err = errors.Join(err, s.setClock())
	for _, c := range s.cpus {
		if show && err == nil {
			err = s.finish(c, out, end)
		} else {
			s.count(c)
			err = errors.Join(err, s.account(c, out))
		}
	}
	out.Flush()
	return err
}

// finish emits what is left in the ring of a CPU, whose event is disabled, until drainTime after
// end. The rest is lost as unread.
func (s *Source) finish(c *cpu, out pipeline.Output, end time.Time) error {
	s.show(c, out, func() bool { return time.Since(end) < drainTime })
	lose(out, event.Unread, s.count(c))
	s.settle(c, out)
	return s.account(c, out)
}

// account reports the losses of a CPU, whose event is disabled and whose ring has been read, and
// what its filter rejected. perf counts the hits that pass the filter: those without a sample
// are lost. The event without a filter counts all: the difference was rejected.
func (s *Source) account(c *cpu, out pipeline.Output) error {
	hits, err := c.hits()
	if err != nil {
		return err
	}
	lose(out, event.InRing, less(hits, c.samples+c.reported))
	frames, err := c.framesLost()
	lose(out, event.InRing, frames)
	if c.all == nil || err != nil {
		return err
	}
	all, err := c.all.hits()
	if err == nil {
		reject(out, less(all, hits))
	}
	return err
}

// less returns n-m, but no less than 0.
func less(n, m uint64) uint64 { return n - min(n, m) }

// lose emits the loss of n drops or, at a place that is not event.Place.Counted, of an unknown
// number of drops n times.
func lose(out pipeline.Output, at event.Place, n uint64) {
	if n > 0 {
		out.Emit(&event.Event{Kind: event.Loss, Time: time.Now(), Count: n, Place: at})
	}
}

// reject emits that the filter in the kernel rejected n drops.
func reject(out pipeline.Output, n uint64) {
	if n > 0 {
		out.Emit(&event.Event{Kind: event.Rejected, Time: time.Now(), Count: n})
	}
}
