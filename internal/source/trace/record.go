package trace

import (
	"encoding/binary"
	"slices"
	"time"

	"dropwatch/internal/event"
)

// Records as in include/uapi/linux/perf_event.h: struct perf_event_header (u32
// type, u16 misc, u16 size), then what belongs to the type.
const (
	recordLost   = 2 // PERF_RECORD_LOST: u64 id, u64 lost
	recordSample = 9 // PERF_RECORD_SAMPLE

	headerLen = 8
	lostLen   = headerLen + 16

	// A sample of ours has PERF_SAMPLE_TID (u32 pid, u32 tid), _TIME (u64),
	// perhaps _CALLCHAIN (u64 nr, u64 ips[nr]), and _RAW (u32 size, data).
	tidAt, timeAt, chainAt = headerLen, headerLen + 8, headerLen + 16
)

// contextMarks is where the values begin that a call chain has between the
// addresses to say whose they are (enum perf_callchain_context).
const contextMarks = ^uint64(4094) // PERF_CONTEXT_MAX, -4095

func recordType(rec []byte) uint32 { return binary.NativeEndian.Uint32(rec) }

// lostCount is the number of a PERF_RECORD_LOST, 0 if it is too short.
func lostCount(rec []byte) uint64 {
	if len(rec) < lostLen {
		return 0
	}
	return binary.NativeEndian.Uint64(rec[headerLen+8:])
}

// A decoder makes events of samples, without allocation.
type decoder struct {
	layout layout
	stacks bool  // samples have call chains
	wall   int64 // the wall clock less the monotonic clock, in nanoseconds
	stack  []event.Frame
}

// sample makes e of a sample from a CPU. It is false if the record is too
// short for what it should have.
func (d *decoder) sample(rec []byte, cpu uint32, e *event.Event) bool {
	if len(rec) < chainAt {
		return false
	}
	raw, ok := rec[chainAt:], true
	if d.stacks {
		raw, ok = d.chain(raw)
	}
	if !ok || len(raw) < 4 {
		return false
	}
	size := binary.NativeEndian.Uint32(raw)
	if raw = raw[4:]; uint64(size) > uint64(len(raw)) || int(size) < d.layout.size {
		return false
	}
	at := int64(binary.NativeEndian.Uint64(rec[timeAt:])) + d.wall
	*e = event.Event{Time: time.Unix(0, at), Stamped: true, Count: 1, Single: true}
	e.Task = event.Task{
		Known: true, CPU: cpu,
		PID: binary.NativeEndian.Uint32(rec[tidAt:]), TID: binary.NativeEndian.Uint32(rec[tidAt+4:]),
	}
	d.fields(raw, e)
	return true
}

// fields sets what the event's own fields tell. A protocol of 0 is none: the
// packet had not got one yet.
func (d *decoder) fields(raw []byte, e *event.Event) {
	l := &d.layout
	e.Where.PC, e.Where.HasPC = l.location.load(raw), true
	e.Packet.Proto = uint16(l.protocol.load(raw))
	e.Packet.HasProto = e.Packet.Proto != 0
	if l.reason.size > 0 {
		e.Reason = l.reasons.name(l.reason.load(raw))
	}
	if d.stacks {
		e.Stack = trim(d.stack, e.Where.PC)
	}
}

// chain reads a call chain, and returns what comes after it.
func (d *decoder) chain(b []byte) (rest []byte, ok bool) {
	d.stack = d.stack[:0]
	if len(b) < 8 {
		return nil, false
	}
	n := binary.NativeEndian.Uint64(b)
	if b = b[8:]; n > uint64(len(b)/8) {
		return nil, false
	}
	for ; n > 0; n-- {
		if pc := binary.NativeEndian.Uint64(b); pc < contextMarks {
			d.stack = append(d.stack, event.Frame{PC: pc})
		}
		b = b[8:]
	}
	return b, true
}

// trim leaves out the tracepoint's own calls, which come before the place of
// the drop. A chain that does not have that is left as it is.
func trim(stack []event.Frame, pc uint64) []event.Frame {
	if i := slices.IndexFunc(stack, func(f event.Frame) bool { return f.PC == pc }); i >= 0 {
		return stack[i:]
	}
	return stack
}
