// Package line writes a line for each drop, for a person: when, where, why, on which
// interface, which packet, which owner.
//
//	03:42:35.698459 udp_queue_rcv_one_skb+0x1a2  NO_SOCKET      lo    127.0.0.1:40449 > 127.0.0.1:9 udp len 50
//	03:42:35.712203 tcp_v4_rcv+0x9a2             TCP_OVERWINDOW eth0  192.0.2.7:50000 > 192.0.2.1:80 tcp [.] len 54 to nginx/812
package line

import (
	"bytes"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"dropwatch/internal/event"
	"dropwatch/internal/records"
)

// Options select what lines show, and what follows them.
type Options struct {
	Color bool // use the colours of an ANSI terminal
	Stack bool // show the kernel stack trace below the line
	Hex   bool // show the bytes of the packet below the line
	Task  bool // show the running task of every drop, not only of those without bytes and owner

	Explain bool // show cause and fix below the line, once for each kind of drop

	Harmless bool // also show drops that lost nothing

	Bare bool // for a log: without the time, which it has, and without spaces that align columns

	// Width is the number of columns of the terminal; 0: there is none. A line that
	// would be longer has milliseconds and no spaces that align columns. It is not
	// cut: what is still too long is for the terminal to wrap.
	Width int
}

// A Sink formats events. It writes to its Writer when it is flushed, or when enough
// has come together. It is for one goroutine, and keeps no event.
type Sink struct {
	buf   records.Buffer // lines that are not written yet
	opts  Options
	clock clock

	explained map[kind]bool // with Explain: those whose cause was shown

	bold, red, plain string // ANSI sequences; empty without colours
}

// New returns a Sink that writes to w.
func New(w io.Writer, o Options) *Sink {
	s := &Sink{buf: records.NewText(w), opts: o, explained: make(map[kind]bool)}
	if o.Color {
		s.bold, s.red, s.plain = "\x1b[1m", "\x1b[31m", "\x1b[0m"
	}
	return s
}

// Write formats a drop, or a loss of drops where it happened. It leaves out drops
// that lost nothing, unless Options say otherwise, and the end, which is for a
// table.
func (s *Sink) Write(e *event.Event) error {
	switch e.Kind {
	case event.Drop:
		if e.Harmless != "" && !s.opts.Harmless {
			return nil
		}
		s.write(e, s.appendDrop)
		s.appendBelow(e)
	case event.Loss:
		if e.Count == 0 { // another source took over in time, and nothing was lost
			return nil
		}
		s.loss(e)
	case event.Retransmit, event.Reset, event.TCPEvent:
		s.write(e, s.appendSegment)
	case event.Point:
		s.write(e, s.appendPoint)
		s.appendBelow(e)
	case event.Finding:
		s.finding(e)
	case event.Rejected, event.End:
		return nil
	}
	return s.buf.EndRecord()
}

// Flush writes what was formatted.
func (s *Sink) Flush() error { return s.buf.Flush() }

// A layout is the least width of columns in characters, and how exact times are.
type layout struct {
	location, reason, port int // a longer name moves the columns behind it
	digits                 int // of a time behind the second; 0: there is none
}

// Wide columns fit most of the functions, reasons and interfaces that Linux has. Longer
// ones move the rest of the line to the right.
var (
	wide  = layout{location: 28, reason: 14, port: 5, digits: 6}
	tight = layout{digits: 3}
	bare  layout
)

// layout returns that of a line which is not too long.
func (s *Sink) layout() *layout {
	if s.opts.Bare {
		return &bare
	}
	return &wide
}

// write appends the line that format makes of an event. A line too long for the
// terminal is formatted again.
func (s *Sink) write(e *event.Event, format func([]byte, *event.Event, *layout) []byte) {
	start := len(s.buf.Bytes)
	b := format(s.buf.Bytes, e, s.layout())
	if s.opts.Width > 0 && utf8.RuneCount(b[start:])-len(s.bold)-len(s.plain) > s.opts.Width {
		b = format(b[:start], e, &tight)
	}
	s.buf.Bytes = append(b, '\n')
}

// appendBelow appends what follows the line of a drop.
func (s *Sink) appendBelow(e *event.Event) {
	b := s.buf.Bytes
	if s.opts.Explain {
		b = s.appendExplanation(b, e)
	}
	if s.opts.Stack {
		b = appendStack(b, e)
	}
	if s.opts.Hex {
		b = appendDump(b, e.Packet.Data)
	}
	s.buf.Bytes = b
}

// appendDrop appends the line of a drop without its newline. It and all functions
// that append a part of a line end the part with a space; the last one is removed.
func (s *Sink) appendDrop(b []byte, e *event.Event, l *layout) []byte {
	b = s.clock.appendTime(b, e.Time, l.digits)
	b = append(b, s.bold...)
	start := len(b)
	b = e.Where.AppendTo(b)
	width := utf8.RuneCount(b[start:])
	b = append(b, s.plain...)
	b = pad(b, width, l.location)
	b = appendColumn(b, e.Reason, l.reason)
	b = appendPort(b, &e.Port, l.port)
	b = appendPacket(b, e)
	b = s.appendRest(b, e)
	return bytes.TrimRight(b, " ")
}

// appendPoint appends the line of a point without its newline: its name in the column of the location, and the
// function in that of the reason.
//
//	03:42:35.698459 point accept_queue           tcp_conn_request lo 192.0.2.1:443 > 198.51.100.7:50123 tcp len 60 limit 3
func (s *Sink) appendPoint(b []byte, e *event.Event, l *layout) []byte {
	b = s.clock.appendTime(b, e.Time, l.digits)
	b = append(b, s.bold...)
	start := len(b)
	b = append(append(b, "point "...), event.Escape(e.Point)...)
	width := utf8.RuneCount(b[start:])
	b = append(b, s.plain...)
	b = pad(b, width, l.location)
	start = len(b)
	b = e.Where.AppendTo(b)
	b = pad(b, utf8.RuneCount(b[start:]), l.reason)
	b = appendPort(b, &e.Port, l.port)
	b = appendPacket(b, e)
	b = s.appendRest(b, e)
	return bytes.TrimRight(b, " ")
}

// appendColumn appends escaped text, or a dash if it is empty, in a column.
func appendColumn(b []byte, text string, width int) []byte {
	if text == "" {
		text = "-"
	}
	text = event.Escape(text)
	return pad(append(b, text...), utf8.RuneCountInString(text), width)
}

// pad fills a column that has n characters, and appends the space that separates it
// from the next.
func pad(b []byte, n, width int) []byte {
	for ; n < width; n++ {
		b = append(b, ' ')
	}
	return append(b, ' ')
}

// appendPort appends the interface by name. One without a name is "if7".
func appendPort(b []byte, p *event.Port, width int) []byte {
	if p.IfName != "" || p.IfIndex == 0 {
		return appendColumn(b, p.IfName, width)
	}
	start := len(b)
	b = strconv.AppendUint(append(b, "if"...), uint64(p.IfIndex), 10)
	return pad(b, len(b)-start, width)
}

// appendPacket appends the flow, the length in bytes and the evidence.
func appendPacket(b []byte, e *event.Event) []byte {
	p := &e.Packet
	start := len(b)
	if p.Flow != nil {
		b = appendFlow(b, p.Flow)
	}
	if p.HasProto && (p.Flow == nil || !p.Flow.Has(event.FieldEtherType)) {
		b = appendEtherType(space(b, start), p.Proto)
	}
	b = space(b, start)
	if p.Flow != nil {
		b = appendStop(b, p.Flow.Stop.Why)
	}
	if p.HasLen {
		b = append(b, "len "...)
		b = append(strconv.AppendUint(b, uint64(p.Len), 10), ' ')
	}
	return appendEvidence(b, e)
}

// appendStop appends why the headers are not complete.
func appendStop(b []byte, why event.Why) []byte {
	switch why {
	case event.Truncated:
		return append(b, "[truncated] "...)
	case event.Malformed:
		return append(b, "[malformed] "...)
	}
	return b
}

// space appends a space if anything was appended since start.
func space(b []byte, start int) []byte {
	if len(b) == start {
		return b
	}
	return append(b, ' ')
}

// appendRest appends what few drops have, and the owner.
func (s *Sink) appendRest(b []byte, e *event.Event) []byte {
	b = appendCount(b, e)
	if e.Segments > e.Count {
		b = append(appendNumber(b, "segments ", e.Segments), ' ')
	}
	if e.Origin == event.Hardware {
		b = append(b, "[hw] "...)
	}
	if len(e.Cookie) > 0 {
		b = append(b, "cookie "...)
		b = append(hex.AppendEncode(b, e.Cookie), ' ')
	}
	b = appendNetns(b, &e.Netns)
	b = s.appendOwner(b, e)
	if e.TraceOnly {
		b = append(b, "[not in packet mode] "...)
	}
	if e.Harmless != "" {
		b = append(append(append(b, "[harmless: "...), event.Escape(e.Harmless)...), "] "...)
	}
	return b
}

// appendCount appends the number of drops if the line stands for several: "x17", or
// "... x9900 more" if others of the same kind had lines of their own.
func appendCount(b []byte, e *event.Event) []byte {
	further := e.Aggregate
	if e.Count == 1 && !further {
		return b
	}
	if further {
		b = append(b, "... "...)
	}
	b = strconv.AppendUint(append(b, 'x'), e.Count, 10)
	if further {
		b = append(b, " more"...)
	}
	return append(b, ' ')
}

// appendNetns appends the network namespace, unless it is the host's or not known.
func appendNetns(b []byte, n *event.Netns) []byte {
	if n.Inode == 0 || n.Name == event.InitNetns {
		return b
	}
	return append(n.AppendTo(append(b, "netns "...)), ' ')
}

// appendOwner appends the owner of the packet. Where it is not known and there are
// no bytes either, it appends the task that was running: all there is, though it
// need not have anything to do with the packet.
func (s *Sink) appendOwner(b []byte, e *event.Event) []byte {
	start := len(b)
	b = e.Owner.AppendTo(b)
	known := len(b) > start
	b = space(b, start)
	if e.Task.Known && (s.opts.Task || !known && !e.Packet.HasData && !e.Kind.IsTCP()) {
		b = appendTask(b, &e.Task)
	}
	return b
}

// appendTask appends what the CPU was running: "cpu 1 ping/1234", with ? for an
// unknown name. PID 0 is the idle task, by its name "swapper", or else a task
// outside the PID namespace of dropwatch.
func appendTask(b []byte, t *event.Task) []byte {
	b = strconv.AppendUint(append(b, "cpu "...), uint64(t.CPU), 10)
	comm := event.Quote(t.Comm)
	switch {
	case t.PID == 0 && strings.HasPrefix(comm, "swapper"):
		comm = "idle"
	case t.PID != 0 && comm == "":
		comm = "?"
	}
	if comm != "" {
		b = append(append(b, ' '), comm...)
	}
	if t.PID != 0 {
		b = strconv.AppendUint(append(b, '/'), uint64(t.PID), 10)
	}
	return append(b, ' ')
}

// appendStack appends the stack trace, one function per line, without the location,
// which is in the line above.
func appendStack(b []byte, e *event.Event) []byte {
	stack := e.Stack
	if len(stack) > 0 && stack[0].PC == e.Where.PC {
		stack = stack[1:]
	}
	for i := range stack {
		b = append(b, "    "...)
		b = append(stack[i].AppendTo(b), '\n')
	}
	return b
}

// loss appends the line of a loss.
func (s *Sink) loss(e *event.Event) {
	b := s.clock.appendTime(s.buf.Bytes, e.Time, s.layout().digits)
	b = append(b, s.red...)
	b = appendLoss(b, e)
	b = append(b, s.plain...)
	s.buf.Bytes = append(b, '\n')
}

// appendLoss appends how many drops were lost and where. For a loss of unknown size
// it has the words of the ledger.
func appendLoss(b []byte, e *event.Event) []byte {
	if !e.Place.Counted() {
		var l event.Ledger
		l.Add(e)
		return append(b, strings.TrimSuffix(l.Report(), "\n")...)
	}
	what := "drop"
	switch {
	case e.Segment != nil:
		what = "TCP segment"
	case e.Point != "":
		what = "point event"
	case e.Incident != nil:
		what = "finding"
	}
	b = append(append(append(b, "lost "...), event.Plural(e.Count, what)...), ' ')
	return append(b, e.Place.String()...)
}
