// Package jsonl writes events for programs, as JSON lines: an object for each
// drop and each loss, and the ledger as the last. Schema describes them.
package jsonl

import (
	"io"

	"dropwatch/internal/event"
	"dropwatch/internal/records"
)

// Options say what a Sink writes besides what was found out.
type Options struct {
	Bytes bool // those of each packet, as far as there are any
}

// A Sink writes events to a Writer, when it is flushed or enough is there.
type Sink struct {
	buf    records.Buffer
	o      Options
	clock  clock
	frames frames
}

// New makes a Sink that writes to w.
func New(w io.Writer, o Options) *Sink { return &Sink{buf: records.NewText(w), o: o} }

// Write formats an event as a line. What a filter in the kernel kept from us is
// no loss and makes none: it is in the ledger.
func (s *Sink) Write(e *event.Event) error {
	switch {
	case e.Kind == event.Drop:
		s.buf.Bytes = s.appendDrop(s.buf.Bytes, e)
	case e.Kind == event.End:
		s.buf.Bytes = s.appendEnd(s.buf.Bytes, e)
	case e.Place != event.ByFilter:
		s.buf.Bytes = s.appendLoss(s.buf.Bytes, e)
	default:
		return nil
	}
	return s.buf.EndRecord()
}

// Flush writes what is there.
func (s *Sink) Flush() error { return s.buf.Flush() }

// begin begins a line with what is in each.
func (s *Sink) begin(b []byte, kind string, e *event.Event) []byte {
	b = appendWord(append(b, '{'), "kind", kind)
	return s.clock.appendTime(b, e.Time)
}

// finish ends a line.
func finish(b []byte) []byte {
	b = end(b, '}')
	b[len(b)-1] = '\n'
	return b
}

func (s *Sink) appendDrop(b []byte, e *event.Event) []byte {
	b = s.begin(b, "drop", e)
	b = appendNumber(b, "count", e.Count)
	if !e.Single {
		b = appendBool(b, "counted", true)
	}
	if e.Unseen {
		b = appendBool(b, "unseen", true)
	}
	if e.Origin != event.Unstated {
		b = appendWord(b, "origin", e.Origin.String())
	}
	b = appendWhere(b, &e.Where)
	b = appendIfAny(b, "reason", e.Reason)
	b = appendPacket(b, &e.Packet)
	b = appendPort(b, &e.Port)
	if e.Netns.Inode != 0 {
		b = appendNetns(b, &e.Netns)
	}
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

// appendWhere leaves an offset of 0 out if it is of the kernel's own name: then
// it was cut off.
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
	if p.IfIndex != 0 {
		b = appendNumber(b, "ifindex", uint64(p.IfIndex))
	}
	return appendIfAny(b, "ifname", p.IfName)
}

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

// frames remembers the text of frames: the same few are in nearly every stack.
type frames [1024]struct {
	frame event.Frame
	text  []byte
}

func (r *frames) append(b []byte, f *event.Frame) []byte {
	known := &r[f.PC*0x9e3779b97f4a7c15>>54] // Fibonacci hashing
	if known.text == nil || known.frame != *f {
		known.frame = *f
		known.text = end(appendFrame(append(known.text[:0], '{'), f), '}')
	}
	return append(b, known.text...)
}

func appendFrame(b []byte, f *event.Frame) []byte {
	if f.Lookup == event.Found {
		b = appendText(b, "symbol", f.Symbol)
		b = appendNumber(b, "offset", f.Offset)
		b = appendIfAny(b, "module", f.Module)
	}
	return appendAddress(b, "pc", f.PC)
}

func appendTask(b []byte, t *event.Task) []byte {
	b = begin(b, "task", '{')
	b = appendNumber(b, "cpu", uint64(t.CPU))
	b = appendNumber(b, "pid", uint64(t.PID))
	b = appendNumber(b, "tid", uint64(t.TID))
	b = appendIfAny(b, "comm", t.Comm)
	return end(b, '}')
}

func appendBytes(b []byte, p *event.Packet) []byte {
	link := "ethernet"
	if p.Link == event.LinkRaw {
		link = "raw"
	}
	return appendHex(appendWord(b, "link", link), "packet", p.Data)
}

// Names of the numbers of summaries, which are in no place of their own.
const (
	fullSummaries = "summaries_full"
	lostSummaries = "summaries_lost"
)

// appendLoss gives the number of drops, or of summaries that stand for a number
// of drops that nobody knows.
func (s *Sink) appendLoss(b []byte, e *event.Event) []byte {
	b = s.begin(b, "loss", e)
	switch e.Place {
	case event.FullSummary:
		b = appendWord(appendNumber(b, "summaries", e.Count), "place", fullSummaries)
	case event.LostSummary:
		b = appendWord(appendNumber(b, "summaries", e.Count), "place", lostSummaries)
	default:
		b = appendWord(appendNumber(b, "count", e.Count), "place", lossPlace(e.Place))
	}
	return finish(b)
}

func lossPlace(p event.Place) string {
	for place, key := range event.Places() {
		if place == p {
			return key
		}
	}
	return "unknown"
}

func (s *Sink) appendEnd(b []byte, e *event.Event) []byte {
	l := e.Ledger
	b = s.begin(b, "end", e)
	b = appendNumber(b, "shown", l.Shown)
	b = appendNumber(b, "unseen", l.Unseen)
	b = appendNumber(b, "filtered", l.Rejected)
	b = appendNumber(b, "parts", l.Parts)
	b = begin(b, "lost", '{')
	for place, key := range event.Places() {
		b = appendNumber(b, key, l.Lost[place])
	}
	b = end(b, '}')
	b = appendNumber(b, fullSummaries, l.Full)
	b = appendNumber(b, lostSummaries, l.Missed)
	b = appendNumber(b, "total", l.Total())
	return finish(b)
}
