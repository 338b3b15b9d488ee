package session

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"time"

	"dropwatch/internal/event"
)

// A decoder decodes records from the front of b. After a failure, which err keeps, its results
// must not be used.
type decoder struct {
	b       []byte // what is not decoded yet of the frame
	err     error  // the first failure
	version byte   // of the format
	last    int64  // time of the last event that had one, in nanoseconds since 1970

	strings []string      // in the order in which they were read: others name them by their index
	frames  []event.Frame // likewise
	stacks  [][]uint32    // of indexes in frames
	calls   []event.Frame // the last stack trace that was read
	size    int           // of the tables, as the format counts it

	expanded uint64 // bytes of all texts, places and chains, each time that they were used
}

// Limits of what a file may expand to when its texts, places and chains are written out. A
// recording of a flood with stack traces expands to some 260 times its size.
const (
	maxRatio = 512
	freeSize = 64 << 20 // bytes that a file of any size may expand to
)

// overflows reports whether the file expands to more than any recording does. Read is how many
// bytes of it were decoded.
func (d *decoder) overflows(read int64) bool { return d.expanded > freeSize+maxRatio*uint64(read) }

// Failures of a decoder. All but errNewer mean that the file was damaged or forged.
var (
	errNewer     = errors.New("its events have unknown fields")
	errShort     = errors.New("an incomplete record")
	errRange     = errors.New("a number out of range")
	errReference = errors.New("a reference to an entry that does not exist")
	errTables    = errors.New("tables that are too large")
	errKind      = errors.New("a record of unknown kind")
	errSum       = errors.New("counts too large to add up")
	errLedger    = errors.New("a ledger that does not match the events")
	errEnded     = errors.New("a record after the end")
	errExpands   = fmt.Errorf("it expands to more than %d times its size", maxRatio)
)

// fail keeps the first failure, unless that is nil, and ends the decoding.
func (d *decoder) fail(err error) {
	if d.err == nil && err != nil {
		d.err, d.b = err, nil
	}
}

// socket reads a socket that the caller owns.
func (d *decoder) socket() *event.Socket {
	return &event.Socket{
		Cookie: d.number(math.MaxUint64), Inode: d.number(math.MaxUint64),
		Family: uint16(d.number(math.MaxUint16)), Protocol: uint16(d.number(math.MaxUint16)),
		State: event.SocketState(d.number(math.MaxUint8)), Receiver: d.number(1) == 1,
		Local: d.addrPort(), Remote: d.addrPort(),
	}
}

// socketConfidence reads the confidence of a socket. It fails if the event has no socket.
func (d *decoder) socketConfidence(s *event.Socket) {
	if s == nil {
		d.fail(errReference)
		return
	}
	s.Confidence = d.confidence()
}

// confidence reads one; a number above that of Certain is a failure.
func (d *decoder) confidence() event.Confidence {
	return event.Confidence(d.number(uint64(event.Certain)))
}

// addrPort reads an address and a port.
func (d *decoder) addrPort() netip.AddrPort {
	return netip.AddrPortFrom(d.addr(), uint16(d.number(math.MaxUint16)))
}

// addr reads an address, of no bytes if there is none.
func (d *decoder) addr() netip.Addr {
	b := d.bytes()
	addr, ok := netip.AddrFromSlice(b)
	if !ok && len(b) > 0 {
		d.fail(errRange)
	}
	return addr
}

// restart empties the tables and keeps their memory.
func (d *decoder) restart() {
	clear(d.strings)
	clear(d.frames)
	clear(d.stacks)
	d.strings, d.frames, d.stacks, d.size = d.strings[:0], d.frames[:0], d.stacks[:0], 0
}

// kind reads the kind of a record. It fails if the tables should have been emptied before it.
func (d *decoder) kind() byte {
	kind := d.take(1)
	if d.err != nil {
		return 0
	}
	if kind[0] != recordRestart && d.size > maxTables {
		d.fail(errTables)
	}
	return kind[0]
}

// event reads an event. Its packet data and stack trace are valid until the next call.
func (d *decoder) event(e *event.Event) {
	*e = event.Event{Count: 1}
	set := d.number(math.MaxUint64)
	if set>>len(fields) != 0 {
		d.fail(errNewer)
		return
	}
	for i := range fields {
		if set&(1<<i) != 0 {
			fields[i].get(d, e)
		}
	}
	if e.Kind == event.Finding && e.Incident == nil {
		d.fail(errReference)
	}
	if d.version == 1 {
		e.Aggregate = isAggregate1(e)
	}
}

// isAggregate1 returns Event.Aggregate, which version 1 does not record. A count that is not of
// that sort is from a summary of the drop monitor, and has nothing but a location.
func isAggregate1(e *event.Event) bool {
	return e.Kind == event.Drop && !e.Individual &&
		(e.Reason != "" || e.Packet.HasProto || e.Port.IfIndex != 0 || e.Netns.Inode != 0)
}

// loss reads the place of a loss. In version 1 it may be the number of drops that a filter
// rejected.
func (d *decoder) loss(e *event.Event) {
	e.Kind = event.Loss
	if d.version > 1 {
		e.Place = places[d.number(uint64(len(places)-1))]
		return
	}
	if n := d.number(places1); n < places1 {
		e.Place = places[n]
	} else {
		e.Kind = event.Rejected
	}
}

// end reads the end of a run: its time and its ledger.
func (d *decoder) end() (t time.Time, l event.Ledger) {
	t = d.time()
	if d.version == 1 {
		return t, d.ledger1()
	}
	for _, n := range []*uint64{&l.Shown, &l.TraceOnly, &l.Harmless, &l.Fragments, &l.Rejected, &l.Undecided} {
		*n = d.number(math.MaxUint64)
	}
	l.Gap = d.duration()
	for i := range d.number(uint64(len(places))) {
		l.Lost[places[i]] = d.number(math.MaxUint64)
	}
	if len(d.b) > 0 {
		for _, n := range []*uint64{&l.TCP.Retransmits, &l.TCP.Resets, &l.TCP.Others, &l.TCP.Rejected, &l.TCP.Lost} {
			*n = d.number(math.MaxUint64)
		}
	}
	if len(d.b) > 0 {
		for _, n := range []*uint64{&l.Points.Shown, &l.Points.Rejected, &l.Points.Lost} {
			*n = d.number(math.MaxUint64)
		}
	}
	if len(d.b) > 0 {
		l.Findings.Shown, l.Findings.Lost = d.number(math.MaxUint64), d.number(math.MaxUint64)
	}
	return t, l
}

// ledger1 reads the ledger of version 1.
func (d *decoder) ledger1() (l event.Ledger) {
	for _, n := range []*uint64{&l.Shown, &l.TraceOnly, &l.Fragments} {
		*n = d.number(math.MaxUint64)
	}
	for i := range d.number(places1 + 1) {
		n := d.number(math.MaxUint64)
		if i < places1 {
			l.Lost[places[i]] = n
		} else {
			l.Rejected = n
		}
	}
	return l
}

// take removes n bytes from the front. They are those of the frame, not a copy.
func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail(errShort)
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

// number reads a number. It fails if that is more than highest.
func (d *decoder) number(highest uint64) uint64 {
	v, n := binary.Uvarint(d.b)
	switch {
	case n == 0:
		d.fail(errShort)
	case n < 0, v > highest:
		d.fail(errRange)
	default:
		d.b = d.b[n:]
		return v
	}
	return 0
}

func (d *decoder) bytes() []byte { return d.take(d.number(math.MaxUint64)) }

// signed reads a zigzag number.
func (d *decoder) signed() int64 {
	n, length := binary.Varint(d.b)
	if length <= 0 {
		d.fail(errShort)
		return 0
	}
	d.b = d.b[length:]
	return n
}

// time reads a time, relative to the one before.
func (d *decoder) time() time.Time {
	d.last += d.signed()
	if d.err != nil {
		return time.Time{}
	}
	return time.Unix(0, d.last)
}

func (d *decoder) duration() time.Duration { return time.Duration(d.number(math.MaxInt64)) }

// segment reads what is known of a TCP segment, which the caller owns.
func (d *decoder) segment() *event.Segment {
	return &event.Segment{
		Type: event.SegmentType(d.number(math.MaxUint8)), Direction: event.Direction(d.number(math.MaxUint8)),
		Len: uint32(d.number(math.MaxUint32)), Frame: d.number(math.MaxUint64),
		State: event.SocketState(d.number(math.MaxUint8)), CongestionState: event.CongestionState(d.number(math.MaxUint8)),
		RTT: uint32(d.number(math.MaxUint32)), Sent: uint32(d.number(math.MaxUint32)),
		Retries: uint8(d.number(math.MaxUint8)), Fate: event.Fate(d.number(math.MaxUint8)), Doubt: d.text(),
	}
}

// segmentFile reads the name of the capture file of a segment. It fails if the event has none.
func (d *decoder) segmentFile(s *event.Segment) {
	if s == nil {
		d.fail(errReference)
		return
	}
	s.File = d.text()
}

// segmentDrop reads what is known of the drop behind a segment. It fails if the event has none.
func (d *decoder) segmentDrop(s *event.Segment) {
	if s == nil {
		d.fail(errReference)
		return
	}
	s.Drop = event.SegmentDrop{
		Reason: d.text(),
		Port:   event.Port{IfIndex: uint32(d.number(math.MaxUint32)), IfName: d.text()},
		Netns:  event.Netns{Inode: uint32(d.number(math.MaxUint32)), Name: d.text()},
		Rule:   d.text(), RuleConfidence: d.text(),
	}
}

// connection reads the headers of a packet of a protocol of which there are no bytes.
func (d *decoder) connection(protocol uint8) *event.Flow {
	f := event.HeadersFlow(event.Headers{
		Fields: event.Fields(d.number(uint64(connectionFields))), Src: d.addr(), Dst: d.addr(),
		SrcPort: uint16(d.number(math.MaxUint16)), DstPort: uint16(d.number(math.MaxUint16)),
		Seq: uint32(d.number(math.MaxUint32)), Ack: uint32(d.number(math.MaxUint32)),
		TCPFlags: event.TCPFlags(d.number(math.MaxUint16)),
	}, protocol)
	return &f
}

// args reads values that the caller owns.
func (d *decoder) args() []event.Arg {
	args := make([]event.Arg, d.length())
	for i := range args {
		args[i] = event.Arg{Name: d.text(), Text: d.text(), Number: d.number(math.MaxUint64)}
	}
	return args
}

// tag reads a VLAN tag: its ethertype and its tag control information.
func (d *decoder) tag() event.VLAN {
	tpid, tci := uint16(d.number(math.MaxUint16)), uint16(d.number(math.MaxUint16))
	return event.VLAN{TPID: tpid, ID: tci & 0xfff, Priority: uint8(tci >> 13), DEI: tci&(1<<12) != 0}
}

// reference reads the index of an entry in a table of this length. If known is false, the entry is
// new and follows.
func (d *decoder) reference(length int) (n int, known bool) {
	v := d.number(math.MaxUint64)
	if v > uint64(length) {
		d.fail(errReference)
	}
	return int(v), d.err == nil && v < uint64(length)
}

// text reads a string of the table, or a new one.
func (d *decoder) text() string {
	n, known := d.reference(len(d.strings))
	if known {
		d.expanded += uint64(len(d.strings[n]))
		return d.strings[n]
	}
	s := string(d.bytes())
	d.strings = append(d.strings, s)
	d.size += stringCost + len(s)
	return s
}

// frame reads a place in the code.
func (d *decoder) frame() event.Frame {
	n := d.frameIndex()
	if d.err != nil {
		return event.Frame{}
	}
	d.expanded += expandedSize(&d.frames[n])
	return d.frames[n]
}

// expandedSize returns how many bytes a frame counts in expanded.
func expandedSize(f *event.Frame) uint64 { return frameCost + uint64(len(f.Symbol)+len(f.Module)) }

// frameIndex reads a place of the table, or a new one, and returns its index.
func (d *decoder) frameIndex() int {
	n, known := d.reference(len(d.frames))
	if known || d.err != nil {
		return n
	}
	var f event.Frame
	if pc := d.take(8); d.err == nil {
		f.PC = binary.LittleEndian.Uint64(pc)
	}
	f.Lookup = event.Lookup(d.number(uint64(event.Found)))
	f.Symbol, f.Offset, f.Module = d.text(), d.number(math.MaxUint64), d.text()
	d.frames = append(d.frames, f)
	d.size += frameCost
	return n
}

// stack reads a call chain. The result is valid until the next call.
func (d *decoder) stack() []event.Frame {
	n, known := d.reference(len(d.stacks))
	if !known {
		d.newStack()
	}
	if d.err != nil {
		return nil
	}
	d.calls = d.calls[:0]
	for _, call := range d.stacks[n] {
		d.calls = append(d.calls, d.frames[call])
		d.expanded += expandedSize(&d.frames[call])
	}
	return d.calls
}

// newStack reads a chain that is not in the table.
func (d *decoder) newStack() {
	calls := make([]uint32, d.number(min(maxStack, uint64(len(d.b)))))
	for i := range calls {
		calls[i] = uint32(d.frameIndex())
	}
	d.stacks = append(d.stacks, calls)
	d.size += stackCost + callCost*len(calls)
}
