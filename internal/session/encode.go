package session

import (
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"dropwatch/internal/event"
)

// An encoder appends records, in the format of the package comment, to buf. Its tables are those
// that a decoder will have.
type encoder struct {
	buf  []byte
	last int64 // time of the last event that had one, in nanoseconds since 1970

	strings map[string]uint64 // the index of each
	frames  []event.Frame     // by index
	byPC    map[uint64]uint64 // the last frame of each address
	stacks  [][]uint32        // of indexes in frames
	byCalls map[uint64]uint64 // the last stack of each hash
	size    int               // of the tables, as the format counts it
}

// newEncoder returns one with empty tables, as at the begin of a file.
func newEncoder() encoder {
	return encoder{strings: map[string]uint64{}, byPC: map[uint64]uint64{}, byCalls: map[uint64]uint64{}}
}

// restart empties the tables, keeps their memory, and appends a record that says so.
func (x *encoder) restart() {
	x.buf = append(x.buf, recordRestart)
	clear(x.strings)
	clear(x.byPC)
	clear(x.byCalls)
	clear(x.frames)
	clear(x.stacks)
	x.frames, x.stacks, x.size = x.frames[:0], x.stacks[:0], 0
}

// event appends an event of any kind but End.
func (x *encoder) event(e *event.Event) {
	var set uint64
	for i := range fields {
		if fields[i].has(e) {
			set |= 1 << i
		}
	}
	x.buf = append(x.buf, recordEvent)
	x.number(set)
	for i := range fields {
		if set&(1<<i) != 0 {
			fields[i].put(x, e)
		}
	}
}

// end appends the end of the run.
func (x *encoder) end(t time.Time, l *event.Ledger) {
	x.buf = append(x.buf, recordEnd)
	x.time(t)
	written := places[:]
	if l.Lost[event.Evicted] == 0 { // the last one, which older readers do not know
		written = places[:len(places)-1]
	}
	for _, n := range []uint64{
		l.Shown, l.TraceOnly, l.Harmless, l.Fragments, l.Rejected, l.Undecided, uint64(l.Gap), uint64(len(written)),
	} {
		x.number(n)
	}
	for _, p := range written {
		x.number(l.Lost[p])
	}
	c, p, f := l.TCP, l.Points, l.Findings
	withFindings := f != (event.FindingCounts{}) // which older readers do not know, as the points
	withPoints := withFindings || p != (event.PointCounts{})
	if withPoints || c != (event.TCPCounts{}) {
		for _, n := range []uint64{c.Retransmits, c.Resets, c.Others, c.Rejected, c.Lost} {
			x.number(n)
		}
	}
	if withPoints {
		for _, n := range []uint64{p.Shown, p.Rejected, p.Lost} {
			x.number(n)
		}
	}
	if withFindings {
		x.number(f.Shown)
		x.number(f.Lost)
	}
}

func (x *encoder) number(n uint64) { x.buf = binary.AppendUvarint(x.buf, n) }

func (x *encoder) signed(n int64) { x.buf = binary.AppendVarint(x.buf, n) }

// bytes writes a length and so many bytes.
func (x *encoder) bytes(b []byte) {
	x.number(uint64(len(b)))
	x.buf = append(x.buf, b...)
}

// time appends a time, relative to the one before.
func (x *encoder) time(t time.Time) {
	now := t.UnixNano()
	x.signed(now - x.last)
	x.last = now
}

func (x *encoder) place(p event.Place) { x.number(uint64(slices.Index(places[:], p))) }

// args writes how many values there are, and each. Its names become entries of the table of texts.
func (x *encoder) args(args []event.Arg) {
	x.number(uint64(len(args)))
	for i := range args {
		x.text(args[i].Name)
		x.text(args[i].Text)
		x.number(args[i].Number)
	}
}

// tag appends a VLAN tag: its ethertype and its tag control information.
func (x *encoder) tag(v event.VLAN) {
	tci := uint64(v.Priority)<<13 | uint64(v.ID)
	if v.DEI {
		tci |= 1 << 12
	}
	x.number(uint64(v.TPID))
	x.number(tci)
}

// segment writes what is known of a segment of TCP beside its headers, in the order in which decoder.segment reads it.
func (x *encoder) segment(s *event.Segment) {
	for _, n := range []uint64{
		uint64(s.Type), uint64(s.Direction), uint64(s.Len), s.Frame, uint64(s.State), uint64(s.CongestionState),
		uint64(s.RTT), uint64(s.Sent), uint64(s.Retries), uint64(s.Fate),
	} {
		x.number(n)
	}
	x.text(s.Doubt)
}

// segmentDrop appends what is known of the drop behind a segment.
func (x *encoder) segmentDrop(s *event.SegmentDrop) {
	x.text(s.Reason)
	x.number(uint64(s.Port.IfIndex))
	x.text(s.Port.IfName)
	x.number(uint64(s.Netns.Inode))
	x.text(s.Netns.Name)
	x.text(s.Rule)
	x.text(s.RuleConfidence)
}

// connection appends those of the headers of a packet that a source knows without its bytes.
func (x *encoder) connection(h *event.Headers) {
	x.number(uint64(h.Fields & connectionFields))
	x.bytes(h.Src.AsSlice())
	x.bytes(h.Dst.AsSlice())
	for _, n := range []uint64{uint64(h.SrcPort), uint64(h.DstPort), uint64(h.Seq), uint64(h.Ack), uint64(h.TCPFlags)} {
		x.number(n)
	}
}

// text appends the index of a string and, if it is new, the string.
func (x *encoder) text(s string) {
	n, ok := x.strings[s]
	if ok {
		x.number(n)
		return
	}
	n = uint64(len(x.strings))
	x.number(n)
	x.strings[s] = n
	x.size += stringCost + len(s)
	x.number(uint64(len(s)))
	x.buf = append(x.buf, s...)
}

// socket appends a socket.
func (x *encoder) socket(s *event.Socket) {
	receiver := uint64(0)
	if s.Receiver {
		receiver = 1
	}
	for _, n := range []uint64{s.Cookie, s.Inode, uint64(s.Family), uint64(s.Protocol), uint64(s.State), receiver} {
		x.number(n)
	}
	for _, a := range []netip.AddrPort{s.Local, s.Remote} {
		x.bytes(a.Addr().AsSlice())
		x.number(uint64(a.Port()))
	}
}

// frame appends the index of a place in the code and, if it is new, the place.
func (x *encoder) frame(f *event.Frame) {
	if n, ok := x.byPC[f.PC]; ok && x.frames[n] == *f {
		x.number(n)
		return
	}
	x.number(uint64(len(x.frames)))
	x.newFrame(f)
}

// newFrame appends a new place and enters it in the table.
func (x *encoder) newFrame(f *event.Frame) {
	x.buf = binary.LittleEndian.AppendUint64(x.buf, f.PC)
	x.number(uint64(f.Lookup))
	x.text(f.Symbol)
	x.number(f.Offset)
	x.text(f.Module)
	x.byPC[f.PC] = uint64(len(x.frames))
	x.frames = append(x.frames, *f)
	x.size += frameCost
}

// stack appends the index of a call chain, of at most maxStack calls, and, if it is new, the chain.
func (x *encoder) stack(stack []event.Frame) {
	hash := hashCalls(stack)
	if n, ok := x.byCalls[hash]; ok && x.same(x.stacks[n], stack) {
		x.number(n)
		return
	}
	n := uint64(len(x.stacks))
	x.number(n)
	x.number(uint64(len(stack)))
	calls := make([]uint32, len(stack))
	for i := range stack {
		x.frame(&stack[i])
		calls[i] = uint32(x.byPC[stack[i].PC])
	}
	x.stacks = append(x.stacks, calls)
	x.byCalls[hash] = n
	x.size += stackCost + callCost*len(stack)
}

// same reports whether calls, indexes of frames, are the frames of stack.
func (x *encoder) same(calls []uint32, stack []event.Frame) bool {
	if len(calls) != len(stack) {
		return false
	}
	for i, n := range calls {
		if x.frames[n] != stack[i] {
			return false
		}
	}
	return true
}

// hashCalls returns FNV-1a of the addresses, by words instead of bytes.
func hashCalls(stack []event.Frame) uint64 {
	h := uint64(14695981039346656037)
	for i := range stack {
		h = (h ^ stack[i].PC) * 1099511628211
	}
	return h
}
