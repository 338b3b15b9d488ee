package trace

import (
	"errors"
	"math"
	"time"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/perf"
	"dropwatch/internal/pipeline"
)

// read emits what is in the rings, and returns how many records that were. It flushes the output
// unless nothing has come since it last did.
func (s *Source) read(out pipeline.Output) (n int, err error) {
	if err := s.setClock(); err != nil {
		return 0, err
	}
	for _, c := range s.reader.Members {
		n += s.show(c, out, s.reader.Running)
	}
	if n > 0 || !s.reader.Idle() { // with wakeups enabled it was flushed before
		out.Flush()
	}
	return n, nil
}

// setClock reads the clock of the samples, beside the wall clock. perf refuses the
// wall clock for events that may happen in an NMI, as tracepoints may (perf_event_set_clock,
// kernel/events/core.c).
func (s *Source) setClock() (err error) {
	s.decoder.wall, err = clock.Now()
	return err
}

// show emits the records in the ring of a CPU while more returns true, and what the last of them
// left open once none follows.
func (s *Source) show(c *cpu, out pipeline.Output, more func() bool) (n int) {
	r := &c.Samples.Ring
	n = r.Each(more, func(rec []byte) { s.emit(c, out, rec) })
	if n == 0 && r.Empty() && s.settle(c, out) {
		n++
	}
	return n
}

// emit emits the event of a record: a drop, or a loss.
func (s *Source) emit(c *cpu, out pipeline.Output, rec []byte) {
	switch perf.RecordType(rec) {
	case perf.RecordLost:
		s.lose(c, out)
		pipeline.Lose(out, event.InRing, c.addLost(rec))
	case perf.RecordSample:
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
	if !ok || number != s.decoder.layout.id || !s.decoder.drop(&smp, uint32(c.N), &s.event) {
		pipeline.Lose(out, event.Undecoded, 1)
		return
	}
	s.join(c, out, &smp)
	out.Emit(&s.event)
}

// addLost counts the records that, by a PERF_RECORD_LOST, found no room in the ring, and returns
// how many drops are certainly among them. They may be of any event; the others are known at the end.
func (c *cpu) addLost(rec []byte) uint64 {
	c.unwritten += perf.LostCount(rec)
	n := less(less(c.unwritten, c.othersLost()), c.reported)
	c.reported += n
	return n
}

// othersLost returns how many samples of other tracepoints may have been lost: those that were not
// read. It is all if that cannot be known.
func (c *cpu) othersLost() (n uint64) {
	for i := range c.others {
		hits, err := c.others[i].Hits()
		if err != nil {
			return math.MaxUint64
		}
		n += less(hits, c.others[i].samples)
	}
	return n
}

// count skips what is left in the ring of a CPU, whose event is disabled, and returns how many
// drops those are, without the lost ones, which account counts.
func (s *Source) count(c *cpu) (unread uint64) {
	var n counter
	c.Samples.Ring.Each(func() bool { return true }, func(rec []byte) {
		switch perf.RecordType(rec) {
		case perf.RecordLost:
			s.lose(c, &n)
		case perf.RecordSample:
			s.sample(c, &n, rec)
		}
	})
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
	for _, c := range s.reader.Members {
		err = errors.Join(err, c.Off())
	}
	end := time.Now()
	err = errors.Join(err, s.setClock())
	for _, c := range s.reader.Members {
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
	pipeline.Lose(out, event.Unread, s.count(c))
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
	pipeline.Lose(out, event.InRing, less(hits, c.samples+c.reported))
	frames, err := c.framesLost()
	pipeline.Lose(out, event.InRing, frames)
	if c.all == nil || err != nil {
		return err
	}
	all, err := c.all.Hits()
	if err == nil {
		reject(out, less(all, hits))
	}
	return err
}

// less returns n-m, but no less than 0.
func less(n, m uint64) uint64 { return n - min(n, m) }

// reject emits that the filter in the kernel rejected n drops.
func reject(out pipeline.Output, n uint64) {
	if n > 0 {
		out.Emit(&event.Event{Kind: event.Rejected, Time: time.Now(), Count: n})
	}
}
