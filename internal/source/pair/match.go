package pair

import (
	"errors"
	"slices"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// The times of a match. A drop waits for its packet for grace at least, counted
// in ticks, of which none passes while out is at work or we are stopped: the
// packet source had that much time to run. While packets come, it also waits
// until they are later than itself by grace. That bridges the kernel's own
// delay in handing over packets, which it does by a work item on each CPU.
// Afterwards it is remembered for a while, in case that its packet comes late.
// A packet that waits for its drop has the same patience with the source of all.
const (
	tick       = 50 * time.Millisecond
	graceTicks = 6
	grace      = graceTicks * tick
	remember   = 10 * time.Second
)

// The numbers of entries in a book. When more drops are waiting, the first are
// given out early.
const (
	mostWaiting    = 1 << 16
	mostRemembered = 1 << 17
)

// A seen is what is kept of a drop to give it out.
type seen struct {
	reason string
	task   event.Task
	stack  []uint64
	since  uint64 // the tick when it came
	given  bool   // out, as Unseen
}

// A pace is how far a source has come.
type pace struct {
	heard  uint64 // the tick when a drop of the kernel came
	newest int64  // time of such a drop
}

// A matcher joins what two sources give at the same time.
type matcher struct {
	mu   sync.Mutex
	out  pipeline.Output
	stop func() // ends the source of packets
	err  error  // out's; it takes no more drops

	wait bool // packets do, for their drops

	drops     *book[seen]
	settled   uint64          // number of the first drop that is waiting, perhaps taken
	shown     *book[*kept]    // packets that claim no drop so far, or wait; nil if given out
	given     uint64          // number of the first packet that waits, perhaps taken
	keptBytes int             // of the packets that wait
	unclaimed uint64          // how many packets claimed none, forgotten ones too
	alone     bool            // the source of all has failed
	lost      [2]event.Ledger // by the sources, not given out
	event     event.Event     // to be given out
	stack     []event.Frame   // of an event
	latest    int64           // time of a drop that was given out

	ticks uint64
	armed bool    // a tick will come
	paces [2]pace // of the sources
}

// The sources, where they are kept apart.
const (
	byPackets = iota
	byAll
)

func newMatcher(out pipeline.Output, stop func()) *matcher {
	return &matcher{out: out, stop: stop, drops: newBook[seen](), settled: 1, shown: newBook[*kept](), given: 1}
}

// packets is the Output for the source of packets.
type packets matcher

func (p *packets) Emit(e *event.Event) error {
	m := (*matcher)(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case e.Kind == event.Loss:
		return m.lose(byPackets, e)
	case !e.Where.HasPC: // dropped by a device
		return m.inTurn(twinOf(e), e)
	}
	return m.packet(e)
}

func (p *packets) Flush() error {
	m := (*matcher)(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.flush()
}

// drops is the Output for the source of all.
type drops matcher

func (d *drops) Emit(e *event.Event) error {
	m := (*matcher)(d)
	m.mu.Lock()
	defer m.mu.Unlock()
	if e.Kind == event.Loss {
		return m.lose(byAll, e)
	}
	return m.drop(e)
}

// Flush is for the packets that waited for drops, which themselves are given out
// at ticks.
func (d *drops) Flush() error {
	m := (*matcher)(d)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.wait {
		return nil
	}
	return m.flush()
}

// packet gives out a packet, with what its drop tells of it, or lets it wait for
// that. A packet whose drop was given out is not.
func (m *matcher) packet(e *event.Event) error {
	if m.err != nil {
		return m.err
	}
	t := twinOf(e)
	m.hear(byPackets, t)
	switch d := m.dropOf(t); {
	case d == nil && m.alone: // there is none to come
	case d == nil && m.wait:
		m.unclaimed++
		m.keep(t, e)
		return m.err
	case d == nil:
		m.unclaimed++
		m.remember(t, nil)
		m.given = m.shown.last
	case d.value.given:
		d.taken = true
		return nil
	default:
		d.taken = true
		e.Task, e.Stack = d.value.task, m.frames(d.value.stack)
	}
	return m.inTurn(t, e)
}

// dropOf finds the drop of a packet, nil if it has not come. To a packet that
// comes late it may be less near than usual: nothing nearer will come.
func (m *matcher) dropOf(t twin) *entry[seen] {
	d := m.drops.nearest(fine, t)
	if d != nil || t.at > m.latest {
		return d
	}
	return m.drops.nearest(coarse, t)
}

// remember enters a packet, k if it waits.
func (m *matcher) remember(t twin, k *kept) *entry[*kept] {
	m.shown.forget(m.given, t.at-int64(remember), mostRemembered)
	p := m.shown.add(t)
	p.value = k
	return p
}

// claim gives a packet its drop, and, if it waits for it, what that tells of it.
func (m *matcher) claim(p *entry[*kept], task event.Task, stack []event.Frame) {
	p.taken = true
	m.unclaimed--
	if k := p.value; k != nil {
		k.Task, k.Stack = task, slices.Clone(stack)
	}
}

// drop lets a drop wait for its packet, unless that has come already.
func (m *matcher) drop(e *event.Event) error {
	if m.err != nil {
		return m.err
	}
	t := twinOf(e)
	m.hear(byAll, t)
	if p := m.shown.nearest(fine, t); p != nil {
		m.claim(p, e.Task, e.Stack)
		m.release()
		return m.err
	}
	for m.drops.last-m.settled >= mostWaiting {
		m.settle()
	}
	m.drops.forget(m.settled, t.at-int64(remember), mostRemembered)
	d := &m.drops.add(t).value
	d.reason, d.task, d.since, d.given = e.Reason, e.Task, m.ticks, false
	d.stack = d.stack[:0]
	for _, f := range e.Stack {
		d.stack = append(d.stack, f.PC)
	}
	m.arm()
	return m.err
}

// settle decides on the first drop that waits: the packets that claimed none
// when it came are asked again, less exactly; without one it is Unseen.
func (m *matcher) settle() {
	d := m.drops.entry(m.settled)
	m.settled++
	if d.taken {
		return
	}
	if p := m.shown.nearest(coarse, d.twin); p != nil {
		m.claim(p, d.value.task, m.frames(d.value.stack))
		d.taken = true
		return
	}
	d.value.given, m.latest = true, max(m.latest, d.at)
	m.event = event.Event{
		Time: time.Unix(0, d.at), Stamped: true, Count: 1, Single: true, Unseen: true,
		Where:  event.Where{Frame: event.Frame{PC: d.pc}, HasPC: true},
		Reason: d.value.reason, Task: d.value.task, Stack: m.frames(d.value.stack),
		Packet: event.Packet{Proto: d.proto, HasProto: d.proto != 0},
	}
	m.emit(&m.event)
}

// frames makes a stack of addresses, for one event.
func (m *matcher) frames(pcs []uint64) []event.Frame {
	m.stack = m.stack[:0]
	for _, pc := range pcs {
		m.stack = append(m.stack, event.Frame{PC: pc})
	}
	return m.stack
}

// hear takes note of a drop of the kernel.
func (m *matcher) hear(by int, t twin) {
	p := &m.paces[by]
	p.heard, p.newest = m.ticks, max(p.newest, t.at)
}

// expects says that the twin of what has waited since a tick, of a time, may
// still come from a source.
func (m *matcher) expects(from int, since uint64, at int64) bool {
	waited := func(since uint64) bool { return m.ticks-since > graceTicks }
	p := &m.paces[from]
	return !waited(since) || !waited(p.heard) && at >= p.newest-int64(grace)
}

// arm makes a tick come while drops or packets are waiting.
func (m *matcher) arm() {
	if !m.armed {
		m.armed = true
		time.AfterFunc(tick, m.tick)
	}
}

func (m *matcher) tick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.armed = false
	m.ticks++
	before := m.settled + m.given
	for m.settled < m.drops.last && m.due(m.drops.entry(m.settled)) {
		m.settle()
	}
	m.release()
	if m.settled+m.given > before {
		m.flush()
	}
	if m.settled < m.drops.last || m.given < m.shown.last {
		m.arm()
	}
}

// due says that the packet of a drop came, or can no more be expected.
func (m *matcher) due(d *entry[seen]) bool {
	return d.taken || !m.expects(byPackets, d.value.since, d.at)
}

// emit gives an event out, until out takes no more, which ends the run.
func (m *matcher) emit(e *event.Event) error {
	if m.err == nil {
		m.check(m.out.Emit(e))
	}
	return m.err
}

func (m *matcher) flush() error {
	if m.err == nil {
		m.check(m.out.Flush())
	}
	return m.err
}

func (m *matcher) check(err error) {
	if m.err = err; err != nil {
		m.stop()
	}
}

// lose keeps a loss of drops for the end, when it is known what the other
// source showed of them. That is of no concern to other losses, nor when only
// one source is left.
func (m *matcher) lose(by int, e *event.Event) error {
	if m.alone || e.Place >= event.FullSummary {
		return m.out.Emit(e)
	}
	m.lost[by].Add(e)
	return nil
}

// allEnded takes note that the source of all has ended, and gives its error if
// that is one of its own.
func (m *matcher) allEnded(err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err != nil && errors.Is(err, m.err) {
		return nil
	}
	m.alone = err != nil
	return err
}

// finish gives out what is left when both sources have ended, and what was
// lost. The error is err, that of the source of packets, and out's.
func (m *matcher) finish(err error, packetsLost bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.settled < m.drops.last {
		m.settle()
	}
	for m.given < m.shown.last {
		m.give()
	}
	if m.err != nil { // drops that packets would have claimed were not taken
		m.unclaimed = 0
	}
	if !errors.Is(err, m.err) {
		err = pipeline.Also(m.err, err)
	}
	for place := range event.Places() {
		n := m.lost[byAll].Lost[place]
		covered := min(n, m.unclaimed)
		m.unclaimed -= covered
		if n -= covered; packetsLost {
			n += m.lost[byPackets].Lost[place]
		}
		if lerr := m.loss(place, n); !errors.Is(err, lerr) {
			err = pipeline.Also(err, lerr)
		}
	}
	return err
}

// loss gives out a loss, even when no drop is taken any more.
func (m *matcher) loss(at event.Place, n uint64) error {
	if n == 0 {
		return nil
	}
	return m.out.Emit(&event.Event{Kind: event.Loss, Time: time.Now(), Count: n, Place: at})
}
