package retrans

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/perf"
	"dropwatch/internal/pipeline"
)

// defaultTraceRing is Options.RingSize of a Trace if that is 0: half of what kernel.perf_event_mlock_kb by
// default allows a process without CAP_IPC_LOCK.
const defaultTraceRing = 256 << 10

// A Trace is a pipeline.Source: what TCP does on the whole host from OpenTrace to the end of Run, as perf
// reports it.
type Trace struct {
	reader   *perf.Reader[*traceCPU] // of the rings of all CPUs
	decoder  traceDecoder
	event    event.Event
	ringSize int       // bytes, of each CPU
	until    time.Time // see Began
}

// A traceCPU has the events that are open on one CPU.
type traceCPU struct {
	perf.CPU
	hits   []*perf.Event // sample the tracepoints into one ring
	wakers []*perf.Event // wake the reader at the first hit of any
	read   uint64        // samples that were read from the ring
	lost   uint64        // hits that were reported as lost
}

// OpenTrace opens the tracepoints on all CPUs: what TCP does is recorded from now on. The caller calls Run or
// Close. The error wraps one of those of package perf where one fits, and says what to do.
func OpenTrace(opts Options) (*Trace, error) {
	s := &Trace{ringSize: opts.RingSize}
	if s.ringSize <= 0 {
		s.ringSize = defaultTraceRing
	}
	s.ringSize = max(os.Getpagesize(), 1<<bits.Len(uint(s.ringSize-1)))
	if err := s.open(opts); err != nil {
		s.Close()
		return nil, fmt.Errorf("trace TCP retransmissions with perf: %w", err)
	}
	return s, nil
}

// open reads the formats and opens the events.
func (s *Trace) open(opts Options) error {
	wanted := tracepoints
	if !opts.Resets {
		wanted = tracepoints[:2]
	}
	var err error
	if s.decoder.points, err = readPoints(wanted); err != nil {
		return err
	}
	if s.reader, err = perf.NewReader(perf.ThisHost, s.openCPU); err != nil {
		return err
	}
	online, err := perf.ThisHost.Online()
	if err != nil {
		return err
	}
	err = s.reader.OpenCPUs(online)
	s.until = time.Now()
	return err
}

// readPoints reads the formats of tracepoints.
func readPoints(wanted []point) (all []point, err error) {
	t, f, err := perf.OpenTracefs(wanted[0].name)
	if err != nil {
		return nil, err
	}
	defer t.Close()
	for i, p := range wanted {
		if i > 0 {
			if f, err = t.Format(p.name); err != nil {
				return nil, err
			}
		}
		if p, err = p.with(f); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

// openCPU opens the events on a CPU, disabled.
func (s *Trace) openCPU(n int) (c *traceCPU, err error) {
	c = &traceCPU{CPU: perf.CPU{N: n}}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	if c.hits, err = s.openGroup(n, s.ringSize, s.ringSize/4); err != nil {
		return c, err
	}
	if c.wakers, err = s.openGroup(n, os.Getpagesize(), 1); err != nil {
		return c, err
	}
	c.Lead, c.Samples, c.Wakeup = c.hits[0], c.hits[0], c.wakers[0]
	return c, nil
}

// openGroup opens all tracepoints on a CPU as one group, which the first leads. They have one ring of so many
// bytes, and wake its reader when so many are unread. What was opened before an error is returned, too.
func (s *Trace) openGroup(cpu, ring, watermark int) (group []*perf.Event, err error) {
	for i := range s.decoder.points {
		p := &s.decoder.points[i]
		attr, lead := perf.Attr(p.id), -1
		perf.Sampling(&attr, watermark)
		attr.Sample_type = perf.SampleType
		if i > 0 {
			lead = group[0].FD
			attr.Bits &^= unix.PerfBitDisabled // the first enables all
		}
		e, err := perf.Open(p.name, attr, cpu, lead)
		if err != nil {
			return group, err
		}
		group = append(group, e)
		if i == 0 {
			err = e.Map(ring)
		} else {
			err = e.Output(group[0])
		}
		if err != nil {
			return group, err
		}
	}
	return group, nil
}

// Close closes the events.
func (c *traceCPU) Close() {
	for _, e := range append(c.hits, c.wakers...) {
		e.Close()
	}
	c.hits, c.wakers = nil, nil
}

// Began returns two times between which the source began to report events, on one CPU after the other.
func (s *Trace) Began() (from, until time.Time) { return s.reader.Began(), s.until }

// Close closes all events and files. Run does so itself; Close must not be called while it runs.
func (s *Trace) Close() error {
	s.reader.Close()
	return nil
}

// Run emits events and losses to out until ctx ends. The error is that of the kernel. It can be called once.
func (s *Trace) Run(ctx context.Context, out pipeline.Output) error {
	defer s.Close()
	read := func() (int, error) { return s.read(out) }
	err := s.reader.Receive(ctx, read, func() error { return s.follow(out) })
	return errors.Join(err, s.finishAll(out))
}

// read emits what is in the rings, and returns how many records that were.
func (s *Trace) read(out pipeline.Output) (n int, err error) {
	if s.decoder.wall, err = clock.Now(); err != nil {
		return 0, err
	}
	for _, c := range s.reader.Members {
		n += s.show(c, out, s.reader.Running)
	}
	if n > 0 || !s.reader.Idle() { // otherwise it was flushed before
		out.Flush()
	}
	return n, nil
}

// show emits the records in the ring of a CPU while more returns true.
func (s *Trace) show(c *traceCPU, out pipeline.Output, more func() bool) (n int) {
	return c.Samples.Ring.Each(more, func(rec []byte) {
		switch perf.RecordType(rec) {
		case perf.RecordLost:
			c.lose(out, event.InRing, perf.LostCount(rec))
		case perf.RecordSample:
			c.read++
			if s.decoder.record(rec, uint32(c.N), &s.event) {
				out.Emit(&s.event)
			} else {
				emitLoss(out, event.Undecoded, 1, 0)
			}
		}
	})
}

// lose reports n hits, of an unknown number of segments, as lost at a place.
func (c *traceCPU) lose(out pipeline.Output, at event.Place, n uint64) {
	c.lost += n
	emitLoss(out, at, n, 0)
}

// follow follows CPUs that came or went: each change is a Loss at event.Unopened.
func (s *Trace) follow(out pipeline.Output) error {
	changes, err := s.reader.Follow(func(c *traceCPU) error { return s.finish(c, out, time.Now().Add(drainTime)) })
	emitLoss(out, event.Unopened, uint64(changes), 0)
	return err
}

// finishAll disables the events of all CPUs, emits what is left in the rings and reports the losses.
func (s *Trace) finishAll(out pipeline.Output) (err error) {
	for _, c := range s.reader.Members {
		err = errors.Join(err, c.Off())
	}
	end := time.Now().Add(drainTime)
	for _, c := range s.reader.Members {
		err = errors.Join(err, s.finish(c, out, end))
	}
	out.Flush()
	return err
}

// finish emits what is left in the ring of a CPU, whose events are disabled, until some time. The rest is lost
// as unread. perf counts the hits: those without a sample found no room.
func (s *Trace) finish(c *traceCPU, out pipeline.Output, end time.Time) error {
	s.show(c, out, func() bool { return time.Now().Before(end) })
	var unread unreadCounter
	s.show(c, &unread, func() bool { return true })
	emitLoss(out, event.Unread, uint64(unread), 0)
	var all uint64
	for _, e := range c.hits {
		n, err := e.Hits()
		if err != nil {
			return err
		}
		all += n
	}
	if known := c.read + c.lost; all > known {
		c.lose(out, event.InRing, all-known)
	}
	return nil
}

// An unreadCounter is an Output that counts events, decoded or not.
type unreadCounter uint64

// Emit implements pipeline.Output.
func (n *unreadCounter) Emit(e *event.Event) { *n += unreadCounter(e.Count) }

// Flush implements pipeline.Output.
func (*unreadCounter) Flush() {}
