package netlink

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"
)

// A Decoder decodes alerts. It keeps the names that it has met (symbols,
// reasons, traps), so that a known name costs no allocation. The zero value is
// ready; it is not safe for concurrent use.
type Decoder struct {
	names map[string]string
}

// Limits of what a Decoder keeps. A kernel has a few hundred names of up to 64 bytes; a
// forged file of alerts may have any number of any length.
const (
	maxNames   = 4096
	maxNameLen = 128
)

const (
	nlmsgHdrLen = 16 // struct nlmsghdr
	genlHdrLen  = 4  // struct genlmsghdr
	attrHdrLen  = 4  // struct nlattr

	headersLen = nlmsgHdrLen + genlHdrLen // before the attributes of a message
)

// ErrNotAlert is the error for a message that is well-formed, but no alert.
var ErrNotAlert = errors.New("not an alert")

// Decode decodes msg, a whole netlink message with its header, into a, and reuses the
// memory that a has. The error wraps [ErrNotAlert] if msg is another message; the contents
// of a are then undefined, as after every error.
func (d *Decoder) Decode(msg []byte, a *Alert) error {
	cmd, attrs, err := splitHeaders(msg)
	if err != nil {
		return fmt.Errorf("decode alert: %w", err)
	}
	if cmd != cmdAlert && cmd != cmdPacketAlert {
		return fmt.Errorf("decode alert: command %d: %w", cmd, ErrNotAlert)
	}
	*a = Alert{Packet: cmd == cmdPacketAlert, Points: a.Points[:0], Traps: a.Traps[:0]}
	err = eachAttr(attrs, func(attr Attr, data []byte) error { return d.attribute(a, attr, data) })
	if err != nil {
		return fmt.Errorf("decode alert: %w", err)
	}
	return nil
}

// splitHeaders gives the command and the attributes of msg, which must be as
// long as its header says: a shorter one was cut by the reader's buffer.
func splitHeaders(msg []byte) (cmd uint8, attrs []byte, err error) {
	if len(msg) < headersLen {
		return 0, nil, fmt.Errorf("%d bytes are too few for its headers", len(msg))
	}
	n := binary.NativeEndian.Uint32(msg)
	if n < headersLen || uint64(n) > uint64(len(msg)) {
		return 0, nil, fmt.Errorf("message of %d bytes where %d are left", n, len(msg))
	}
	return msg[nlmsgHdrLen], msg[headersLen:n], nil
}

// attribute stores one attribute in a. Unknown ones, of a newer kernel, are ignored.
func (d *Decoder) attribute(a *Alert, attr Attr, data []byte) (err error) {
	switch attr {
	case AttrSummary:
		a.Points, err = decodePoints(a.Points, data)
	case AttrHWEntries:
		a.Traps, err = d.decodeTraps(a.Traps, data)
	case AttrPort:
		a.Port, err = d.decodePort(data)
	case AttrPC:
		a.PC, err = integer[uint64](attr, data)
	case AttrTimestamp:
		a.Timestamp, err = integer[uint64](attr, data)
	case AttrOrigLen:
		a.OrigLen, err = integer[uint32](attr, data)
	case AttrProto:
		a.Proto, err = integer[uint16](attr, data)
	case AttrOrigin:
		a.Origin, err = integer[Origin](attr, data)
	case AttrSymbol:
		a.Symbol = d.name(data)
	case AttrReason:
		a.Reason = d.name(data)
	case AttrTrapName:
		a.TrapName = d.name(data)
	case AttrTrapGroup:
		a.TrapGroup = d.name(data)
	case AttrPayload:
		a.Payload = data
	case AttrCookie:
		a.Cookie = data
	default:
		return nil
	}
	a.attrs |= 1 << attr
	return err
}

// decodePoints appends the points of struct net_dm_alert_msg. The kernel's
// count is limited by the bytes that are there.
func decodePoints(points []Point, b []byte) ([]Point, error) {
	if len(b) < alertMsgSize {
		return points, fmt.Errorf("summary of %d bytes", len(b))
	}
	n := uint64(binary.NativeEndian.Uint32(b))
	b = b[alertMsgSize:]
	for n = min(n, uint64(len(b)/dropPointSize)); n > 0; n-- {
		points = append(points, Point{PC: pointer(b), Count: binary.NativeEndian.Uint32(b[8:])})
		b = b[dropPointSize:]
	}
	return points, nil
}

// pointer reads the pc of a struct net_dm_drop_point: eight bytes, of which a 32-bit kernel
// sets the first four and leaves the others 0.
func pointer(b []byte) uint64 {
	pc := binary.NativeEndian.Uint64(b)
	if uint32(pc) == 0 {
		pc >>= 32 // of a big-endian 32-bit kernel
	}
	return pc
}

// decodeTraps appends the hardware entries of a summary.
func (d *Decoder) decodeTraps(traps []Trap, b []byte) ([]Trap, error) {
	err := eachAttr(b, func(attr Attr, data []byte) error {
		if attr != attrHWEntry {
			return nil
		}
		t, err := d.decodeTrap(data)
		traps = append(traps, t)
		return err
	})
	return traps, err
}

// decodeTrap decodes one entry, NET_DM_ATTR_HW_ENTRY.
func (d *Decoder) decodeTrap(b []byte) (t Trap, err error) {
	err = eachAttr(b, func(attr Attr, data []byte) (err error) {
		switch attr {
		case AttrTrapName:
			t.Name = d.name(data)
		case attrHWTrapCount:
			t.Count, err = integer[uint32](attr, data)
		}
		return err
	})
	return t, err
}

// decodePort decodes NET_DM_ATTR_IN_PORT.
func (d *Decoder) decodePort(b []byte) (p Port, err error) {
	err = eachAttr(b, func(attr Attr, data []byte) (err error) {
		switch attr {
		case attrPortIfIndex:
			p.IfIndex, err = integer[uint32](attr, data)
		case attrPortName:
			p.Name = d.name(data)
		}
		return err
	})
	return p, err
}

// name gives the string of b, up to its terminating zero.
func (d *Decoder) name(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	if s, ok := d.names[string(b)]; ok {
		return s
	}
	if d.names == nil {
		d.names = make(map[string]string)
	}
	s := string(b)
	if len(d.names) < maxNames && len(s) <= maxNameLen {
		d.names[s] = s
	}
	return s
}

// eachAttr calls fn for each attribute, struct nlattr, of b, until it fails.
// It ignores the flags in a type (NLA_F_NESTED) and, as the kernel's own parser does, bytes
// at the end that are too few for a header.
func eachAttr(b []byte, fn func(Attr, []byte) error) error {
	for len(b) >= attrHdrLen {
		n := int(binary.NativeEndian.Uint16(b))
		attr := Attr(binary.NativeEndian.Uint16(b[2:]) & 0x3fff) // NLA_TYPE_MASK
		if n < attrHdrLen || n > len(b) {
			return fmt.Errorf("attribute %d of %d bytes where %d are left", attr, n, len(b))
		}
		if err := fn(attr, b[attrHdrLen:n]); err != nil {
			return err
		}
		b = b[min(align(n), len(b)):]
	}
	return nil
}

// integer reads an attribute of exactly the size of T.
func integer[T ~uint16 | ~uint32 | ~uint64](attr Attr, b []byte) (T, error) {
	var v T
	if size := int(unsafe.Sizeof(v)); len(b) != size {
		return 0, fmt.Errorf("attribute %d has %d bytes, not %d", attr, len(b), size)
	}
	switch len(b) {
	case 2:
		v = T(binary.NativeEndian.Uint16(b))
	case 4:
		v = T(binary.NativeEndian.Uint32(b))
	case 8:
		v = T(binary.NativeEndian.Uint64(b))
	}
	return v, nil
}
