package pcap

import (
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"dropwatch/internal/packet"
)

// A record is one packet of a capture file.
type record struct {
	time time.Time // 1970 if the file has none
	data []byte    // as it was captured; valid until the next record
	wire int       // bytes before truncation
	link packet.CaptureLink
}

// A reader reads the packets of one capture file.
type reader struct {
	in    *input
	order binary.ByteOrder    // of the file or, of pcapng, of its section
	next  func(*record) error // io.EOF at the end

	// Of pcap.
	link  packet.CaptureLink
	units uint64 // of a second, in the second half of a time

	// Of pcapng: the interfaces of the section.
	interfaces []capturing
	last       time.Time // that a block had
}

// Magic numbers of pcap, in the byte order of the file (draft-ietf-opsawg-pcap).
const (
	magicMicro    = 0xa1b2c3d4
	magicNano     = 0xa1b23c4d
	magicModified = 0xa1b2cd34 // with longer record headers, of old patches to libpcap
)

// newReader reads the beginning of a file. The caller must close the reader.
func newReader(r io.Reader) (*reader, error) {
	in, err := openInput(r)
	if err != nil {
		return nil, err
	}
	f := &reader{in: in}
	if err := f.begin(); err != nil {
		in.close()
		return nil, err
	}
	return f, nil
}

// Begins reports whether r begins as a capture file that is supported, perhaps compressed. It reads more than
// it needs.
func Begins(r io.Reader) bool {
	f, err := newReader(r)
	if err != nil {
		return false
	}
	f.close()
	return true
}

// begin decides by the first bytes which format it is.
func (f *reader) begin() error {
	b, err := f.in.peek(4, "the file header")
	switch {
	case err == io.EOF:
		return f.in.fail(fmt.Errorf("%w: it is empty", ErrNotCapture))
	case err != nil:
		return err
	}
	for _, o := range []binary.ByteOrder{binary.LittleEndian, binary.BigEndian} {
		switch magic := o.Uint32(b); magic {
		case magicMicro, magicNano:
			f.order, f.units = o, uint64(time.Second/time.Microsecond)
			if magic == magicNano {
				f.units = uint64(time.Second)
			}
			return f.beginPcap()
		case magicModified:
			return f.in.fail(fmt.Errorf("the modified pcap format (magic a1b2cd34) is %w: convert it with editcap", ErrUnsupported))
		case blockSection:
			f.order, f.next, f.last = o, f.nextBlock, time.Unix(0, 0)
			return nil
		}
	}
	return f.in.fail(ErrNotCapture)
}

// beginPcap reads the rest of the file header.
func (f *reader) beginPcap() error {
	const size, major, link = 24, 4, 20
	b, err := f.in.peek(size, "the file header")
	if err != nil {
		return err
	}
	if v := f.order.Uint16(b[major:]); v != 2 {
		return f.in.fail(fmt.Errorf("version %d of the pcap format is %w", v, ErrUnsupported))
	}
	f.link = packet.CaptureLink(f.order.Uint32(b[link:]) & 0x03ffffff) // above are the bits of the FCS
	f.next = f.nextPcap
	return f.in.skip(size)
}

// nextPcap reads a record of pcap.
func (f *reader) nextPcap(r *record) error {
	const header = 16
	b, err := f.in.peek(header, "a packet header")
	if err != nil {
		return err
	}
	seconds, fraction := f.order.Uint32(b), uint64(f.order.Uint32(b[4:]))
	captured, wire := f.order.Uint32(b[8:]), f.order.Uint32(b[12:])
	if captured > maxPacket {
		return f.in.fail(fmt.Errorf("%w: a packet has %d bytes, more than %d", ErrCorrupt, captured, maxPacket))
	}
	size := header + int(captured)
	if b, err = f.in.peek(size, "a packet"); err != nil {
		return err
	}
	r.time = time.Unix(int64(seconds), int64(fraction*uint64(time.Second)/f.units))
	r.data, r.wire, r.link = b[header:size:size], int(wire), f.link
	return f.in.skip(size)
}

// close ends the decompression. It does not close the file.
func (f *reader) close() { f.in.close() }
