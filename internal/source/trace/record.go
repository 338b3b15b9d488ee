package trace

import (
	"encoding/binary"
	"slices"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/perf"
)

// A decoder decodes samples of skb:kfree_skb, without allocation.
type decoder struct {
	layout layout
	stacks bool          // samples have call chains
	wall   clock.Base    // when samples were last read
	stack  []event.Frame // of the last sample
}

// parse returns the parts of a sample, and decodes its call chain into d.stack. Ok is false if the record
// is too short for its contents.
func (d *decoder) parse(rec []byte) (s perf.Sample, ok bool) {
	s, ok = perf.ParseSample(rec, d.stacks)
	d.stack = d.stack[:0]
	for b := s.Chain; len(b) > 0; b = b[8:] {
		if pc := binary.NativeEndian.Uint64(b); pc < perf.ContextMarks {
			d.stack = append(d.stack, event.Frame{PC: pc})
		}
	}
	return s, ok
}

// eventOf returns the number of the event of a sample, 0 if it is too short for that.
func (d *decoder) eventOf(s *perf.Sample) uint64 {
	if at := d.layout.event; len(s.Raw) >= at.Offset+at.Size {
		return at.Load(s.Raw)
	}
	return 0
}

// drop makes e the drop that a sample of a CPU describes; Event.Stack is valid until the next
// call of parse. It returns false if the sample is too short for the event.
func (d *decoder) drop(s *perf.Sample, cpu uint32, e *event.Event) bool {
	if len(s.Raw) < d.layout.size {
		return false
	}
	*e = event.Event{Count: 1, Individual: true}
	d.stamp(s, cpu, e)
	d.fields(s.Raw, e)
	return true
}

// stamp sets when and where a sample was taken.
func (d *decoder) stamp(s *perf.Sample, cpu uint32, e *event.Event) {
	e.Time, e.KernelTime = d.wall.Time(s.Time), true
	e.Task = event.Task{Known: true, CPU: cpu, PID: s.PID, TID: s.TID}
}

// fields decodes the fields of skb:kfree_skb. A protocol of 0 means that the packet had none yet.
func (d *decoder) fields(raw []byte, e *event.Event) {
	l := &d.layout
	e.Where.PC, e.Where.HasPC = l.location.Load(raw), true
	e.Packet.Proto = uint16(l.protocol.Load(raw))
	e.Packet.HasProto = e.Packet.Proto != 0
	if l.reason.Size > 0 {
		e.Reason = l.reasons.name(l.reason.Load(raw))
	}
	if d.stacks {
		e.Stack = trim(d.stack, e.Where.PC)
	}
}

// trim returns the stack trace from the location of the drop on, without the functions of the
// tracepoint itself. A stack trace without that location is returned whole.
func trim(stack []event.Frame, pc uint64) []event.Frame {
	if i := slices.IndexFunc(stack, func(f event.Frame) bool { return f.PC == pc }); i >= 0 {
		return stack[i:]
	}
	return stack
}
