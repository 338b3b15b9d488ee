package probe

import (
	"context"
	"errors"
	"time"

	"github.com/cilium/ebpf"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/perf"
	"dropwatch/internal/pipeline"
)

// Run emits events and losses to out until ctx ends, and removes the probes. The error is that of the kernel. It
// can be called once.
func (s *Source) Run(ctx context.Context, out pipeline.Output) (err error) {
	defer func() {
		s.ended.Store(true)
		err = errors.Join(err, s.Close())
	}()
	read := func() (int, error) { return s.read(out) }
	err = s.reader.Receive(ctx, read, func() error { return s.follow(out) })
	return errors.Join(err, s.finishAll(out))
}

// read emits what is in the rings, and returns how many records that were.
func (s *Source) read(out pipeline.Output) (n int, err error) {
	before := s.begun
	s.begun = time.Now()
	if s.decoder.wall, err = clock.Now(); err != nil {
		return 0, err
	}
	waiting := len(s.waiting)
	for _, c := range s.reader.Members {
		n += s.show(c, out, s.reader.Running)
	}
	s.pair(out, waiting)
	if n > 0 || waiting > 0 || !s.reader.Idle() { // otherwise it was flushed before
		out.Flush()
	}
	if s.reader.Running() {
		s.advance(before)
	}
	return n, nil
}

// advance sets until when all events were emitted: since the rings were read or, of returns that wait, since before.
func (s *Source) advance(before time.Time) {
	complete := s.begun
	if len(s.waiting) > 0 {
		complete = before
	}
	s.complete.Store(&complete)
}

// show emits the records in the ring of a CPU while more returns true.
func (s *Source) show(c *cpu, out pipeline.Output, more func() bool) (n int) {
	return c.Samples.Ring.Each(more, func(rec []byte) {
		switch perf.RecordType(rec) {
		case perf.RecordLost:
			s.pairs.lose()
			lose(out, event.AnyPoint, event.InRing, s.addMissing(c, rec))
		case perf.RecordSample:
			s.sample(c, out, rec)
		}
	})
}

// addMissing counts the samples that, by a PERF_RECORD_LOST, found no room in the ring, and returns how many events
// of kind Point are certainly among them. The others are known at the end.
func (s *Source) addMissing(c *cpu, rec []byte) uint64 {
	c.missing += perf.LostCount(rec)
	var calls uint64 // that may be among them, or headers
	for i, p := range s.points {
		if hits, err := s.hitsOf(c, i); err != nil {
			return 0
		} else if !p.shown {
			calls += less(hits, c.samples[i])
		} else if p.before != nil {
			calls += less(hits, c.records[i])
		}
	}
	n := less(less(c.missing, calls), c.lost)
	c.lost += n
	return n
}

// hitsOf returns how many samples of an event were written, or found no room: for a call that BPF keeps, one for each
// of its return, which is the next event.
func (s *Source) hitsOf(c *cpu, event int) (uint64, error) {
	p := s.points[event]
	if p.writer != nil {
		n, err := p.writer.unwrittenOn(c.N)
		return c.samples[event] + less(n, c.earlier[event]), err
	}
	if p.kept {
		event++
	}
	return c.hits[event].Hits()
}

// sample emits the event of a sample, or keeps it until what it belongs to has come.
func (s *Source) sample(c *cpu, out pipeline.Output, rec []byte) {
	smp, ok := perf.ParseSample(rec, s.stacks)
	p := s.pointOf(&smp)
	if !ok || p == nil {
		lose(out, event.AnyPoint, event.Undecoded, 1)
		return
	}
	i := s.byID[p.layout.id]
	if p.before != nil && s.number.Load(smp.Raw) == p.before.id {
		c.records[i]++
		c.headers[i] = append(c.headers[i][:0], smp.Raw...)
		return
	}
	c.samples[i]++
	switch {
	case !p.shown:
		s.pairs.add(keyOf(p, &smp), smp.Time, smp.Raw)
	case p.paired() && p.writer == nil:
		s.waiting = append(s.waiting, returned{p, uint32(c.N), keyOf(p, &smp), s.pairs.epoch, s.pairs.keep(smp)})
	default:
		s.decoder.reset(len(p.loads))
		s.decoder.readHeaders(p, c.headers[i], smp.Raw)
		c.headers[i] = c.headers[i][:0]
		s.emit(out, p, &smp, uint32(c.N))
	}
}

// pointOf returns the event that a sample is of; nil if it is of none, or too short for that.
func (s *Source) pointOf(smp *perf.Sample) *pointEvent {
	if len(smp.Raw) < s.number.Offset+s.number.Size {
		return nil
	}
	i, ok := s.byID[s.number.Load(smp.Raw)]
	if !ok || len(smp.Raw) < s.points[i].sizeOf(s.number.Load(smp.Raw)) {
		return nil
	}
	return s.points[i]
}

// sizeOf returns how many bytes its samples of a number have at least.
func (p *pointEvent) sizeOf(id uint64) int {
	if p.before != nil && p.before.id == id {
		return p.before.size
	}
	return p.layout.size
}

// emit emits the event of a sample if its condition is true.
func (s *Source) emit(out pipeline.Output, p *pointEvent, smp *perf.Sample, cpu uint32) {
	s.decoder.read(&p.layout, p.loads, smp.Raw)
	if s.decoder.event(p, smp, cpu, &s.event) {
		out.Emit(&s.event)
	}
}

// pair emits the first n of the returns that wait, as all rings were read after them. Those without a call are
// counted.
func (s *Source) pair(out pipeline.Output, n int) {
	for i := range s.waiting[:n] {
		r := &s.waiting[i]
		c, ok := s.pairs.take(r.key, r.sample.Time, r.epoch)
		if !ok {
			r.point.single++
			continue
		}
		s.decoder.reset(len(r.point.loads))
		s.decoder.read(&s.callOf(r.point).layout, r.point.loads, c.raw)
		s.emit(out, r.point, &r.sample, r.cpu)
	}
	rest := copy(s.waiting, s.waiting[n:])
	clear(s.waiting[rest:])
	s.waiting = s.waiting[:rest]
}

// callOf returns the event of the call of a paired site, which is before that of its return.
func (s *Source) callOf(p *pointEvent) *pointEvent { return s.points[s.byID[p.layout.id]-1] }

// follow opens and closes events after CPUs came or went: each change is a Loss at event.Unopened.
func (s *Source) follow(out pipeline.Output) error {
	changes, err := s.reader.Follow(func(c *cpu) error { return s.finish(c, out, time.Now().Add(drainTime)) })
	lose(out, event.AnyPoint, event.Unopened, uint64(changes))
	return err
}

// finishAll disables the events of all CPUs, emits what is left in the rings and reports the losses.
func (s *Source) finishAll(out pipeline.Output) (err error) {
	for _, c := range s.reader.Members {
		err = errors.Join(err, c.Off())
	}
	end := time.Now().Add(drainTime)
	for _, c := range s.reader.Members {
		err = errors.Join(err, s.finish(c, out, end))
	}
	s.pair(out, len(s.waiting))
	err = errors.Join(err, s.reportUnpaired(out), s.reportMissed(out))
	out.Flush()
	return err
}

// finish emits what is left in the ring of a CPU, whose events are disabled, until some time. The rest is lost as
// unread. perf counts the hits: those without a sample found no room.
func (s *Source) finish(c *cpu, out pipeline.Output, end time.Time) error {
	s.show(c, out, func() bool { return time.Now().Before(end) })
	var unread unreadCounter
	s.show(c, &unread, func() bool { return true })
	lose(out, event.AnyPoint, event.Unread, uint64(unread))
	var all uint64
	for i, p := range s.points {
		hits, err := s.hitsOf(c, i)
		if err != nil {
			return err
		}
		if n := less(hits, c.samples[i]); p.shown {
			all += n
		} else {
			p.lost += n
		}
	}
	lose(out, event.AnyPoint, event.InRing, less(all, c.lost))
	return nil
}

// reportUnpaired reports the returns without a call, as far as calls were lost. The others are of calls that were
// of no interest, or under way when the source began.
func (s *Source) reportUnpaired(out pipeline.Output) error {
	for _, p := range s.points {
		if p.single == 0 {
			continue
		}
		call := s.callOf(p)
		missed, err := s.probes.Missed(call.event)
		if err != nil {
			return err
		}
		lose(out, p.name, event.InRing, min(p.single, call.lost+missed+s.pairs.forgotten))
	}
	return nil
}

// reportMissed reports the hits that the kernel could not report, as a probe had called the function, or too many
// calls were under way. They are few, and have no place of their own.
func (s *Source) reportMissed(out pipeline.Output) error {
	for _, p := range s.points {
		if !p.shown {
			continue
		}
		n, err := s.missedOf(p)
		if err != nil {
			return err
		}
		lose(out, p.name, event.InRing, n+missedBy(p.program))
	}
	return nil
}

// missedOf returns how many hits the kernel could not report.
func (s *Source) missedOf(p *pointEvent) (uint64, error) {
	if p.writer != nil { // no probe
		return 0, nil
	}
	return s.probes.Missed(p.event)
}

// missedBy returns how often a program did not run as another one ran on the CPU. Linux before 6.7 does not count it.
func missedBy(program *ebpf.Program) uint64 {
	if program == nil {
		return 0
	}
	stats, err := program.Stats()
	if err != nil {
		return 0
	}
	return stats.RecursionMisses
}

// less returns n-m, but no less than 0.
func less(n, m uint64) uint64 { return n - min(n, m) }

// lose emits the loss of n events at a point.
func lose(out pipeline.Output, name string, at event.Place, n uint64) {
	if n > 0 {
		out.Emit(&event.Event{Kind: event.Loss, Time: time.Now(), Place: at, Count: n, Point: name})
	}
}

// An unreadCounter is an Output that counts events, decoded or not.
type unreadCounter uint64

// Emit implements pipeline.Output.
func (n *unreadCounter) Emit(e *event.Event) { *n += unreadCounter(e.Count) }

// Flush implements pipeline.Output.
func (*unreadCounter) Flush() {}
