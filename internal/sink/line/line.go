// Package line writes a line for each drop, for a person: when, where, why, by
// which interface, which packet, whose.
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
	"time"
	"unicode/utf8"

	"dropwatch/internal/event"
	"dropwatch/internal/records"
)

// Options say what a line shows, and what follows it.
type Options struct {
	Color bool // with the colours of an ANSI terminal
	Stack bool // the calls that led to the drop
	Hex   bool // the bytes of the packet
	Task  bool // the task of every drop, not only of those without bytes and owner
}

// A Sink writes events to a Writer, when it is flushed or enough is there.
type Sink struct {
	buf  records.Buffer
	opts Options

	bold, red, plain string // what switches them on and off
}

// New makes a Sink that writes to w.
func New(w io.Writer, o Options) *Sink {
	s := &Sink{buf: records.NewText(w), opts: o}
	if o.Color {
		s.bold, s.red, s.plain = "\x1b[1m", "\x1b[31m", "\x1b[0m"
	}
	return s
}

// Write formats a drop, or a loss where it happened. The end is not shown:
// it is a table's.
func (s *Sink) Write(e *event.Event) error {
	switch {
	case e.Kind == event.Drop:
		s.drop(e)
	case e.Kind == event.Loss && e.Place != event.ByFilter:
		s.loss(e)
	default:
		return nil
	}
	return s.buf.EndRecord()
}

// Flush writes what is there.
func (s *Sink) Flush() error { return s.buf.Flush() }

// The least widths of columns, in characters: most of what Linux has fits.
const (
	placeWidth  = 28
	reasonWidth = 14
	portWidth   = 5
)

func (s *Sink) drop(e *event.Event) {
	b := appendTime(s.buf.Bytes, e.Time)
	b = append(b, s.bold...)
	start := len(b)
	b = e.Where.AppendTo(b)
	width := utf8.RuneCount(b[start:])
	b = append(b, s.plain...)
	b = pad(b, width, placeWidth)
	b = appendColumn(b, e.Reason, reasonWidth)
	b = appendPort(b, &e.Port)
	b = appendPacket(b, &e.Packet)
	b = s.appendRest(b, e)
	b = append(bytes.TrimRight(b, " "), '\n')
	if s.opts.Stack {
		b = appendStack(b, e)
	}
	if s.opts.Hex {
		b = appendDump(b, e.Packet.Data)
	}
	s.buf.Bytes = b
}

// appendTime appends the local time. Like all that appends to a line it ends
// with a space.
func appendTime(b []byte, t time.Time) []byte {
	return t.Local().AppendFormat(b, "15:04:05.000000 ")
}

// appendColumn appends text, or a dash for none, to fill a column.
func appendColumn(b []byte, text string, width int) []byte {
	if text == "" {
		text = "-"
	}
	text = event.Escape(text)
	return pad(append(b, text...), utf8.RuneCountInString(text), width)
}

// pad fills a column of which n characters are there, and separates the next.
func pad(b []byte, n, width int) []byte {
	for ; n < width; n++ {
		b = append(b, ' ')
	}
	return append(b, ' ')
}

// appendPort appends the interface by its name, or by its index as #7.
func appendPort(b []byte, p *event.Port) []byte {
	if p.IfName != "" || p.IfIndex == 0 {
		return appendColumn(b, p.IfName, portWidth)
	}
	start := len(b)
	b = strconv.AppendUint(append(b, '#'), uint64(p.IfIndex), 10)
	return pad(b, len(b)-start, portWidth)
}

func appendPacket(b []byte, p *event.Packet) []byte {
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
	return b
}

// appendStop says why there is less of a flow than one would expect.
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

// appendRest appends what few drops have, and last whose it was.
func (s *Sink) appendRest(b []byte, e *event.Event) []byte {
	b = appendCount(b, e)
	if e.Origin == event.Hardware {
		b = append(b, "[hw] "...)
	}
	if len(e.Cookie) > 0 {
		b = append(b, "cookie "...)
		b = append(hex.AppendEncode(b, e.Cookie), ' ')
	}
	b = appendNetns(b, &e.Netns)
	b = s.appendOwner(b, e)
	if e.Unseen {
		b = append(b, "[not in packet mode] "...)
	}
	return b
}

// appendCount appends how many drops there were: "x17", or of those beside others
// that had lines of their own "x9900 more".
func appendCount(b []byte, e *event.Event) []byte {
	further := e.Further()
	if e.Count == 1 && !further {
		return b
	}
	b = strconv.AppendUint(append(b, 'x'), e.Count, 10)
	if further {
		b = append(b, " more"...)
	}
	return append(b, ' ')
}

// appendNetns appends the network namespace, unless it is the one that every host
// has.
func appendNetns(b []byte, n *event.Netns) []byte {
	if n.Inode == 0 || n.Name == event.InitNetns {
		return b
	}
	return append(n.AppendTo(append(b, "netns "...)), ' ')
}

// appendOwner appends whose the packet was, or, where that is not known, the task
// of a drop without bytes.
func (s *Sink) appendOwner(b []byte, e *event.Event) []byte {
	start := len(b)
	b = e.Owner.AppendTo(b)
	known := len(b) > start
	b = space(b, start)
	if e.Task.Known && (s.opts.Task || !known && !e.Packet.HasData) {
		b = appendTask(b, &e.Task)
	}
	return b
}

// appendTask appends what the CPU was running: "cpu 1 ping/1234", with ? for a
// name that is not known. PID 0 is what runs when there is nothing to do, by its
// name, or what our PID namespace does not have.
func appendTask(b []byte, t *event.Task) []byte {
	b = strconv.AppendUint(append(b, "cpu "...), uint64(t.CPU), 10)
	comm := event.Escape(t.Comm)
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

// appendStack appends the callers of the place, a line each.
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

func (s *Sink) loss(e *event.Event) {
	b := appendTime(s.buf.Bytes, e.Time)
	b = append(b, s.red...)
	b = appendLoss(b, e)
	b = append(b, s.plain...)
	s.buf.Bytes = append(b, '\n')
}

// appendLoss appends how many drops were lost where, or, where that is not
// known, the ledger's words for it.
func appendLoss(b []byte, e *event.Event) []byte {
	if e.Place == event.FullSummary || e.Place == event.LostSummary {
		var l event.Ledger
		l.Add(e)
		return append(b, strings.TrimSuffix(l.Report(), "\n")...)
	}
	drops := " drops "
	if e.Count == 1 {
		drops = " drop "
	}
	b = strconv.AppendUint(append(b, "lost "...), e.Count, 10)
	b = append(b, drops...)
	return append(b, e.Place.String()...)
}
