package pair

import (
	"slices"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// Timing of a match. A drop waits for its packet for at least grace. That is counted in ticks,
// and none passes while the output is busy or the process is stopped, so that the source of
// packets had time to run. While packets come, the drop also waits until they are later than
// itself by grace, because the kernel sends packets from a work item on each CPU, which may be
// late. After that the drop stays in the index for the time remember, in case its packet comes
// even later. A packet waits for its drop by the same rule.
const (
	tick       = 50 * time.Millisecond
	graceTicks = 6
	grace      = graceTicks * tick
	remember   = 10 * time.Second
)

// Limits of an index, in entries. If more drops are pending, the oldest are emitted early.
const (
	maxPending    = 1 << 16
	maxRemembered = 1 << 17
)

// A pending is what is needed to emit a drop later.
type pending struct {
	reason  string
	task    event.Task
	stack   []uint64
	since   uint64 // the tick when it came
	emitted bool   // it was, as TraceOnly
}

// A progress is how far a source has come.
type progress struct {
	lastTick uint64 // the tick when the last drop by the kernel came
	newest   int64  // time of the newest such drop, in nanoseconds since 1970
}

// A matcher joins what two sources emit at the same time. Its mutex guards all of it, also the
// use of out.
type matcher struct {
	mu  sync.Mutex
	out pipeline.Output

	wait bool // packets are held for their drops

	drops     *index[pending]
	resolved  uint64          // number of the oldest drop that is pending; it may be matched
	packets   *index[*held]   // those that are not matched yet, or held; the value is nil once emitted
	released  uint64          // number of the oldest packet that is held; it may be matched
	heldBytes int             // of packet data in those that are held
	unmatched uint64          // packets without a drop, those that were forgotten included
	failed    bool            // the source of all has failed
	lost      [2]event.Ledger // by each source, not emitted yet
	event     event.Event     // to be emitted
	stack     []event.Frame   // of that event
	latest    int64           // time of the latest drop that was emitted as TraceOnly

	frozen      bool      // nothing is resolved: drops may be those of the next source
	from, until time.Time // between which that began; zero: there is none
	disputed    bool      // there were drops in between

	ticks     uint64      // that have passed
	scheduled bool        // another tick will come
	progress  [2]progress // of the sources
}

// Indexes of what is kept for each source.
const (
	byPackets = iota
	byAll
)

// newMatcher returns a matcher that emits to out.
func newMatcher(out pipeline.Output) *matcher {
	return &matcher{out: out, drops: newIndex[pending](), resolved: 1, packets: newIndex[*held](), released: 1}
}

// packetOutput is a matcher as the Output of the source of packets.
type packetOutput matcher

// Emit matches a packet. Losses wait for the end; other events are emitted at once.
func (p *packetOutput) Emit(e *event.Event) {
	m := (*matcher)(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Kind {
	case event.Drop:
		if e.Where.HasPC {
			m.packet(e)
		} else { // dropped by a device
			m.emitInOrder(keyOf(e), e)
		}
	case event.Loss:
		m.deferLoss(byPackets, e)
	case event.Rejected, event.Retransmit, event.Reset, event.TCPEvent, event.Point, event.Finding, event.End:
		m.out.Emit(e)
	}
}

// Flush flushes what was emitted.
func (p *packetOutput) Flush() {
	m := (*matcher)(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.out.Flush()
}

// dropOutput is a matcher as the Output of the source of all.
type dropOutput matcher

// Emit matches a drop. Losses wait for the end; other events are emitted at once.
func (d *dropOutput) Emit(e *event.Event) {
	m := (*matcher)(d)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch e.Kind {
	case event.Drop:
		m.drop(e)
	case event.Loss:
		m.deferLoss(byAll, e)
	case event.Rejected, event.Retransmit, event.Reset, event.TCPEvent, event.Point, event.Finding, event.End:
		m.out.Emit(e)
	}
}

// Flush flushes the packets that were released by drops. Drops themselves are emitted and
// flushed at ticks.
func (d *dropOutput) Flush() {
	m := (*matcher)(d)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.wait {
		m.out.Flush()
	}
}

// packet emits a packet together with task and stack of its drop, or holds it until the drop
// comes. A packet whose drop was emitted as TraceOnly is ignored: it was counted.
func (m *matcher) packet(e *event.Event) {
	k := keyOf(e)
	m.progressed(byPackets, k)
	switch d := m.dropOf(k); {
	case d == nil && m.failed: // none will come
	case d == nil && m.wait:
		m.unmatched++
		m.hold(k, e)
		return
	case d == nil:
		m.unmatched++
		m.remember(k, nil)
		m.released = m.packets.last
	case d.value.emitted:
		d.matched = true
		return
	default:
		d.matched = true
		e.Task, e.Stack = d.value.task, m.frames(d.value.stack)
	}
	m.emitInOrder(k, e)
}

// dropOf returns the drop of a packet, nil if it has not come. For a packet that is older than
// a drop that was emitted the search is less precise, as no nearer drop will come.
func (m *matcher) dropOf(k key) *entry[pending] {
	d := m.drops.nearest(fine, k)
	if d != nil || k.at > m.latest {
		return d
	}
	return m.drops.nearest(coarse, k)
}

// remember adds a packet to the index. H is nil unless the packet is held.
func (m *matcher) remember(k key, h *held) *entry[*held] {
	m.packets.forget(m.released, k.at-int64(remember), maxRemembered)
	p := m.packets.add(k)
	p.value = h
	return p
}

// attach marks a packet as matched and, if it is held, adds task and stack of its drop.
func (m *matcher) attach(p *entry[*held], task event.Task, stack []event.Frame) {
	p.matched = true
	m.unmatched--
	if h := p.value; h != nil {
		h.Task, h.Stack = task, slices.Clone(stack)
	}
}

// drop matches a drop with a packet that has come, or makes it wait for its packet.
func (m *matcher) drop(e *event.Event) {
	k := keyOf(e)
	m.progressed(byAll, k)
	if p := m.packets.nearest(fine, k); p != nil {
		m.attach(p, e.Task, e.Stack)
		m.releaseReady()
		return
	}
	for m.drops.last-m.resolved >= maxPending {
		m.resolve()
	}
	m.drops.forget(m.resolved, k.at-int64(remember), maxRemembered)
	d := &m.drops.add(k).value
	d.reason, d.task, d.since, d.emitted = e.Reason, e.Task, m.ticks, false
	d.stack = d.stack[:0]
	for _, f := range e.Stack {
		d.stack = append(d.stack, f.PC)
	}
	m.schedule()
}

// resolve decides on the oldest drop that is pending. It searches the packets once more, less
// precisely, and emits the drop as TraceOnly if there is none for it.
func (m *matcher) resolve() {
	d := m.drops.entry(m.resolved)
	m.resolved++
	if d.matched || m.isOfNext(d.at) {
		return
	}
	if p := m.packets.nearest(coarse, d.key); p != nil {
		m.attach(p, d.value.task, m.frames(d.value.stack))
		d.matched = true
		return
	}
	d.value.emitted, m.latest = true, max(m.latest, d.at)
	m.event = event.Event{
		Time: time.Unix(0, d.at), KernelTime: true, Count: 1, Individual: true, TraceOnly: true,
		Where:  event.Where{Frame: event.Frame{PC: d.pc}, HasPC: true},
		Reason: d.value.reason, Task: d.value.task, Stack: m.frames(d.value.stack),
		Packet: event.Packet{Proto: d.proto, HasProto: d.proto != 0},
	}
	m.out.Emit(&m.event)
}

// frames makes a stack trace of addresses. It is valid until the next call.
func (m *matcher) frames(pcs []uint64) []event.Frame {
	m.stack = m.stack[:0]
	for _, pc := range pcs {
		m.stack = append(m.stack, event.Frame{PC: pc})
	}
	return m.stack
}

// progressed records that a source has reported a drop by the kernel.
func (m *matcher) progressed(by int, k key) {
	p := &m.progress[by]
	p.lastTick, p.newest = m.ticks, max(p.newest, k.at)
}

// expects reports whether a source may still report the match of a drop of time at, which has
// waited since a tick.
func (m *matcher) expects(from int, since uint64, at int64) bool {
	waited := func(since uint64) bool { return m.ticks-since > graceTicks }
	p := &m.progress[from]
	return !waited(since) || !waited(p.lastTick) && at >= p.newest-int64(grace)
}

// schedule makes sure that another tick comes. It is called while drops or packets wait.
func (m *matcher) schedule() {
	if !m.scheduled {
		m.scheduled = true
		time.AfterFunc(tick, m.tick)
	}
}

// tick emits what has waited long enough.
func (m *matcher) tick() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.scheduled = false
	m.ticks++
	before := m.resolved + m.released
	for !m.frozen && m.resolved < m.drops.last && m.due(m.drops.entry(m.resolved)) {
		m.resolve()
	}
	m.releaseReady()
	if m.resolved+m.released > before {
		m.out.Flush()
	}
	if m.resolved < m.drops.last || m.released < m.packets.last {
		m.schedule()
	}
}

// due reports whether the packet of a drop has come, or is not expected any more.
func (m *matcher) due(d *entry[pending]) bool {
	return d.matched || !m.expects(byPackets, d.value.since, d.at)
}

// deferLoss keeps a loss for the end, when it is known how many of the lost drops the other
// source reported. Losses of an unknown number are emitted at once, and so are all if the
// source of all has failed.
func (m *matcher) deferLoss(by int, e *event.Event) {
	if m.failed || !e.Place.Counted() {
		m.out.Emit(e)
		return
	}
	m.lost[by].Add(e)
}

// allEnded records that the source of all has ended, and returns its error.
func (m *matcher) allEnded(err error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.failed = err != nil
	return err
}

// finish emits what still waits, and what was lost, after both sources have ended. With
// packetsLost the losses of the source of packets count too.
func (m *matcher) finish(packetsLost bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for m.resolved < m.drops.last {
		m.resolve()
	}
	for m.released < m.packets.last {
		m.release()
	}
	for place := range event.Places() {
		n := m.lost[byAll].Lost[place]
		covered := min(n, m.unmatched)
		m.unmatched -= covered
		if n -= covered; packetsLost {
			n += m.lost[byPackets].Lost[place]
		}
		pipeline.Lose(m.out, place, n)
	}
}
