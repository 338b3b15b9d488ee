package pair

import "dropwatch/internal/event"

// What the packets that wait hold at most. At the bound, the oldest are given
// out early.
const (
	mostKept      = 1 << 15
	mostKeptBytes = 32 << 20 // of packets, without what else there is of an event
)

// A kept is a packet that waits to be given out.
type kept struct {
	event.Event        // a copy
	since       uint64 // the tick when it came
}

// inTurn gives out an event that waits for nothing but those before it.
func (m *matcher) inTurn(t twin, e *event.Event) error {
	if m.given == m.shown.last {
		return m.emit(e)
	}
	m.keep(t, e).taken = true
	return m.err
}

// keep lets a packet wait, for which the oldest make room.
func (m *matcher) keep(t twin, e *event.Event) *entry[*kept] {
	n := len(e.Packet.Data)
	for m.given < m.shown.last && (m.shown.last-m.given >= mostKept || m.keptBytes+n > mostKeptBytes) {
		m.give()
	}
	m.keptBytes += n
	m.arm()
	return m.remember(t, &kept{e.Clone(), m.ticks})
}

// release gives out the packets that wait for nothing any more, nor for one
// before them.
func (m *matcher) release() {
	for m.given < m.shown.last {
		p := m.shown.entry(m.given)
		if !p.taken {
			if !m.alone && m.expects(byAll, p.value.since, p.at) {
				return
			}
			m.ask(p)
		}
		m.give()
	}
}

// ask looks once more for the drop of a packet, less exactly.
func (m *matcher) ask(p *entry[*kept]) {
	if d := m.drops.nearest(coarse, p.twin); d != nil && !d.value.given {
		d.taken = true
		m.claim(p, d.value.task, m.frames(d.value.stack))
	}
}

// give gives out the first packet that waits.
func (m *matcher) give() {
	p := m.shown.entry(m.given)
	k := p.value
	p.value = nil
	m.given++
	m.keptBytes -= len(k.Packet.Data)
	m.emit(&k.Event)
}
