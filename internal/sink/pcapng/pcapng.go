// Package pcapng writes dropped packets for Wireshark, with what is known of
// each drop as comments, in the format of draft-ietf-opsawg-pcapng.
package pcapng

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/records"
)

// Link types of https://www.tcpdump.org/linktypes.html.
const (
	linkEthernet = 1   // LINKTYPE_ETHERNET
	linkRaw      = 101 // LINKTYPE_RAW
	linkNone     = 147 // LINKTYPE_USER0, which says nothing: there are no bytes
)

// Options say what the file tells about itself. What is empty is left out.
type Options struct {
	Name    string // of the file, for errors
	App     string // program and version
	Host    string // name of the machine
	Kernel  string // its name and release
	SnapLen uint32 // bytes to keep of a packet; 0: as many as there are
}

// A Sink writes a record for each drop. One without bytes, of a summary, a count or
// a source that has none, is a packet of no bytes on an interface of its own.
// How much was lost is in the statistics that End brings. A reader of a file
// that ends early gets all but the last packet.
type Sink struct {
	buf     records.Buffer
	snapLen uint32
	start   time.Time

	ids   map[key]uint32
	drops []uint64 // by interface
}

// A key is what an interface of the file stands for.
type key struct {
	port  event.Port
	netns event.Netns
	link  uint16
}

// New begins a file on w.
func New(w io.Writer, o Options) (*Sink, error) {
	s := &Sink{buf: records.NewCapture(w, o.Name), snapLen: o.SnapLen, start: time.Now(), ids: make(map[key]uint32)}
	s.section(&o)
	return s, s.Flush()
}

// section appends a Section Header Block. Its length is not known yet.
func (s *Sink) section(o *Options) {
	start := len(s.buf.Bytes)
	b := beginBlock(s.buf.Bytes, blockSection)
	b = u32(b, 0x1a2b3c4d) // tells the byte order
	b = u16(u16(b, 1), 0)  // version 1.0
	b = u64(b, 1<<64-1)
	b = text(b, optHardware, o.Host)
	b = text(b, optOS, o.Kernel)
	b = text(b, optApplication, o.App)
	s.buf.Bytes = endBlock(b, start)
}

// Write adds a drop, or at the end the statistics.
func (s *Sink) Write(e *event.Event) error {
	switch e.Kind {
	case event.Drop:
		s.packet(s.id(e), e)
		return s.buf.EndRecord()
	case event.End:
		s.statistics(e)
	}
	return nil
}

// Packets is the number of drops that were written whole.
func (s *Sink) Packets() uint64 { return s.buf.Whole() }

// Flush writes what is there. After a failure the destination ends with a
// whole packet, if it is a file, and nothing more may be written.
func (s *Sink) Flush() error { return s.buf.Flush() }

// id gives the interface of e in the file, and describes it there if it is new.
func (s *Sink) id(e *event.Event) uint32 {
	k := key{e.Port, e.Netns, link(&e.Packet)}
	id, ok := s.ids[k]
	if !ok {
		k.port.IfName, k.netns.Name = strings.Clone(k.port.IfName), strings.Clone(k.netns.Name)
		id = s.describe(k)
	}
	return id
}

func link(p *event.Packet) uint16 {
	switch {
	case len(p.Data) == 0:
		return linkNone
	case p.Link == event.LinkRaw:
		return linkRaw
	}
	return linkEthernet
}

// describe appends an Interface Description Block.
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

// description says what the name of an interface does not.
func (k *key) description() string {
	var words []string
	switch {
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

// packet appends an Enhanced Packet Block.
func (s *Sink) packet(id uint32, e *event.Event) {
	data := e.Packet.Data
	size := max(uint32(len(data)), e.Packet.Len)
	if s.snapLen > 0 && len(data) > int(s.snapLen) {
		data = data[:s.snapLen]
	}
	start := len(s.buf.Bytes)
	b := beginBlock(s.buf.Bytes, blockPacket)
	b = stamp(u32(b, id), e.Time.UnixNano())
	b = u32(u32(b, uint32(len(data))), size)
	b = pad(append(b, data...), len(data))
	b = appendComments(b, e)
	s.buf.Bytes = endBlock(b, start)
	s.drops[id] += e.Count
}

// appendComments appends one on the drop itself, and one on the calls that led
// to it, if they are known.
func appendComments(b []byte, e *event.Event) []byte {
	start := len(b)
	b = appendDrop(beginOption(b, optComment), e)
	b = endOption(b, start)
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

// appendDrop says what became of the packet: "dropped at icmp_rcv+0x1a2:
// NO_SOCKET (software), to nginx/812".
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
	if e.Unseen {
		b = append(b, ", not shown by packet mode"...)
	}
	return appendOwner(b, &e.Owner)
}

// appendOwner says whose the packet was, if that is known.
func appendOwner(b []byte, o *event.Owner) []byte {
	without := b
	b = append(b, ", "...)
	start := len(b)
	if b = o.AppendTo(b); len(b) == start {
		return without
	}
	return b
}

// appendCount says of how many drops the record is.
func appendCount(b []byte, e *event.Event) []byte {
	switch further := e.Further(); {
	case further && e.Count == 1:
		return append(b, "1 further drop, counted "...)
	case further:
		return append(strconv.AppendUint(b, e.Count, 10), " further drops, counted "...)
	case e.Count > 1:
		b = append(strconv.AppendUint(b, e.Count, 10), " packets "...)
	}
	return append(b, "dropped "...)
}

// statistics appends an Interface Statistics Block for each interface. The
// first has those of the run, as a loss is of no interface that is known.
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

// ledger says, a comment for each thing, what received and dropped are of.
func ledger(b []byte, l *event.Ledger) []byte {
	b = text(b, optComment, fmt.Sprintf("drops on all interfaces: %d, of which %d are in this file, %d were filtered out, %d are further fragments",
		l.Total(), l.Shown, l.Rejected, l.Parts))
	for line := range strings.Lines(l.Report()) {
		b = text(b, optComment, strings.TrimSuffix(line, "\n"))
	}
	return b
}
