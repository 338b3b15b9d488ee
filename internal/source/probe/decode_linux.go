package probe

import (
	"encoding/binary"
	"runtime"
	"slices"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/member"
	"dropwatch/internal/perf"
)

// A decoder makes events of samples. An event is valid until the next one is made.
type decoder struct {
	wall   clock.Base     // when samples were last read
	values []member.Value // of the loads of the site
	copied []byte         // the headers of the packet
	found  []byte         // which rule of iptables dropped it, see rulesFound
	args   []event.Arg    // of the event
	stack  []event.Frame
	socket event.Socket
	flow   event.Flow
}

// A returned is the sample of a return that waits for its call, with a copy of what it had.
type returned struct {
	point  *pointEvent // of the return
	cpu    uint32      // on which it was taken
	key    key         // that its call must have
	epoch  uint64      // of pairs, when it was read
	sample perf.Sample
}

// keyOf returns the key of a sample of a paired site. When a function has returned, its return address is
// not on the stack any more, where the architecture has it there.
func keyOf(p *pointEvent, s *perf.Sample) key {
	at := p.layout.stack.Load(s.Raw)
	if runtime.GOARCH == "amd64" && !p.atReturn {
		at += 8
	}
	return key{site: p.index, task: s.TID, stack: at}
}

// keep returns a copy of a sample, whose memory is that of the ring.
func (p *pairs) keep(s perf.Sample) perf.Sample {
	s.Raw, s.Chain = p.copied(s.Raw), p.copied(s.Chain)
	return s
}

// reset forgets the values of the last event.
func (d *decoder) reset(loads int) {
	d.values = slices.Grow(d.values[:0], loads)[:loads]
	clear(d.values)
	d.copied, d.found = nil, nil
}

// read adds what a sample has, or a record of BPF, by its layout.
func (d *decoder) read(l *layout, loads []member.Load, raw []byte) {
	l.read(raw, loads, d.values)
	if h := l.headers; h.Size > 0 {
		d.copied = raw[h.Offset : h.Offset+h.Size]
	}
	if f := l.found; f.Size > 0 {
		d.found = raw[f.Offset : f.Offset+f.Size]
	}
}

// readHeaders adds what a record of BPF has that was written before a sample, if it is of the same packet.
func (d *decoder) readHeaders(p *pointEvent, record, raw []byte) {
	if len(record) == 0 {
		return
	}
	d.read(&p.before.layout, p.loads, record)
	packet := p.facts.number(bufferAddress, d.values)
	p.layout.read(raw, p.loads, d.values)
	if p.facts.number(bufferAddress, d.values) != packet {
		d.copied = nil
	}
}

// event makes e the event of a sample, from the values that were read. It returns false if the condition is not
// true.
func (d *decoder) event(p *pointEvent, s *perf.Sample, cpu uint32, e *event.Event) bool {
	if !p.matches(d.values) {
		return false
	}
	*e = event.Event{
		Kind: event.Point, Time: d.wall.Time(s.Time), KernelTime: true, Count: 1, Individual: true,
		Origin: event.Unstated, Point: p.name, Where: event.Where{Frame: p.target.frame, HasPC: true},
		Task: event.Task{Known: true, CPU: cpu, PID: s.PID, TID: s.TID, Comm: p.layout.comm.Text(s.Raw)},
	}
	d.args = p.appendRule(p.appendArgs(d.args[:0], d.values), d.found)
	e.Args = d.args
	p.facts.packet(d.values, e)
	p.facts.headers(d.values, d.copied, e)
	d.owner(p, e)
	if p.stack {
		e.Stack = d.frames(p.target.frame, s.Chain)
	}
	return true
}

// owner sets the socket of an event and what that says.
func (d *decoder) owner(p *pointEvent, e *event.Event) {
	if !p.facts.socket(d.values, &d.socket) {
		return
	}
	incoming := p.facts.number(bufferInIndex, d.values) != 0
	d.socket.Receiver = incoming
	e.Owner.Socket = &d.socket
	if e.Netns.Inode == 0 {
		e.Netns.Inode = uint32(p.facts.number(sockNetns, d.values))
	}
	if f, ok := flow(&d.socket, incoming); ok {
		d.flow = f
		e.Packet.Flow, e.Packet.Proto, e.Packet.HasProto = &d.flow, f.EtherType, true
	}
}

// beginning is how far into a function its probe may be, in bytes: behind endbr64 and a call of ftrace.
const beginning = 16

// frames returns the call chain of a sample, which begins with a function itself: what that has called to report it is left out.
func (d *decoder) frames(function event.Frame, chain []byte) []event.Frame {
	d.stack = append(d.stack[:0], function)
	for b := chain; len(b) > 0; b = b[8:] {
		pc := binary.NativeEndian.Uint64(b)
		switch {
		case pc >= perf.ContextMarks:
		case pc-function.PC <= beginning:
			d.stack = d.stack[:1]
		default:
			d.stack = append(d.stack, event.Frame{PC: pc})
		}
	}
	return d.stack
}
