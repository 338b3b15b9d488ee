// Package packet decodes the headers of a packet, from as many of its bytes as the kernel
// provided, into a flow. It runs for every drop, so it does not allocate; its input may be
// anything, so every length is checked.
//
// A field is set if all of its bytes are there, which event.Headers.Has reports. A truncated
// packet therefore has the same fields as the whole one, only fewer. Bytes beyond the length
// in the IP header are padding and not decoded.
//
// The packet in one tunnel is decoded too, and the packet that an ICMP error quotes.
package packet

import (
	"encoding/binary"
	"math"
	"net/netip"

	"dropwatch/internal/event"
)

// Decode replaces the contents of f by what data says, and returns what data begins with.
// Link is what the source believes that to be. Proto is the ethertype that the kernel has
// for the packet, 0 if it is not known: it identifies the first header of LinkRaw.
//
// The kernel reports a packet from where its MAC header would be, also if there is none, as
// on a tun device. If data then is the IP packet of proto itself, LinkRaw is returned
// instead of LinkEthernet.
func Decode(data []byte, link event.LinkType, proto uint16, f *event.Flow) event.LinkType {
	*f = event.Flow{}
	d := decoder{f: f, h: &f.Headers, size: cap(data), missing: unknown}
	switch {
	case len(data) == 0:
		d.short(data)
	case link == event.LinkEthernet && !resembles(data, proto):
		d.ethernet(data)
	case link == event.LinkEthernet && len(data) < 15:
		d.short(data) // too short to decide which it is
	case link == event.LinkEthernet && framed(data, proto):
		d.ethernet(data)
	case proto < typeMin:
		d.ip(data)
		return event.LinkRaw
	default:
		d.network(proto, data)
		return event.LinkRaw
	}
	return link
}

// resembles reports whether data may be the IP packet that proto announces. It may also be
// an Ethernet address that begins with 4 or 6.
func resembles(data []byte, proto uint16) bool {
	version := data[0] >> 4
	return proto == event.EtherIPv4 && version == 4 || proto == event.EtherIPv6 && version == 6
}

// framed reports whether that IP packet is behind an Ethernet header, or there is a VLAN
// tag.
func framed(data []byte, proto uint16) bool {
	t := binary.BigEndian.Uint16(data[12:])
	return isTag(t) || t == proto && resembles(data[14:], proto)
}

// unknown stands for a number of bytes that is not known: more than any packet has, and
// without overflow when a length is added.
const unknown = math.MaxInt32 / 2

// A decoder decodes a packet, from one header to the one that it announces. Each method
// gets the rest of the packet and ends with exactly one stop.
type decoder struct {
	f    *event.Flow
	h    *event.Headers // the part of f that is being filled
	at   event.Layer    // the last layer that was recognised
	size int            // capacity of the whole packet, to find offsets

	// missing is how many bytes of the packet, by the lengths in IP headers, are not in
	// data: if any are, a header that is too short was truncated and is not malformed. It
	// is unknown without such a length, and where the rest is in further fragments.
	missing int
}

// stop records why nothing of b is decoded.
func (d *decoder) stop(why event.Why, b []byte) {
	d.f.Stop = event.Stop{Why: why, Layer: d.at, Offset: d.size - cap(b)}
}

// short records that b is too short for a header: truncated, or malformed if the packet has
// no more bytes.
func (d *decoder) short(b []byte) {
	why := event.Malformed
	if d.missing > 0 {
		why = event.Truncated
	}
	d.stop(why, b)
}

// The readers return the field at an offset of b and record that the packet has it. If b is
// too short they return 0 and record nothing.

// u8, u16, u32 and mac read a value at an offset of a header, in network byte order, and note that the packet has the
// field. Of a header that is too short they return 0 and note nothing: the caller stops then.
func (d *decoder) u8(b []byte, at int, f event.Fields) uint8 {
	if len(b) <= at {
		return 0
	}
	d.h.Fields |= f
	return b[at]
}

func (d *decoder) u16(b []byte, at int, f event.Fields) uint16 {
	if len(b) < at+2 {
		return 0
	}
	d.h.Fields |= f
	return binary.BigEndian.Uint16(b[at:])
}

func (d *decoder) u32(b []byte, at int, f event.Fields) uint32 {
	if len(b) < at+4 {
		return 0
	}
	d.h.Fields |= f
	return binary.BigEndian.Uint32(b[at:])
}

func (d *decoder) mac(b []byte, at int, f event.Fields) (m event.MAC) {
	if len(b) < at+6 {
		return m
	}
	d.h.Fields |= f
	return event.MAC(b[at:])
}

// addr4 is the reader of an IPv4 address.
func (d *decoder) addr4(b []byte, at int, f event.Fields) (a netip.Addr) {
	if len(b) < at+4 {
		return a
	}
	d.h.Fields |= f
	return netip.AddrFrom4([4]byte(b[at:]))
}

// addr6 is the reader of an IPv6 address.
func (d *decoder) addr6(b []byte, at int, f event.Fields) (a netip.Addr) {
	if len(b) < at+16 {
		return a
	}
	d.h.Fields |= f
	return netip.AddrFrom16([16]byte(b[at:]))
}
