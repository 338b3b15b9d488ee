package bpf

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"golang.org/x/sys/unix"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A Source is a pipeline.Source: the drops of the whole host from its opening
// to the end of Run.
type Source struct {
	forms   []string // of the program, to be tried in this order
	kernel  *ebpf.Collection
	link    link.Link // of the program to the tracepoint
	ring    *ringbuf.Reader
	waiter  *waiter
	table   *table
	decoder decoder
	ended   atomic.Bool // the run is over

	record ringbuf.Record
	event  event.Event
	tick   uint32    // the second of the samples
	next   time.Time // when the table is to be read
	news   bool      // there were records since it was read
	quiet  int       // readings of it in a row that nothing was new at
	tested bool      // there is a condition
}

// Close lets everything go, but not while Run runs, which does so itself.
func (s *Source) Close() error {
	if s.link != nil {
		s.link.Close()
	}
	if s.ring != nil {
		s.ring.Close()
	}
	if s.kernel != nil {
		s.kernel.Close()
	}
	s.waiter.close()
	s.link, s.ring, s.kernel, s.waiter = nil, nil, nil, nil
	return nil
}

// Run gives drops and losses to out until ctx ends. The error is out's or one
// of the kernel's. A Source runs once.
func (s *Source) Run(ctx context.Context, out pipeline.Output) error {
	defer s.Close()
	said := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { s.end(); close(said) })
	defer func() {
		if !stop() { // the end has been said, or is just being
			<-said
		}
	}()
	err := s.receive(out)
	return pipeline.Also(err, s.finish(out, err == nil))
}

// end makes receive return.
func (s *Source) end() {
	s.ended.Store(true)
	s.waiter.end()
}

// receive hands on drops until the run is over.
func (s *Source) receive(out pipeline.Output) error {
	for !s.ended.Load() {
		if err := s.step(out, time.Now()); err != nil {
			return err
		}
		if err := s.pause(); err != nil {
			return err
		}
	}
	return nil
}

// step looks into the ring, and into the table when it is time.
func (s *Source) step(out pipeline.Output, now time.Time) error {
	n, err := s.look(out, s.running)
	if n > 0 {
		s.news = true
		if s.quiet > 0 {
			s.quiet, s.next = 0, now.Add(countTime)
		}
	}
	if err == nil && !now.Before(s.next) {
		err = s.count(out, now)
	}
	if err == nil && n > 0 {
		err = out.Flush()
	}
	return err
}

func (s *Source) running() bool { return !s.ended.Load() }

// count hands on what the table has grown by, and lets the next second of the
// samples begin. After a second without a drop the program is told to wake us,
// but some may have come in between unsent: only if there are none is it safe to
// sleep.
func (s *Source) count(out pipeline.Output, now time.Time) error {
	counted := false
	err := s.table.read(func(k *dropsKey, n uint64) error {
		counted = true
		return s.emitCount(out, k, n)
	})
	if err == nil {
		err = s.table.makeRoom()
	}
	if err == nil {
		var more others
		more, err = s.table.readBeyond()
		counted = counted || more[dropsOthersKINDLESS] > 0
		err = pipeline.Also(err, s.emitBeyond(out, more))
	}
	if err == nil && counted {
		err = out.Flush()
	}
	s.tick++
	err = pipeline.Also(err, s.kernel.Variables[dropsVarTick].Set(s.tick))
	if s.next = s.next.Add(countTime); s.next.Before(now) {
		s.next = now.Add(countTime)
	}
	if s.news || counted {
		s.quiet = 0
	} else if s.quiet++; s.quiet == 1 {
		s.next = now.Add(pollTime)
	}
	s.news = false
	return err
}

// pause waits for the program to wake us, or until it is time to look. The
// program must be told after the ring was read: what it wakes us for before that
// is no waking if the ring is empty by then.
func (s *Source) pause() error {
	attention, limit := dropsAttentionPOLLING, pollTime
	if s.quiet > 0 {
		attention = dropsAttentionASLEEP
	}
	if s.quiet > 1 {
		limit = -1
	}
	if err := s.kernel.Variables[dropsVarReader].Set(uint32(attention)); err != nil {
		return err
	}
	return s.waiter.wait(limit)
}

// maxLook is how many records are read before anything else is done.
const maxLook = 1 << 14

// look hands on the records in the ring while more says so, and tells how many
// those were.
func (s *Source) look(out pipeline.Output, more func() bool) (n int, err error) {
	if s.decoder.wall, err = clock.WallAhead(); err != nil {
		return 0, err
	}
	for n < maxLook && more() {
		ok, err := s.read()
		if !ok || err != nil {
			return n, err
		}
		n++
		if err := s.emit(out); err != nil {
			return n, err
		}
	}
	return n, nil
}

// past is a deadline that does not let the ring wait.
var past = time.Unix(1, 0)

// read reads a record, if there is one.
func (s *Source) read() (ok bool, err error) {
	s.ring.SetDeadline(past)
	err = s.ring.ReadInto(&s.record)
	if err == nil {
		return true, nil
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return false, nil
	}
	return false, fmt.Errorf("read the ring of drops: %w", err)
}

// emit gives out the record that was read.
func (s *Source) emit(out pipeline.Output) error {
	if !s.decoder.record(s.record.RawSample, &s.event) {
		return s.lose(out, event.Undecoded, 1)
	}
	return out.Emit(&s.event)
}

// emitCount gives out n drops of a kind.
func (s *Source) emitCount(out pipeline.Output, k *dropsKey, n uint64) error {
	s.decoder.counted(k, n, &s.event)
	return out.Emit(&s.event)
}

// emitBeyond gives out what is in no count. What has no kind cannot be tested, so
// it is only shown if nothing is to be.
func (s *Source) emitBeyond(out pipeline.Output, n others) (err error) {
	undecided := n[dropsOthersLEFT_UNDECIDED]
	switch kindless := n[dropsOthersKINDLESS]; {
	case s.tested:
		undecided += kindless
	case kindless > 0:
		err = out.Emit(&event.Event{Time: time.Now(), Count: kindless})
	}
	err = pipeline.Also(err, s.lose(out, event.ByFilter, n[dropsOthersREJECTED]))
	return pipeline.Also(err, s.lose(out, event.InRing, undecided))
}

// lose gives out that n drops were not seen, if any were not.
func (s *Source) lose(out pipeline.Output, at event.Place, n uint64) error {
	if n == 0 {
		return nil
	}
	return out.Emit(&event.Event{Kind: event.Loss, Time: time.Now(), Count: n, Place: at})
}

// finish detaches the program, hands on what is left as far as there is time,
// if that is wanted, and accounts for the rest.
func (s *Source) finish(out pipeline.Output, show bool) error {
	err := s.detach()
	end := time.Now()
	if show && err == nil {
		_, err = s.look(out, func() bool { return time.Since(end) < drainTime })
	}
	show = show && err == nil
	unread, err2 := s.skip()
	err3 := s.table.read(func(k *dropsKey, n uint64) error {
		if !show {
			unread += n
			return nil
		}
		err = s.emitCount(out, k, n)
		show = err == nil
		return nil
	})
	more, err4 := s.table.readBeyond()
	if !show {
		unread += more[dropsOthersKINDLESS]
		more[dropsOthersKINDLESS] = 0
	}
	err5 := s.emitBeyond(out, more)
	for _, next := range []error{err2, err3, err4, err5, s.lose(out, event.Unread, unread)} {
		err = pipeline.Also(err, next)
	}
	if show {
		err = pipeline.Also(err, out.Flush())
	}
	return err
}

// detach ends the program. When it returns no CPU is in it any more.
func (s *Source) detach() error {
	err := s.link.Close()
	s.link = nil
	leaveProgram()
	return err
}

// leaveProgram waits until every CPU has left the program that is in it now.
func leaveProgram() {
	const global = 1 // MEMBARRIER_CMD_GLOBAL: wait until every CPU has left RCU
	if _, _, errno := unix.Syscall(unix.SYS_MEMBARRIER, global, 0, 0); errno != 0 {
		time.Sleep(leaveTime) // there is none, as with nohz_full
	}
}

// skip passes over what is left in the ring, and tells how many records that are.
func (s *Source) skip() (n uint64, err error) {
	for {
		ok, err := s.read()
		if !ok || err != nil {
			return n, err
		}
		n++
	}
}
