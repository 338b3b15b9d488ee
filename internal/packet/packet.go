// Package packet decodes the headers of a packet into a flow, from as many of
// its bytes as the kernel gave us. It runs for every drop: it does not allocate,
// it looks at no byte twice without need, and it takes nothing on trust.
//
// A field is set if all of its bytes are there, and event.Headers.Has says so.
// Hence a packet that is cut short gives the same fields as the whole one, only
// fewer of them. What follows the length in the IP header is padding, not packet.
//
// One tunnel is opened, and one packet that an ICMP error quotes.
package packet

import (
	"encoding/binary"
	"math"
	"net/netip"

	"dropwatch/internal/event"
)

// Decode fills f with what data says, and forgets what f held. Proto is the
// ethertype that the kernel knows the packet by, 0 if it is not known: it names
// the first header of LinkRaw, and tells when there is no Ethernet header, as on
// a tun device, though the kernel gave the packet from where one would be. Then
// LinkRaw is returned instead of link: it is what data begins with.
func Decode(data []byte, link event.LinkType, proto uint16, f *event.Flow) event.LinkType {
	*f = event.Flow{}
	d := decoder{f: f, h: &f.Headers, size: cap(data), missing: unknown}
	switch {
	case len(data) == 0:
		d.short(data)
	case link == event.LinkEthernet && !resembles(data, proto):
		d.ethernet(data)
	case link == event.LinkEthernet && len(data) < 15:
		d.short(data) // either, and a guess would be garbage
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

// resembles says that data could be the IP packet that proto promises; it could
// also be an Ethernet address that begins with 4 or 6.
func resembles(data []byte, proto uint16) bool {
	version := data[0] >> 4
	return proto == typeIPv4 && version == 4 || proto == typeIPv6 && version == 6
}

// framed says that the IP packet is where it would be behind an Ethernet header,
// or that there is a VLAN tag.
func framed(data []byte, proto uint16) bool {
	t := binary.BigEndian.Uint16(data[12:])
	return isTag(t) || t == proto && resembles(data[14:], proto)
}

// unknown is more than any packet has, and leaves room to add.
const unknown = math.MaxInt32 / 2

// A decoder goes through a packet, from one header to what that announces.
// Every method is handed what is left of the packet, and ends with a stop.
type decoder struct {
	f    *event.Flow
	h    *event.Headers // the part of f that is being filled
	at   event.Layer    // the last layer that was recognised
	size int            // capacity of the whole packet, to find offsets

	// missing are the bytes that IP headers promise and we were not given: a
	// short packet was cut if there are any. Without a promise, and when they are
	// in further fragments, their number is unknown.
	missing int
}

// stop records why nothing of b is decoded.
func (d *decoder) stop(why event.Why, b []byte) {
	d.f.Stop = event.Stop{Why: why, Layer: d.at, Offset: d.size - cap(b)}
}

// short records that b is too short for a header: it was cut, or the packet was
// too short for what it claims to be.
func (d *decoder) short(b []byte) {
	why := event.Malformed
	if d.missing > 0 {
		why = event.Truncated
	}
	d.stop(why, b)
}

// The readers give the field at an offset of b and note that it is there, or 0.

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

func (d *decoder) addr4(b []byte, at int, f event.Fields) (a netip.Addr) {
	if len(b) < at+4 {
		return a
	}
	d.h.Fields |= f
	return netip.AddrFrom4([4]byte(b[at:]))
}

func (d *decoder) addr6(b []byte, at int, f event.Fields) (a netip.Addr) {
	if len(b) < at+16 {
		return a
	}
	d.h.Fields |= f
	return netip.AddrFrom16([16]byte(b[at:]))
}
