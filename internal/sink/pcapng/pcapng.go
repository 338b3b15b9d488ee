// Package pcapng writes dropped packets to a file for Wireshark, in the format of
// draft-ietf-opsawg-pcapng. Comments of a packet say where and why it was dropped, and who owned it.
package pcapng

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/records"
)

// Options of a file. The texts may be empty.
type Options struct {
	Name    string // of the file, for errors
	App     string // program that writes it, with its version
	Host    string // name of the host
	Kernel  string // name and release of its kernel
	SnapLen uint32 // bytes to keep of a packet; 0 means all
	Link    Link   // how packets of different link types share the file
}

// A Sink writes a packet for each event of a drop. Drops without bytes (in a summary or a count, or
// of a source without packets) are packets of no bytes, on an interface of their own. The End writes
// statistics, with the number of lost drops. A file that ends early can be read up to there.
type Sink struct {
	buf     records.Buffer
	snapLen uint32
	link    Link
	start   time.Time // of the run

	ids   map[key]uint32 // numbers of the interfaces
	drops []uint64       // by number of the interface
}

// A key identifies an interface of the file. Those beyond maxInterfaces share one interface for each
// link type.
type key struct {
	port     event.Port
	netns    event.Netns
	link     uint16
	overflow bool // it stands for all beyond maxInterfaces
}

// maxInterfaces bounds the memory for interfaces: containers that come and go for months, or a forged
// recording, may have any number.
const maxInterfaces = 1 << 14

// New begins a file on w and writes its header.
func New(w io.Writer, o Options) (*Sink, error) {
	s := &Sink{buf: records.NewCapture(w, o.Name), snapLen: o.SnapLen, link: o.Link, start: time.Now(), ids: make(map[key]uint32)}
	s.section(&o)
	return s, s.Flush()
}

// section appends a Section Header Block, for a section whose length is not known.
func (s *Sink) section(o *Options) {
	start := len(s.buf.Bytes)
	b := beginBlock(s.buf.Bytes, blockSection)
	b = u32(b, 0x1a2b3c4d) // Byte-Order Magic
	b = u16(u16(b, 1), 0)  // version 1.0
	b = u64(b, 1<<64-1)
	b = text(b, optHardware, o.Host)
	b = text(b, optOS, o.Kernel)
	b = text(b, optApplication, o.App)
	s.buf.Bytes = endBlock(b, start)
}

// Write adds a drop, or for the End the statistics.
func (s *Sink) Write(e *event.Event) error {
	switch e.Kind {
	case event.Drop:
		s.packet(s.id(e), e)
		return s.buf.EndRecord()
	case event.End:
		s.statistics(e)
	case event.Retransmit, event.Reset, event.TCPEvent, event.Point, event.Finding:
	case event.Rejected, event.Loss: // they are in the statistics
	}
	return nil
}

// Flush writes all that was added. After an error a file ends with a whole packet, and the Sink must
// not be used any more.
func (s *Sink) Flush() error { return s.buf.Flush() }

// id returns the number of e's interface in the file, and describes it there if it is new.
func (s *Sink) id(e *event.Event) uint32 {
	k := key{port: e.Port, netns: e.Netns, link: s.link.of(&e.Packet)}
	id, ok := s.ids[k]
	if !ok && len(s.ids) >= maxInterfaces {
		k = key{link: k.link, overflow: true}
		id, ok = s.ids[k]
	}
	if !ok {
		k.port.IfName, k.netns.Name = strings.Clone(k.port.IfName), strings.Clone(k.netns.Name)
		id = s.describe(k)
	}
	return id
}

// describe appends an Interface Description Block and returns the number of the interface.
func (s *Sink) describe(k key) uint32 {
	id := uint32(len(s.drops))
	s.ids[k], s.drops = id, append(s.drops, 0)
	start := len(s.buf.Bytes)
	b := beginBlock(s.buf.Bytes, blockInterface)
	b = u16(u16(b, k.link), 0)
	b = u32(b, s.snapLen)
	b = text(b, optName, k.port.IfName)
	b = text(b, optDescription, k.description())
	b = u16(u16(b, optTimeResolution), 1)
	b = pad(append(b, 9), 1) // nanoseconds
	s.buf.Bytes = endBlock(b, start)
	return id
}

// description returns what is known of an interface besides its name.
func (k *key) description() string {
	var words []string
	switch {
	case k.overflow:
		words = append(words, fmt.Sprintf("interfaces beyond the first %d", maxInterfaces))
	case k.port.IfName != "":
	case k.port.IfIndex != 0:
		words = append(words, fmt.Sprintf("ifindex %d", k.port.IfIndex))
	default:
		words = append(words, "no interface known")
	}
	if k.netns.Inode != 0 {
		words = append(words, string(k.netns.AppendTo([]byte("netns "))))
	}
	if k.link == linkNone {
		words = append(words, "drops without bytes")
	}
	return strings.Join(words, ", ")
}

// packet appends an Enhanced Packet Block on the interface id.
func (s *Sink) packet(id uint32, e *event.Event) {
	c := s.link.content(&e.Packet)
	if n := int(s.snapLen); n > 0 && c.made+len(c.data) > n {
		c.made = min(c.made, n)
		c.data = c.data[:n-c.made]
	}
	start := len(s.buf.Bytes)
	b := beginBlock(s.buf.Bytes, blockPacket)
	b = stamp(u32(b, id), e.Time.UnixNano())
	n := c.made + len(c.data)
	b = u32(u32(b, uint32(n)), c.size)
	b = pad(append(append(b, c.header[:c.made]...), c.data...), n)
	b = appendComments(b, e, c.note)
	s.buf.Bytes = endBlock(b, start)
	s.drops[id] += e.Count
}

// appendComments appends a comment on the drop, which ends with note, and one each with its cause and
// with the stack trace, if they are known.
func appendComments(b []byte, e *event.Event, note string) []byte {
	start := len(b)
	b = append(appendDrop(beginOption(b, optComment), e), note...)
	b = endOption(b, start)
	if x, ok := knowledge.BriefOf(e); ok {
		start = len(b)
		b = append(append(beginOption(b, optComment), "cause: "...), x.Cause...)
		b = endOption(b, start)
	}
	if len(e.Stack) == 0 {
		return b
	}
	start = len(b)
	b = append(beginOption(b, optComment), "stack: "...)
	for i := range e.Stack {
		if i > 0 {
			b = append(b, " < "...)
		}
		b = e.Stack[i].AppendTo(b)
	}
	return endOption(b, start)
}

// appendDrop appends a sentence such as "dropped at icmp_rcv+0x1a2: NO_SOCKET (software), to
// nginx/812".
func appendDrop(b []byte, e *event.Event) []byte {
	b = append(appendCount(b, e), "at "...)
	b = e.Where.AppendTo(b)
	if e.Reason != "" {
		b = append(b, ": "...)
		b = append(b, event.Escape(e.Reason)...)
	}
	if e.Origin != event.Unstated {
		b = append(b, " ("...)
		b = append(b, e.Origin.String()...)
		b = append(b, ')')
	}
	if e.TraceOnly {
		b = append(b, ", not in packet mode"...)
	}
	if e.Harmless != "" {
		b = append(append(b, ", nothing lost: "...), event.Escape(e.Harmless)...)
	}
	return appendOwner(b, &e.Owner)
}

// appendOwner appends the owner of the packet, if it is known.
func appendOwner(b []byte, o *event.Owner) []byte {
	without := b
	b = append(b, ", "...)
	start := len(b)
	if b = o.AppendTo(b); len(b) == start {
		return without
	}
	return b
}

// appendCount appends how many drops the event stands for: "3 packets dropped ", "2 further drops,
// counted ", or just "dropped ".
func appendCount(b []byte, e *event.Event) []byte {
	switch further := e.Aggregate; {
	case further && e.Count == 1:
		return append(b, "1 further drop, counted "...)
	case further:
		return append(strconv.AppendUint(b, e.Count, 10), " further drops, counted "...)
	case e.Count > 1:
		b = append(strconv.AppendUint(b, e.Count, 10), " packets "...)
	}
	return append(b, "dropped "...)
}

// statistics appends an Interface Statistics Block for each interface. The first one also has the
// numbers of the whole run, as the interface of a lost drop is not known.
func (s *Sink) statistics(e *event.Event) {
	if len(s.drops) == 0 {
		s.describe(key{link: linkNone})
	}
	for id, drops := range s.drops {
		start := len(s.buf.Bytes)
		b := beginBlock(s.buf.Bytes, blockStatistics)
		b = stamp(u32(b, uint32(id)), e.Time.UnixNano())
		b = instant(b, optStart, s.start.UnixNano())
		b = instant(b, optEndTime, e.Time.UnixNano())
		if id == 0 {
			b = number(b, optReceived, e.Ledger.Total())
			b = number(b, optDropped, e.Ledger.TotalLost())
			b = ledger(b, e.Ledger)
		}
		b = number(b, optDelivered, drops)
		s.buf.Bytes = endBlock(b, start)
	}
}

// ledger appends comments that explain the numbers of the whole run: what was received, and what lost.
func ledger(b []byte, l *event.Ledger) []byte {
	b = text(b, optComment, fmt.Sprintf("drops on all interfaces: %d, of which %d are in this file, %d were harmless, "+
		"%d were filtered out, %d could not be decided, %d are further fragments",
		l.Total(), l.Shown, l.Harmless, l.Rejected, l.Undecided, l.Fragments))
	for line := range strings.Lines(l.Report()) {
		b = text(b, optComment, strings.TrimSuffix(line, "\n"))
	}
	return b
}
