package pcap

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"dropwatch/internal/packet"
)

// Types of blocks (draft-ietf-opsawg-pcapng, section 4).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockObsolete  = 2 // Packet Block
	blockSimple    = 3
	blockEnhanced  = 6
)

// Options of an Interface Description Block.
const (
	optEnd    = 0
	optResol  = 9  // if_tsresol
	optOffset = 14 // if_tsoffset
)

// maxInterfaces bounds the memory for the interfaces of a section.
const maxInterfaces = 1 << 16

// A capturing is an interface on which packets were captured.
type capturing struct {
	link   packet.CaptureLink // LINKTYPE_*
	snap   uint32             // 0: no limit
	units  uint64             // of a second, in times
	offset int64              // seconds to add to times
}

// nextBlock reads blocks until one has a packet.
func (f *reader) nextBlock(r *record) error {
	for {
		const fixed = 8
		b, err := f.in.peek(fixed, "a block")
		if err != nil {
			return err
		}
		kind := f.order.Uint32(b)
		if kind == blockSection {
			if err := f.beginSection(); err != nil {
				return err
			}
			continue
		}
		size := f.order.Uint32(b[4:])
		if size < fixed+4 || size%4 != 0 {
			return f.in.fail(fmt.Errorf("%w: a block has a length of %d", ErrCorrupt, size))
		}
		read := f.blockReader(kind)
		if read == nil { // statistics, names, secrets, and what is not known
			if err := f.in.skip(int(size)); err != nil {
				return err
			}
			continue
		}
		if size > maxBlock {
			return f.in.fail(fmt.Errorf("%w: a block of type %d has %d bytes, more than %d", ErrCorrupt, kind, size, maxBlock))
		}
		found, err := f.block(int(size), r, read)
		if found || err != nil {
			return err
		}
	}
}

// blockReader returns what reads a type of block, nil for those that are skipped.
func (f *reader) blockReader(kind uint32) func(body []byte, r *record) error {
	switch kind {
	case blockInterface:
		return f.interfaceBlock
	case blockObsolete:
		return f.obsoleteBlock
	case blockSimple:
		return f.simpleBlock
	case blockEnhanced:
		return f.enhancedBlock
	}
	return nil
}

// block reads one block of known size, and reports whether it has a packet.
func (f *reader) block(size int, r *record, read func([]byte, *record) error) (found bool, err error) {
	b, err := f.in.peek(size, "a block")
	if err != nil {
		return false, err
	}
	if end := f.order.Uint32(b[size-4:]); end != uint32(size) {
		return false, f.in.fail(fmt.Errorf("%w: a block of %d bytes ends with a length of %d", ErrCorrupt, size, end))
	}
	r.data = nil
	if err := read(b[8:size-4], r); err != nil {
		return false, f.in.fail(err)
	}
	return r.data != nil, f.in.skip(size)
}

// beginSection reads a Section Header Block: another byte order may begin, and other interfaces.
func (f *reader) beginSection() error {
	const fixed, byteOrder = 16, 0x1a2b3c4d
	b, err := f.in.peek(fixed, "a section header")
	if err != nil {
		return err
	}
	switch {
	case binary.LittleEndian.Uint32(b[8:]) == byteOrder:
		f.order = binary.LittleEndian
	case binary.BigEndian.Uint32(b[8:]) == byteOrder:
		f.order = binary.BigEndian
	default:
		return f.in.fail(fmt.Errorf("%w: a section has no byte order", ErrCorrupt))
	}
	size, major := f.order.Uint32(b[4:]), f.order.Uint16(b[12:])
	switch {
	case major != 1:
		return f.in.fail(fmt.Errorf("version %d of the pcapng format is %w", major, ErrUnsupported))
	case size < 28 || size%4 != 0:
		return f.in.fail(fmt.Errorf("%w: a section header has a length of %d", ErrCorrupt, size))
	}
	f.interfaces = f.interfaces[:0]
	return f.in.skip(int(size))
}

// interfaceBlock enters an interface.
func (f *reader) interfaceBlock(b []byte, _ *record) error {
	const fixed = 8
	if len(b) < fixed {
		return tooShort("an interface")
	}
	if len(f.interfaces) == maxInterfaces {
		return fmt.Errorf("%w: a section has more than %d interfaces", ErrCorrupt, maxInterfaces)
	}
	i := capturing{
		link: packet.CaptureLink(f.order.Uint16(b)), snap: f.order.Uint32(b[4:]), units: uint64(time.Second / time.Microsecond),
	}
	for b = b[fixed:]; len(b) >= 4; {
		code, size := f.order.Uint16(b), int(f.order.Uint16(b[2:]))
		if code == optEnd {
			break
		}
		padded := 4 + (size+3)&^3
		if len(b) < padded {
			return tooShort("an option of an interface")
		}
		if err := i.option(f.order, code, b[4:4+size]); err != nil {
			return err
		}
		b = b[padded:]
	}
	f.interfaces = append(f.interfaces, i)
	return nil
}

// option reads an option of an interface that says how to read times.
func (i *capturing) option(o binary.ByteOrder, code uint16, value []byte) error {
	switch {
	case code == optResol && len(value) == 1:
		units, ok := unitsOf(value[0])
		if !ok {
			return fmt.Errorf("a resolution of times of %#x is %w", value[0], ErrUnsupported)
		}
		i.units = units
	case code == optOffset && len(value) == 8:
		i.offset = int64(o.Uint64(value))
	}
	return nil
}

// unitsOf returns the units of a second that if_tsresol stands for: a power of 10, or of 2 with the highest
// bit.
func unitsOf(resolution byte) (units uint64, ok bool) {
	if exponent := resolution & 0x7f; resolution&0x80 != 0 {
		return 1 << exponent, exponent < 64
	}
	units = 1
	for range resolution {
		high, low := bits.Mul64(units, 10)
		if high != 0 {
			return 0, false
		}
		units = low
	}
	return units, true
}

// enhancedBlock reads a packet: Enhanced Packet Block.
func (f *reader) enhancedBlock(b []byte, r *record) error {
	if len(b) < 4 {
		return tooShort("a packet")
	}
	return f.packet(f.order.Uint32(b), b, r)
}

// obsoleteBlock reads a packet: Packet Block, which has 16 bits for the interface.
func (f *reader) obsoleteBlock(b []byte, r *record) error {
	if len(b) < 4 {
		return tooShort("a packet")
	}
	return f.packet(uint32(f.order.Uint16(b)), b, r)
}

// packet reads what both blocks of packets have in common.
func (f *reader) packet(number uint32, b []byte, r *record) error {
	const fixed = 20
	if len(b) < fixed {
		return tooShort("a packet")
	}
	if number >= uint32(len(f.interfaces)) {
		return fmt.Errorf("%w: a packet is of interface %d of %d", ErrCorrupt, number, len(f.interfaces))
	}
	i := &f.interfaces[number]
	stamp := uint64(f.order.Uint32(b[4:]))<<32 | uint64(f.order.Uint32(b[8:]))
	captured, wire := f.order.Uint32(b[12:]), f.order.Uint32(b[16:])
	if captured > maxPacket || fixed+int(captured) > len(b) {
		return tooShort(fmt.Sprintf("a packet of %d bytes", captured))
	}
	f.last = i.at(stamp)
	end := fixed + int(captured)
	r.time, r.data, r.wire, r.link = f.last, b[fixed:end:end], int(wire), i.link
	return nil
}

// at returns the time that a number stands for.
func (i *capturing) at(stamp uint64) time.Time {
	const latest = 253402300799 // the last second of the year 9999
	seconds, rest := stamp/i.units, stamp%i.units
	high, low := bits.Mul64(rest, uint64(time.Second))
	nanoseconds, _ := bits.Div64(high, low, i.units) // rest is less than units, so there is no overflow
	at := int64(min(seconds, latest))
	if i.offset > -latest && i.offset < latest {
		at = min(max(at+i.offset, 0), latest)
	}
	return time.Unix(at, int64(nanoseconds))
}

// simpleBlock reads a packet without a time: Simple Packet Block. It is of the first interface.
func (f *reader) simpleBlock(b []byte, r *record) error {
	const fixed = 4
	if len(b) < fixed {
		return tooShort("a packet")
	}
	if len(f.interfaces) == 0 {
		return fmt.Errorf("%w: a packet is of interface 0 of none", ErrCorrupt)
	}
	i, wire := &f.interfaces[0], f.order.Uint32(b)
	captured := min(wire, uint32(len(b)-fixed), maxPacket)
	if i.snap > 0 {
		captured = min(captured, i.snap)
	}
	end := fixed + int(captured)
	r.time, r.data, r.wire, r.link = f.last, b[fixed:end:end], int(wire), i.link
	return nil
}

// tooShort wraps ErrCorrupt: a block ends before what it must have.
func tooShort(what string) error {
	return fmt.Errorf("%w: %s does not fit in its block", ErrCorrupt, what)
}
