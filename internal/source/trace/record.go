package trace

import (
	"encoding/binary"
	"slices"
	"time"

	"dropwatch/internal/event"
)

// Layout of records (include/uapi/linux/perf_event.h): struct perf_event_header (u32 type, u16
// misc, u16 size), then data by type.
const (
	recordLost   = 2 // PERF_RECORD_LOST: u64 id, u64 lost
	recordSample = 9 // PERF_RECORD_SAMPLE

	headerLen = 8
	lostLen   = headerLen + 16

	// The samples have PERF_SAMPLE_TID (u32 pid, u32 tid), _TIME (u64), with
	// Options.Stack _CALLCHAIN (u64 nr, u64 ips[nr]), and _RAW (u32 size, data).
	tidAt, timeAt, chainAt = headerLen, headerLen + 8, headerLen + 16
)

// contextMarks is the least of the values that are not addresses in a call chain, but say that
// kernel or user addresses follow (enum perf_callchain_context).
const contextMarks = ^uint64(4094) // PERF_CONTEXT_MAX, -4095

// recordType returns the type of a record, which has at least headerLen bytes.
func recordType(rec []byte) uint32 { return binary.NativeEndian.Uint32(rec) }

// lostCount returns the number of samples in a PERF_RECORD_LOST, 0 if it is too short.
func lostCount(rec []byte) uint64 {
	if len(rec) < lostLen {
		return 0
	}
	return binary.NativeEndian.Uint64(rec[headerLen+8:])
}

// A decoder decodes samples of skb:kfree_skb, without allocation.
type decoder struct {
	layout layout
	stacks bool          // samples have call chains
	wall   int64         // the wall clock less the monotonic clock, in nanoseconds
	stack  []event.Frame // of the last sample
}

// A sample is what a sample of any event has. Its call chain is in decoder.stack.
type sample struct {
	time     uint64 // CLOCK_MONOTONIC, in nanoseconds
	pid, tid uint32
	raw      []byte // the fields of the event
}

// parse returns the parts of a sample. Ok is false if the record is too short for its contents.
func (d *decoder) parse(rec []byte) (s sample, ok bool) {
	if len(rec) < chainAt {
		return s, false
	}
	raw, ok := rec[chainAt:], true
	if d.stacks {
		raw, ok = d.chain(raw)
	}
	if !ok || len(raw) < 4 {
		return s, false
	}
	size := binary.NativeEndian.Uint32(raw)
	if raw = raw[4:]; uint64(size) > uint64(len(raw)) {
		return s, false
	}
	s = sample{
		time: binary.NativeEndian.Uint64(rec[timeAt:]), raw: raw[:size],
		pid: binary.NativeEndian.Uint32(rec[tidAt:]), tid: binary.NativeEndian.Uint32(rec[tidAt+4:]),
	}
	return s, true
}

// eventOf returns the number of the event of a sample, 0 if it is too short for that.
func (d *decoder) eventOf(s *sample) uint64 {
	if at := d.layout.event; len(s.raw) >= at.offset+at.size {
		return at.load(s.raw)
	}
	return 0
}

// drop makes e the drop that a sample of a CPU describes; Event.Stack is valid until the next
// call of parse. It returns false if the sample is too short for the event.
func (d *decoder) drop(s *sample, cpu uint32, e *event.Event) bool {
	if len(s.raw) < d.layout.size {
		return false
	}
	*e = event.Event{Count: 1, Individual: true}
	d.stamp(s, cpu, e)
	d.fields(s.raw, e)
	return true
}

// stamp sets when and where a sample was taken.
func (d *decoder) stamp(s *sample, cpu uint32, e *event.Event) {
	e.Time, e.KernelTime = time.Unix(0, int64(s.time)+d.wall), true
	e.Task = event.Task{Known: true, CPU: cpu, PID: s.pid, TID: s.tid}
}

// fields decodes the fields of skb:kfree_skb. A protocol of 0 means that the packet had none yet.
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

// chain decodes a call chain into d.stack, and returns what follows it.
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

// trim returns the stack trace from the location of the drop on, without the functions of the
// tracepoint itself. A stack trace without that location is returned whole.
func trim(stack []event.Frame, pc uint64) []event.Frame {
	if i := slices.IndexFunc(stack, func(f event.Frame) bool { return f.PC == pc }); i >= 0 {
		return stack[i:]
	}
	return stack
}
