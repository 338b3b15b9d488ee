package bpf

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A Source is a pipeline.Source: the drops of the whole host from Open to the end of Run.
type Source struct {
	forms   []string // of the program, to be tried in this order
	kernel  *ebpf.Collection
	link    link.Link   // of the program to the tracepoint
	others  []link.Link // of the programs of other tracepoints
	refused error       // why the kernel does not take some of those
	ring    *bpfprog.Ring
	waiter  *bpfprog.Waiter
	table   *table
	decoder decoder
	stopped atomic.Bool // the context of Run ended

	from, until time.Time                 // see Began
	complete    atomic.Pointer[time.Time] // when the ring was last read until it was empty
	reading     atomic.Bool               // what was read of the ring may not be emitted yet

	event       event.Event
	grown       []growth  // memory of emitCounts
	tick        uint32    // number of the second for which the program samples
	next        time.Time // when to read the table again
	active      bool      // records came since the table was read
	quiet       int       // how many times in a row the table and the ring had nothing new
	conditional bool      // there is a condition
}

// Began returns two times between which the source began to report drops.
func (s *Source) Began() (from, until time.Time) { return s.from, s.until }

// ReadUntil returns a time before which, but for what happened in the last 50 ms before it, all drops
// were emitted or are in a count that will be: now, if the ring is empty. It may be called while Run runs.
func (s *Source) ReadUntil() time.Time {
	now := time.Now()
	if s.ring.IsEmpty() && !s.reading.Load() { // in this order: what was read by then is emitted
		return now
	}
	if at := s.complete.Load(); at != nil {
		return *at
	}
	return time.Time{}
}

// Wake makes Run read the ring, so that ReadUntil advances. It may be called at any time, and does nothing after Run.
func (s *Source) Wake() { s.waiter.Wake() }

// Close detaches the program and releases everything. Run does so when it returns; Close must not
// be called while it runs.
func (s *Source) Close() error {
	if s.link != nil {
		s.link.Close()
	}
	for _, l := range s.others {
		l.Close()
	}
	s.ring.Close()
	if s.kernel != nil {
		s.kernel.Close()
	}
	s.waiter.Close()
	s.link, s.others, s.kernel = nil, nil, nil
	return nil
}

// Run emits drops and losses to out until ctx ends. The error is that of the kernel. It can be
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

// receive emits drops until the source is stopped.
func (s *Source) receive(out pipeline.Output) error {
	for s.running() {
		if err := s.step(out, time.Now()); err != nil {
			return err
		}
		if err := s.pause(); err != nil {
			return err
		}
	}
	return nil
}

// running reports whether the source was not stopped.
func (s *Source) running() bool { return !s.stopped.Load() }

// step reads the ring, and about once a second the table.
func (s *Source) step(out pipeline.Output, now time.Time) error {
	n, err := s.readRing(out, s.running)
	switch {
	case n > 0:
		s.active = true
		if s.quiet > 0 {
			s.quiet, s.next = 0, now.Add(countTime)
		}
	case s.quiet > 1: // woken for a record behind one that another CPU is still writing, which wakes nobody
		s.quiet, s.next = 1, now.Add(pollTime)
	}
	if err == nil && !now.Before(s.next) {
		err = s.count(out, now)
	}
	if n > 0 {
		out.Flush()
	}
	return err
}

// count emits what was counted since the last call, and begins the next second of the samples.
// After a second without a drop, pause tells the program to wake the reader. Packets may have been
// counted before the program knows: the table is read once more, soon, before the reader sleeps.
func (s *Source) count(out pipeline.Output, now time.Time) error {
	counted, err := s.emitCounts(out)
	if err == nil {
		err = s.table.makeRoom()
	}
	if counted {
		out.Flush()
	}
	s.tick++
	err = errors.Join(err, s.kernel.Variables[dropsVarTick].Set(s.tick))
	if s.next = s.next.Add(countTime); s.next.Before(now) {
		s.next = now.Add(countTime)
	}
	if s.active || counted {
		s.quiet = 0
	} else if s.quiet++; s.quiet == 1 {
		s.next = now.Add(pollTime)
	}
	s.active = false
	return err
}

// pause waits until it is time to poll, or, after quiet seconds, until the program wakes the
// reader. It sets the state of the reader after the ring was read: otherwise the program might
// wake the reader for records that are read before it sleeps, and not for the next ones.
func (s *Source) pause() error {
	state, limit := dropsReaderStatePOLLING, pollTime
	if s.quiet > 0 {
		state = dropsReaderStateSLEEPING
	}
	if s.quiet > 1 {
		limit = -1
	}
	if err := s.kernel.Variables[dropsVarReader].Set(uint32(state)); err != nil {
		return err
	}
	return s.waiter.Wait(limit)
}

// maxRecords is how many records are read before the table is read, if it is time.
const maxRecords = 1 << 14

// readRing emits records of the ring while more returns true, and returns how many that were.
func (s *Source) readRing(out pipeline.Output, more func() bool) (n int, err error) {
	begin := time.Now()
	s.reading.Store(true)
	defer s.reading.Store(false)
	if s.decoder.wall, err = clock.Now(); err != nil {
		return 0, err
	}
	for n < maxRecords && more() {
		raw, ok, err := s.ring.Next()
		if err != nil {
			return n, err
		}
		if !ok {
			s.complete.Store(&begin)
			return n, nil
		}
		n++
		s.emitRecord(out, raw)
	}
	return n, nil
}

// emitRecord emits the drop of a record.
func (s *Source) emitRecord(out pipeline.Output, raw []byte) {
	if !s.decoder.record(raw, &s.event) {
		pipeline.Lose(out, event.Undecoded, 1)
		return
	}
	out.Emit(&s.event)
}

// emitCounts emits what was counted since the last call, and reports whether a drop was emitted.
// A count takes names from the records of its key. So the table is read first, then the records
// that are in the ring by then are emitted, as many as readRing and drainTime allow, and then the
// counts.
func (s *Source) emitCounts(out pipeline.Output) (found bool, err error) {
	s.grown = s.grown[:0]
	err = s.table.read(func(k *dropsKey, grown amount) { s.grown = append(s.grown, growth{*k, grown}) })
	begin := time.Now()
	n, err2 := s.readRing(out, func() bool { return time.Since(begin) < drainTime })
	for i := range s.grown {
		s.decoder.counted(&s.grown[i].key, s.grown[i].amount, &s.event)
		out.Emit(&s.event)
	}
	found = n > 0 || len(s.grown) > 0
	if err = errors.Join(err, err2); err != nil {
		return found, err
	}
	more, skipped, err := s.table.readOverflow()
	s.emitOverflow(out, more, skipped)
	return found || more[dropsOverflowUNKEYED].packets > 0, err
}

// emitOverflow emits what was counted without a key. For the UNKEYED ones the condition was true.
// For those that were skipped, because their CPU was already in the program, it was not tested.
func (s *Source) emitOverflow(out pipeline.Output, o overflow, skipped uint64) {
	unkeyed, undecided := o[dropsOverflowUNKEYED], o[dropsOverflowUNDECIDED_UNSENT].packets
	if s.conditional {
		undecided += skipped
	} else {
		unkeyed.packets, unkeyed.segments = unkeyed.packets+skipped, unkeyed.segments+skipped
	}
	emitNumber(out, &event.Event{Aggregate: true, Segments: unkeyed.segments}, unkeyed.packets)
	emitNumber(out, &event.Event{Kind: event.Rejected}, o[dropsOverflowREJECTED].packets)
	emitNumber(out, &event.Event{Kind: event.Rejected, Undecided: true}, undecided)
}

// emitNumber emits e with a Count of n and the time now, unless n is 0.
func emitNumber(out pipeline.Output, e *event.Event, n uint64) {
	if n > 0 {
		e.Time, e.Count = time.Now(), n
		out.Emit(e)
	}
}

// finish detaches the program, emits what is left, with show and as far as there is time, and
// reports the rest as unread.
func (s *Source) finish(out pipeline.Output, show bool) error {
	err := s.detach()
	if show && err == nil {
		_, err = s.emitCounts(out)
	}
	err = errors.Join(err, s.reportUnread(out))
	out.Flush()
	return err
}

// reportUnread emits a Loss with the number of drops that were not emitted.
func (s *Source) reportUnread(out pipeline.Output) error {
	unread, err := s.skipRecords()
	err2 := s.table.read(func(_ *dropsKey, grown amount) { unread += grown.packets })
	more, skipped, err3 := s.table.readOverflow()
	unread += more[dropsOverflowUNKEYED].packets + skipped
	more[dropsOverflowUNKEYED] = amount{}
	s.emitOverflow(out, more, 0)
	pipeline.Lose(out, event.Unread, unread)
	return errors.Join(err, err2, err3)
}

// detach detaches the program from the tracepoint and waits until no CPU is in it any more.
func (s *Source) detach() error {
	err := s.link.Close()
	for _, l := range s.others {
		err = errors.Join(err, l.Close())
	}
	s.link, s.others = nil, nil
	bpfprog.WaitForProgram()
	return err
}

// skipRecords removes the records that are left in the ring, and returns how many that were.
func (s *Source) skipRecords() (n uint64, err error) {
	for {
		_, ok, err := s.ring.Next()
		if !ok || err != nil {
			return n, err
		}
		n++
	}
}
