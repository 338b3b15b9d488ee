// Package jsonl writes events for programs, as JSON lines: an object for each drop and each loss, or
// for each second, and last the ledger. [Schema] describes them. It appends text by
// hand, because writing a drop must not allocate.
package jsonl

import (
	"io"
	"slices"
	"strconv"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/records"
)

// Options of a Sink.
type Options struct {
	Host  string // name of the host that the events are of, for each line; empty: not known
	Bytes bool   // also write the bytes of each packet

	// Explain: also write why each packet was dropped, as far as known. It takes a third
	// more time, and 200 bytes or more.
	Explain bool
}

// A Sink writes events to a Writer: when it is flushed, or from 32 KiB on.
type Sink struct {
	buf    records.Buffer
	o      Options
	host   []byte // the member with the host
	clock  clock
	frames frames
}

// New makes a Sink that writes to w.
func New(w io.Writer, o Options) *Sink {
	return &Sink{buf: records.NewText(w), o: o, host: appendIfAny(nil, "host", o.Host)}
}

// Write formats an event as a line. Rejected drops have none; the ledger has their number.
func (s *Sink) Write(e *event.Event) error {
	switch e.Kind {
	case event.Drop, event.Retransmit, event.Reset, event.TCPEvent, event.Point:
		s.buf.Bytes = s.appendDrop(s.buf.Bytes, e)
	case event.Finding:
		s.buf.Bytes = s.appendFinding(s.buf.Bytes, e)
	case event.Loss:
		s.buf.Bytes = s.appendLoss(s.buf.Bytes, e)
	case event.End:
		s.buf.Bytes = s.appendEnd(s.buf.Bytes, e)
	case event.Rejected:
		return nil
	}
	return s.buf.EndRecord()
}

// Flush writes all lines that are buffered.
func (s *Sink) Flush() error { return s.buf.Flush() }

// begin begins a line with what every line has: kind, time and host.
func (s *Sink) begin(b []byte, kind string, at time.Time) []byte {
	b = appendWord(append(b, '{'), "kind", kind)
	return append(s.clock.appendTime(b, at), s.host...)
}

// finish ends a line.
func finish(b []byte) []byte {
	b = end(b, '}')
	b[len(b)-1] = '\n'
	return b
}

// appendDrop appends the line of a drop, of what TCP did, or of a point. What is not known is left out.
func (s *Sink) appendDrop(b []byte, e *event.Event) []byte {
	b = s.begin(b, e.Kind.String(), e.Time)
	b = appendCounted(b, e)
	b = s.appendWhy(b, e)
	b = appendPacket(b, &e.Packet)
	b = appendPort(b, &e.Port)
	b = appendNetns(b, &e.Netns)
	if e.Packet.Flow != nil {
		b = appendFlow(b, e.Packet.Flow)
	}
	b = s.appendStack(b, e.Stack)
	if len(e.Cookie) > 0 {
		b = appendHex(b, "cookie", e.Cookie)
	}
	b = appendOwner(b, &e.Owner)
	if e.Task.Known {
		b = appendTask(b, &e.Task)
	}
	if s.o.Bytes && e.Packet.HasData {
		b = appendBytes(b, &e.Packet)
	}
	return finish(b)
}

// appendCounted appends how many packets the event stands for, and who reported it.
func appendCounted(b []byte, e *event.Event) []byte {
	b = appendNumber(b, "count", e.Count)
	b = appendNonzero(b, "segments", e.Segments)
	if e.Segment != nil {
		b = appendSegment(b, e)
	}
	b = appendIfTrue(b, "aggregated", !e.Individual)
	b = appendIfTrue(b, "trace_only", e.TraceOnly)
	if e.Origin != event.Unstated {
		b = appendWord(b, "origin", e.Origin.String())
	}
	return b
}

// appendWhy appends where and why it happened, and what the source read there.
func (s *Sink) appendWhy(b []byte, e *event.Event) []byte {
	b = appendWhere(b, &e.Where)
	b = appendIfAny(b, "reason", e.Reason)
	b = appendIfAny(b, "harmless", e.Harmless)
	if s.o.Explain {
		b = appendExplain(b, e)
	}
	if e.Point != "" {
		return appendPoint(b, e.Point, e.Args)
	}
	b = appendArgs(b, e.Args)
	if r := e.Reached; r != nil {
		b = appendPoint(b, r.Point, r.Args)
	}
	return b
}

// appendSegment appends what is known of a TCP segment beside its headers, which are in the flow.
func appendSegment(b []byte, e *event.Event) []byte {
	s := e.Segment
	if s.Type != event.SegmentUnknown {
		b = appendWord(b, "type", s.Type.String())
	}
	b = appendWord(b, "direction", s.Direction.String())
	if e.KnowsLen() {
		b = appendNumber(b, "len", uint64(s.Len))
	}
	if s.Frame != 0 {
		b = appendNumber(b, "frame", s.Frame)
		b = appendIfAny(b, "file", s.File)
	}
	if s.State != 0 {
		b = appendWord(b, "tcp_state", s.State.String())
	}
	if s.CongestionState != event.CongestionUnknown {
		b = appendWord(b, "congestion_state", s.CongestionState.String())
	}
	b = appendNonzero(b, "rtt_us", uint64(s.RTT))
	b = appendNonzero(b, "segments_sent", uint64(s.Sent))
	b = appendNonzero(b, "retries", uint64(s.Retries))
	if s.Fate != event.FateUnstated {
		b = appendWord(b, "lost", s.Fate.String())
	}
	b = appendIfAny(b, "doubt", s.Doubt)
	if e.HasDrop() {
		b = appendCause(b, e)
	}
	return b
}

// appendCause appends the drop behind what TCP did. Interface and network namespace are there if they are others
// than those of the event.
func appendCause(b []byte, e *event.Event) []byte {
	drop, _ := e.Dropped()
	of := &e.Segment.Drop
	b = begin(b, "cause", '{')
	if symbol, _, module, ok := drop.Where.Name(); ok {
		b = appendText(b, "symbol", symbol)
		b = appendIfAny(b, "module", module)
	}
	b = appendIfAny(b, "reason", drop.Reason)
	if x, ok := knowledge.BriefOf(&drop); ok {
		b = appendText(b, "text", x.Cause)
	}
	b = appendPort(b, &of.Port)
	b = appendNetns(b, &of.Netns)
	if of.Rule != "" {
		b = appendText(b, "rule", of.Rule)
		b = appendText(b, "rule_confidence", of.RuleConfidence)
	}
	return end(b, '}')
}

// appendWhere appends the location. If the name is the kernel's own, an offset of 0 is left out: the
// kernel has cut it off.
func appendWhere(b []byte, w *event.Where) []byte {
	if symbol, offset, module, ok := w.Name(); ok {
		b = appendText(b, "symbol", symbol)
		if offset > 0 || w.Lookup == event.Found {
			b = appendNumber(b, "offset", offset)
		}
		b = appendIfAny(b, "module", module)
	}
	if w.HasPC {
		b = appendAddress(b, "pc", w.PC)
	}
	if w.Trap == "" && w.TrapGroup == "" {
		return b
	}
	b = begin(b, "trap", '{')
	b = appendIfAny(b, "name", w.Trap)
	b = appendIfAny(b, "group", w.TrapGroup)
	return end(b, '}')
}

// appendPoint appends an object with the name of a point and what was read there.
func appendPoint(b []byte, name string, args []event.Arg) []byte {
	b = appendText(begin(b, "point", '{'), "name", name)
	return end(appendArgs(b, args), '}')
}

// appendArgs appends an object with what the source read at the drop, by name.
func appendArgs(b []byte, args []event.Arg) []byte {
	if len(args) == 0 {
		return b
	}
	b = begin(b, "args", '{')
	for i := range args {
		a := &args[i]
		b = append(appendString(b, a.Name), ':')
		if a.Text != "" {
			b = appendString(b, a.Text)
		} else {
			b = strconv.AppendUint(b, a.Number, 10)
		}
		b = append(b, ',')
	}
	return end(b, '}')
}

// appendPacket appends the kernel's ethertype of the packet and its length in bytes before
// truncation.
func appendPacket(b []byte, p *event.Packet) []byte {
	if p.HasProto {
		b = appendEtherType(b, "protocol", p.Proto)
	}
	if p.HasLen {
		b = appendNumber(b, "length", uint64(p.Len))
	}
	return b
}

func appendPort(b []byte, p *event.Port) []byte {
	b = appendNonzero(b, "ifindex", uint64(p.IfIndex))
	return appendIfAny(b, "ifname", p.IfName)
}

// appendStack appends an array with the frames of the stack trace, if there is one.
func (s *Sink) appendStack(b []byte, stack []event.Frame) []byte {
	if len(stack) == 0 {
		return b
	}
	b = begin(b, "stack", '[')
	for i := range stack {
		b = s.frames.append(b, &stack[i])
	}
	return end(b, ']')
}

// frames caches the text of frames, by their addresses: nearly all stack traces have the same few.
type frames [1024]struct {
	frame event.Frame
	text  []byte
}

// append appends the object of a frame.
func (r *frames) append(b []byte, f *event.Frame) []byte {
	known := &r[f.PC*0x9e3779b97f4a7c15>>54] // Fibonacci hashing
	if known.text == nil || known.frame != *f {
		known.frame = *f
		known.text = end(appendFrame(append(known.text[:0], '{'), f), '}')
	}
	return append(b, known.text...)
}

// appendFrame appends the members of a frame.
func appendFrame(b []byte, f *event.Frame) []byte {
	if f.Lookup == event.Found {
		b = appendText(b, "symbol", f.Symbol)
		b = appendNumber(b, "offset", f.Offset)
		b = appendIfAny(b, "module", f.Module)
	}
	return appendAddress(b, "pc", f.PC)
}

// appendTask appends what the CPU was running, which need not own the packet.
func appendTask(b []byte, t *event.Task) []byte {
	b = begin(b, "task", '{')
	b = appendNumber(b, "cpu", uint64(t.CPU))
	b = appendNumber(b, "pid", uint64(t.PID))
	b = appendNumber(b, "tid", uint64(t.TID))
	b = appendIfAny(b, "comm", t.Comm)
	return end(b, '}')
}

// appendBytes appends the bytes that were reported, and what they begin with.
func appendBytes(b []byte, p *event.Packet) []byte {
	link := "ethernet"
	if p.Link == event.LinkRaw {
		link = "raw"
	}
	return appendHex(appendWord(b, "link", link), "packet", p.Data)
}

// appendLoss appends the line of a loss: where drops were lost and how many, or, if that is not known,
// how often or for how long.
func (s *Sink) appendLoss(b []byte, e *event.Event) []byte {
	b = s.begin(b, e.Kind.String(), e.Time)
	switch e.Place {
	case event.FullSummary, event.LostSummary:
		b = appendNumber(b, "summaries", e.Count)
	case event.Uncovered:
		b = appendNumber(b, "gap_ms", uint64(e.Gap.Milliseconds()))
	case event.Evicted:
		b = appendNumber(b, "flows", e.Count)
	case event.Overflow, event.Unopened:
		b = appendNumber(b, "times", e.Count)
	default:
		b = appendNumber(b, "count", e.Count)
	}
	switch {
	case e.Segment != nil:
		b = appendWord(b, "of", "tcp")
	case e.Point != "":
		b = appendWord(b, "of", "points")
	case e.Incident != nil:
		b = appendWord(b, "of", "findings")
	}
	b = appendNonzero(b, "segments", e.Segments)
	b = appendWord(b, "place", e.Place.Key())
	return finish(appendArgs(b, e.Args))
}

// appendEnd appends the last line: the ledger, in which every number is stated.
func (s *Sink) appendEnd(b []byte, e *event.Event) []byte {
	l := e.Ledger
	b = s.begin(b, e.Kind.String(), e.Time)
	b = appendNumber(b, "shown", l.Shown)
	b = appendNumber(b, "trace_only", l.TraceOnly)
	b = appendNumber(b, "harmless", l.Harmless)
	b = appendNumber(b, "filtered", l.Rejected)
	b = appendNumber(b, "undecided", l.Undecided)
	b = appendNumber(b, "fragments", l.Fragments)
	b = begin(b, "lost", '{')
	for place, key := range event.Places() {
		b = appendNumber(b, key, l.Lost[place])
	}
	b = end(b, '}')
	for place, key := range event.UncountedPlaces() {
		b = appendNumber(b, key, l.Lost[place])
	}
	b = appendNumber(b, "gap_ms", uint64(l.Gap.Milliseconds()))
	b = appendNumber(b, "total", l.Total())
	tcp, points, findings := &l.TCP, &l.Points, &l.Findings
	b = appendCounts(b, "tcp", count{"retransmits", tcp.Retransmits}, count{"resets", tcp.Resets}, count{"others", tcp.Others},
		count{"filtered", tcp.Rejected}, count{"lost", tcp.Lost})
	b = appendCounts(b, "points", count{"shown", points.Shown}, count{"filtered", points.Rejected}, count{"lost", points.Lost})
	b = appendCounts(b, "findings", count{"shown", findings.Shown}, count{"lost", findings.Lost})
	return finish(b)
}

// A count is a number of the ledger.
type count struct {
	key string
	n   uint64
}

// appendCounts appends an object of what the ledger counts of events that are no drops, unless there were none.
func appendCounts(b []byte, key string, counts ...count) []byte {
	if !slices.ContainsFunc(counts, func(c count) bool { return c.n > 0 }) {
		return b
	}
	b = begin(b, key, '{')
	for _, c := range counts {
		b = appendNumber(b, c.key, c.n)
	}
	return end(b, '}')
}
