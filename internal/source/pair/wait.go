package pair

import "dropwatch/internal/event"

// Limits of the packets that are held. To stay within them the oldest are emitted early.
const (
	maxHeld      = 1 << 15
	maxHeldBytes = 32 << 20 // of packet data
)

// A held packet waits to be emitted.
type held struct {
	event.Event        // a copy
	since       uint64 // the tick when it came
}

// emitInOrder emits an event that needs no match, after those that are held.
func (m *matcher) emitInOrder(k key, e *event.Event) {
	if m.released == m.packets.last {
		m.out.Emit(e)
		return
	}
	m.hold(k, e).matched = true
}

// hold makes a packet wait. If there is no room, it releases the oldest.
func (m *matcher) hold(k key, e *event.Event) *entry[*held] {
	n := len(e.Packet.Data)
	for m.released < m.packets.last && (m.packets.last-m.released >= maxHeld || m.heldBytes+n > maxHeldBytes) {
		m.release()
	}
	m.heldBytes += n
	m.schedule()
	return m.remember(k, &held{e.Clone(), m.ticks})
}

// releaseReady emits packets, oldest first, until one may still get its drop.
func (m *matcher) releaseReady() {
	for m.released < m.packets.last {
		p := m.packets.entry(m.released)
		if !p.matched {
			if !m.failed && m.expects(byAll, p.value.since, p.at) {
				return
			}
			m.matchLate(p)
		}
		m.release()
	}
}

// matchLate searches once more for the drop of a packet, less precisely.
func (m *matcher) matchLate(p *entry[*held]) {
	if d := m.drops.nearest(coarse, p.key); d != nil && !d.value.emitted {
		d.matched = true
		m.attach(p, d.value.task, m.frames(d.value.stack))
	}
}

// release emits the oldest packet that is held.
func (m *matcher) release() {
	p := m.packets.entry(m.released)
	h := p.value
	p.value = nil
	m.released++
	m.heldBytes -= len(h.Packet.Data)
	m.out.Emit(&h.Event)
}
