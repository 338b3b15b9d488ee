// Package correlate joins what TCP sends again with the drops of this host: for each segment that is
// sent again, it says whether this host dropped the packet that carried it before.
//
// A drop is of the segment if it has the same addresses, ports and direction, some of the same sequence
// numbers, and came before the segment was sent again. It may be in another network namespace of this
// host, through which the packet went: its sequence numbers say that it is the same. Otherwise the
// segment was not lost here, if all drops are known since it was sent before; if not, nothing is said
// but why.
//
// What the kernel does not report as a drop is not known here either: what a device loses, or
// an XDP program.
//
// A reset that this host sends as the answer to a packet is joined with the drop of that: the kernel drops what it
// answers so. The packet came from where the reset goes, at the same time, in the same network namespace, and the
// reset has its sequence numbers. A reset for which there is none has no more than the kernel says of it.
//
// What TCP drops because it has it already, since Linux 5.17 by the reason, is no loss: it is a
// retransmission that was received, and becomes an event of its own.
//
// It also joins drops with the points that their packets had reached: see [Reached].
package correlate

import (
	"context"
	"errors"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A Reading is a source that says how far it has read what the kernel wrote.
type Reading interface {
	// ReadUntil returns a time before which, but for the last 50 ms, all events were emitted.
	ReadUntil() time.Time

	// Wake makes it read, so that ReadUntil advances. It may be called at any time: after Run, which may end by
	// itself, it does nothing.
	Wake()
}

// Drops is a source of all drops of TCP packets, each of them individual.
type Drops interface {
	pipeline.Source
	Reading
	Close() error

	// Began returns two times between which it began to report drops.
	Began() (from, until time.Time)
}

// A Source is a pipeline.Source that emits what another reports of TCP, with the fate of each
// retransmission.
type Source struct {
	TCP   Tracer // what TCP does
	Drops Drops  // nil: there is none, and Doubt says why
	Doubt string // why not all drops are known; empty: they are, as far as Drops says

	// PassDrops also emits the drops, in the order in which they come, and with them what their source
	// lost. They may be of any protocol, and sampled. The error of their source is then that of Run.
	PassDrops bool

	// Stages say more of a drop: they decode its packet and name its location. They are used by this
	// source alone.
	Stages []pipeline.Stage

	// Resets: TCP reports resets, too, and the drops behind them are to be found.
	Resets bool

	// Rule returns the firewall's rule that made a drop, and how sure that is, as [event.SegmentDrop] has
	// them. It may take its time. Nil: rules are not known.
	Rule func(drop *event.Event) (rule, confidence string)

	emitting sync.Mutex // is held, before mu, while what waited is emitted

	mu       sync.Mutex // protects what follows, and the use of the output
	out      pipeline.Output
	index    index
	answered index // with Resets: of the drops of what a reset may answer
	waiting  queue
	timer    *time.Timer // of emitRead
	ticking  bool        // the timer is set
	reading  bool        // Drops runs
	ended    bool        // TCP does not run any more
	failed   error       // the error of Drops
	staged   event.Event // a drop with what Stages say, which whoever gets the drop need not know
	emitted  event.Event // that waited
	doubt    doubt
}

// A Tracer is a source that is open before it runs.
type Tracer interface {
	pipeline.Source
	Close() error
	Began() (from, until time.Time)
}

// A doubt is why drops are not all known, until some time.
type doubt struct {
	why   string
	until time.Time
}

// Times of a run. An event waits for the drops before it until these have been read, and margin more,
// because a CPU may take a drop's time before it writes the drop; maxWait at most. While events wait, they are
// looked at whenever TCP has been read, which is every 200 ms if it does much, and at least each tcpTick; drops that
// wait for points each tick.
const (
	tcpTick = 240 * time.Millisecond
	tick    = 120 * time.Millisecond
	margin  = 50 * time.Millisecond
	maxWait = 5 * time.Second
)

// Close closes both sources. Run does so itself.
func (s *Source) Close() error {
	err := s.TCP.Close()
	if s.Drops != nil {
		err = errors.Join(err, s.Drops.Close())
	}
	return err
}

// Began returns what that of the source of TCP returns or, if drops are emitted, that of drops.
func (s *Source) Began() (from, until time.Time) {
	if s.PassDrops {
		return s.Drops.Began()
	}
	return s.TCP.Began()
}

// Run runs both sources until ctx ends. If that of drops ends before, what follows is in doubt or, if
// drops are emitted, Run ends as well.
func (s *Source) Run(ctx context.Context, out pipeline.Output) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	s.out = out
	var running sync.WaitGroup
	dropsCtx, stopDrops := context.WithCancel(context.Background())
	defer stopDrops()
	if s.Drops != nil {
		s.reading = true
		running.Go(func() {
			s.runDrops(dropsCtx)
			if s.PassDrops {
				stop()
			}
		})
	}
	err := s.TCP.Run(ctx, (*tcpOutput)(s))
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	stopDrops() // which emits what it has left
	running.Wait()
	s.emitting.Lock()
	defer s.emitting.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(func(*event.Event) bool { return true }, s.emitNamed)
	out.Flush()
	if s.PassDrops {
		err = errors.Join(err, s.failed)
	}
	return err
}

// runDrops runs the source of drops.
func (s *Source) runDrops(ctx context.Context) {
	err := s.Drops.Run(ctx, (*dropOutput)(s))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading, s.failed = false, err
	if ctx.Err() == nil {
		s.Doubt = "the source of drops ended"
		if err != nil {
			s.Doubt = "the source of drops failed: " + err.Error()
		}
	}
}

// emitLater has emitRead called in a tcpTick, unless that is so already. The caller holds mu.
func (s *Source) emitLater() {
	switch {
	case s.ticking:
		return
	case s.timer == nil:
		s.timer = time.AfterFunc(tcpTick, s.emitRead)
	default:
		s.timer.Reset(tcpTick)
	}
	s.ticking = true
}

// emitRead emits the events whose drops have been read by now, and those that have waited for maxWait. It comes again in
// a tcpTick, unless it is called before.
func (s *Source) emitRead() {
	s.emitting.Lock()
	defer s.emitting.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ticking = false
	switch {
	case s.ended:
		return
	case s.waiting.n == 0: // none has come in all that time: they come later, if at all
		s.waiting = queue{}
		return
	}
	s.releaseRead(time.Now())
	s.emitLater()
	s.out.Flush()
}

// releaseRead emits the events whose drops have been read, and has the others read for those that still wait.
func (s *Source) releaseRead(now time.Time) {
	if !s.reading {
		s.release(func(*event.Event) bool { return true }, s.emitNamed)
		return
	}
	read := s.Drops.ReadUntil()
	s.release(func(e *event.Event) bool {
		late := now.Sub(e.Time) > maxWait
		if late {
			s.raise("drops are read too slowly", e.Time)
		}
		return late || lastDrop(e).Before(read.Add(-margin))
	}, s.emitNamed)
	if s.waiting.n > 0 && s.reading && read.Before(now) {
		s.Drops.Wake()
	}
}

// lastDrop returns the time until which a drop may come that is joined with an event.
func lastDrop(e *event.Event) time.Time {
	if e.Kind == event.Reset {
		return e.Time.Add(maxAnswer)
	}
	return e.Time
}

// release joins the first of the waiting events with drops while ready returns true. It calls emit with each in
// s.emitted, and with its packet if a firewall may have dropped that, else nil.
func (s *Source) release(ready func(*event.Event) bool, emit func(*event.Packet)) {
	for s.waiting.n > 0 && ready(s.waiting.at(0)) {
		s.waiting.pop(&s.emitted)
		emit(s.judge(&s.emitted))
	}
}

func (s *Source) emit(*event.Packet) { s.out.Emit(&s.emitted) }

// emitNamed emits an event with the rule by which its packet was dropped. The caller holds both locks: mu is free
// while the rule is found, so that drops need not wait for that.
func (s *Source) emitNamed(packet *event.Packet) {
	if packet == nil || s.Rule == nil {
		s.emit(packet)
		return
	}
	e := s.emitted.Clone() // as others may come meanwhile
	drop, _ := e.Dropped()
	drop.Packet = *packet
	s.mu.Unlock()
	rule, confidence := s.Rule(&drop)
	s.mu.Lock()
	e.Segment.Drop.Rule, e.Segment.Drop.RuleConfidence = rule, confidence
	s.out.Emit(&e)
}

// raise remembers a doubt that came up at a time.
func (s *Source) raise(why string, at time.Time) {
	s.doubt = doubt{why, at.Add(remember)}
}

// wait keeps a copy of an event until the drops before it have been read.
func (s *Source) wait(e *event.Event) {
	if s.waiting.n >= maxWaiting {
		s.raise("too many retransmissions at once", e.Time)
		s.release(func(*event.Event) bool { return s.waiting.n >= maxWaiting }, s.emit)
	}
	s.waiting.push(e)
	s.emitLater()
}

// tcpOutput is the Output of the source of TCP.
type tcpOutput Source

// Emit keeps an event until the drops before it have been read.
func (o *tcpOutput) Emit(e *event.Event) {
	s := (*Source)(o)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.wait(e)
}

// Flush emits what has waited: while TCP is read again and again, that needs no other wakeup.
func (o *tcpOutput) Flush() { (*Source)(o).emitRead() }

// dropOutput is the Output of the source of drops.
type dropOutput Source

// Emit keeps a drop, or a doubt if it is not known which packet it was.
func (o *dropOutput) Emit(e *event.Event) {
	s := (*Source)(o)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.PassDrops {
		defer s.out.Emit(e)
	}
	switch e.Kind {
	case event.Drop:
		s.staged = *e
		s.drop(&s.staged)
	case event.Loss:
		s.raise("drops were lost "+e.Place.String(), time.Now())
	case event.Rejected:
		if e.Undecided {
			s.raise("of some drops it is not known which packets they were", time.Now())
		}
	case event.Retransmit, event.Reset, event.TCPEvent, event.Point, event.Finding, event.End: // not of this source
	}
}

// Flush flushes the drops, if they are emitted.
func (o *dropOutput) Flush() {
	s := (*Source)(o)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.PassDrops {
		s.out.Flush()
	}
}
