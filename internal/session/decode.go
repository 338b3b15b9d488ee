package session

import (
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"time"

	"dropwatch/internal/event"
)

// A decoder takes records from the front of b. What it gives after a failure is
// of no meaning.
type decoder struct {
	b    []byte
	err  error // the first failure
	last int64 // time of an event, ns

	strings []string
	frames  []event.Frame
	stacks  [][]uint32    // of indexes in frames
	calls   []event.Frame // the stack that was read last
	size    int
}

var (
	errNewer     = errors.New("its events have what is not known here")
	errShort     = errors.New("a record that is not whole")
	errRange     = errors.New("a number beyond its range")
	errReference = errors.New("a reference to what is not there")
	errTables    = errors.New("tables that are too large")
	errKind      = errors.New("a record of unknown kind")
	errSum       = errors.New("counts too large to be summed")
	errLedger    = errors.New("a ledger that is not that of the events")
	errEnded     = errors.New("a record after the end")
)

func (d *decoder) fail(err error) {
	if d.err == nil {
		d.err, d.b = err, nil
	}
}

// socket reads a socket, which is the caller's.
func (d *decoder) socket() *event.Socket {
	return &event.Socket{
		Cookie: d.number(math.MaxUint64), Inode: d.number(math.MaxUint64),
		Family: uint16(d.number(math.MaxUint16)), Protocol: uint16(d.number(math.MaxUint16)),
		State: event.SocketState(d.number(math.MaxUint8)), Receiver: d.number(1) == 1,
		Local: d.addrPort(), Remote: d.addrPort(),
	}
}

// socketConfidence reads what belongs to the socket of the event, if it has one.
func (d *decoder) socketConfidence(s *event.Socket) {
	if s == nil {
		d.fail(errReference)
		return
	}
	s.Confidence = d.confidence()
}

func (d *decoder) confidence() event.Confidence {
	return event.Confidence(d.number(uint64(event.Certain)))
}

func (d *decoder) addrPort() netip.AddrPort {
	b := d.bytes()
	addr, ok := netip.AddrFromSlice(b)
	if !ok && len(b) > 0 {
		d.fail(errRange)
	}
	return netip.AddrPortFrom(addr, uint16(d.number(math.MaxUint16)))
}

// restart empties the tables.
func (d *decoder) restart() {
	clear(d.strings)
	clear(d.frames)
	clear(d.stacks)
	d.strings, d.frames, d.stacks, d.size = d.strings[:0], d.frames[:0], d.stacks[:0], 0
}

// kind reads what begins a record.
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

// event reads a drop or a loss, which holds until the next call.
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
}

// end reads the end of the run.
func (d *decoder) end() (t time.Time, l event.Ledger) {
	t = d.time()
	for _, n := range []*uint64{&l.Shown, &l.Unseen, &l.Parts} {
		*n = d.number(math.MaxUint64)
	}
	for i := range d.number(uint64(len(places))) {
		l.Add(&event.Event{Kind: event.Loss, Place: places[i], Count: d.number(math.MaxUint64)})
	}
	return t, l
}

func (d *decoder) take(n uint64) []byte {
	if n > uint64(len(d.b)) {
		d.fail(errShort)
		return nil
	}
	b := d.b[:n:n]
	d.b = d.b[n:]
	return b
}

// number reads one that is at most highest.
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

func (d *decoder) time() time.Time {
	delta, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail(errShort)
		return time.Time{}
	}
	d.b = d.b[n:]
	d.last += delta
	return time.Unix(0, d.last)
}

func (d *decoder) place() event.Place { return places[d.number(uint64(len(places)-1))] }

// reference reads the number of an entry in a table of a length, or, for a new
// one that follows, the length.
func (d *decoder) reference(length int) (n int, known bool) {
	v := d.number(math.MaxUint64)
	if v > uint64(length) {
		d.fail(errReference)
	}
	return int(v), d.err == nil && v < uint64(length)
}

func (d *decoder) text() string {
	n, known := d.reference(len(d.strings))
	if known {
		return d.strings[n]
	}
	s := string(d.bytes())
	d.strings = append(d.strings, s)
	d.size += stringCost + len(s)
	return s
}

func (d *decoder) frame() event.Frame {
	n := d.frameIndex()
	if d.err != nil {
		return event.Frame{}
	}
	return d.frames[n]
}

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

// stack gives a chain that holds until the next call.
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
	}
	return d.calls
}

func (d *decoder) newStack() {
	calls := make([]uint32, d.number(min(maxStack, uint64(len(d.b)))))
	for i := range calls {
		calls[i] = uint32(d.frameIndex())
	}
	d.stacks = append(d.stacks, calls)
	d.size += stackCost + callCost*len(calls)
}
