package retrans

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// pollTime is how often the ring is read while events come, and drainTime how long at the end. What
// is not emitted then is lost as unread.
const (
	pollTime  = 200 * time.Millisecond
	drainTime = time.Second
)

// A Source is a pipeline.Source: what TCP does on the whole host from Open to the end of Run.
type Source struct {
	forms   []string // of the program of retransmissions, to be tried in this order
	kernel  *ebpf.Collection
	links   []link.Link // of the programs to their tracepoints
	ring    *bpfprog.Ring
	waiter  *bpfprog.Waiter
	decoder decoder
	stopped atomic.Bool // the context of Run ended

	from, until time.Time // see Began

	event event.Event
	lost  [retransKindKINDS]retransTally // as it was reported
	idle  int                            // how many times in a row the ring was empty
}

// Began returns two times between which the source began to report events.
func (s *Source) Began() (from, until time.Time) { return s.from, s.until }

// Close detaches the programs and releases everything. Run does so when it returns; Close must not
// be called while it runs.
func (s *Source) Close() error {
	s.detach()
	s.ring.Close()
	if s.kernel != nil {
		s.kernel.Close()
	}
	s.waiter.Close()
	s.ring, s.kernel = nil, nil
	return nil
}

// detach detaches the programs, and waits until no CPU is in one any more.
func (s *Source) detach() (err error) {
	for _, l := range s.links {
		err = errors.Join(err, l.Close())
	}
	if len(s.links) > 0 {
		bpfprog.WaitForProgram()
	}
	s.links = nil
	return err
}

// Run emits events and losses to out until ctx ends. The error is that of the kernel. It can be
// called once.
func (s *Source) Run(ctx context.Context, out pipeline.Output) error {
	defer s.Close()
	defer bpfprog.AtEnd(ctx, s.stop)()
	err := s.receive(out)
	return errors.Join(err, s.finish(out, err == nil))
}

// stop makes receive return.
func (s *Source) stop() {
	s.stopped.Store(true)
	s.waiter.Wake()
}

// running reports whether the source was not stopped.
func (s *Source) running() bool { return !s.stopped.Load() }

// receive emits events until the source is stopped.
func (s *Source) receive(out pipeline.Output) error {
	for s.running() {
		n, err := s.read(out, s.running)
		if err == nil {
			err = s.reportLost(out)
		}
		if err != nil {
			return err
		}
		if n > 0 {
			s.idle = 0
			out.Flush()
		} else {
			s.idle++
		}
		if err := s.pause(); err != nil {
			return err
		}
	}
	return nil
}

// pause waits until it is time to read the ring, or, once that was empty twice, until a program
// wakes the reader. Between the two the programs know already that the reader sleeps: so no event
// comes unnoticed. After a wakeup the ring is polled, even if nothing can be read: the record may be
// behind one that another CPU is still writing, which does not wake the reader again.
func (s *Source) pause() error {
	state, limit := retransReaderStatePOLLING, pollTime
	if s.idle > 0 {
		state = retransReaderStateSLEEPING
	}
	if s.idle > 1 {
		limit = -1
	}
	if err := s.kernel.Variables[retransVarReader].Set(uint32(state)); err != nil {
		return err
	}
	if limit < 0 {
		s.idle = 0
	}
	return s.waiter.Wait(limit)
}

// read emits the records of the ring while more returns true, and returns how many that were.
func (s *Source) read(out pipeline.Output, more func() bool) (n int, err error) {
	if s.decoder.wall, err = clock.Now(); err != nil {
		return 0, err
	}
	for ; more(); n++ {
		raw, ok, err := s.ring.Next()
		if !ok || err != nil {
			return n, err
		}
		if s.decoder.record(raw, &s.event) {
			out.Emit(&s.event)
		} else {
			emitLoss(out, event.Undecoded, 1, 0)
		}
	}
	return n, nil
}

// reportLost emits what the ring has had no room for since the last call.
func (s *Source) reportLost(out pipeline.Output) error {
	for kind := range s.lost {
		var cpus []retransTally
		if err := s.kernel.Maps[retransMapLost].Lookup(uint32(kind), &cpus); err != nil {
			return fmt.Errorf("read how many TCP events were lost: %w", err)
		}
		var all retransTally
		for i := range cpus {
			all.Events, all.Segments = all.Events+cpus[i].Events, all.Segments+cpus[i].Segments
		}
		before := &s.lost[kind]
		emitLoss(out, event.InRing, all.Events-before.Events, all.Segments-before.Segments)
		*before = all
	}
	return nil
}

// finish detaches the programs, emits what is left, with show and as far as there is time, and
// reports the rest as unread.
func (s *Source) finish(out pipeline.Output, show bool) error {
	err := s.detach()
	if show && err == nil {
		end := time.Now().Add(drainTime)
		_, err = s.read(out, func() bool { return time.Now().Before(end) })
	}
	err = errors.Join(err, s.reportLost(out), s.reportUnread(out))
	out.Flush()
	return err
}

// reportUnread reports what is left in the ring.
func (s *Source) reportUnread(out pipeline.Output) error {
	var events, segments uint64
	for {
		raw, ok, err := s.ring.Next()
		if !ok || err != nil {
			emitLoss(out, event.Unread, events, segments)
			return err
		}
		events++
		if s.decoder.record(raw, &s.event) {
			segments += s.event.Segments
		}
	}
}

// emitLoss emits that n events, of so many segments, were lost at a place, unless n is 0.
func emitLoss(out pipeline.Output, at event.Place, n, segments uint64) {
	if n > 0 {
		out.Emit(&event.Event{Kind: event.Loss, Time: time.Now(), Place: at, Count: n, Segments: segments, Segment: &event.Segment{}})
	}
}
