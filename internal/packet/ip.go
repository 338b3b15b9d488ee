package packet

import "dropwatch/internal/event"

// Protocol numbers, as in linux/in.h and linux/in6.h.
const (
	protoHopByHop    = 0 // IPPROTO_HOPOPTS
	protoICMP        = 1
	protoIPv4        = 4 // IPPROTO_IPIP
	protoTCP         = 6
	protoUDP         = 17
	protoIPv6        = 41 // IPPROTO_IPV6
	protoRouting     = 43
	protoFragment    = 44
	protoGRE         = 47
	protoESP         = 50
	protoAH          = 51
	protoICMPv6      = 58
	protoNone        = 59
	protoDestination = 60 // IPPROTO_DSTOPTS
	protoSCTP        = 132
	protoMobility    = 135
	protoHIP         = 139
	protoShim6       = 140
)

// maxExtensions bounds the time for a packet of extension headers only. No real packet has
// nearly as many.
const maxExtensions = 16

// ipv4 decodes struct iphdr of linux/ip.h, RFC 791. Of options it takes only whether one is a source route.
func (d *decoder) ipv4(b []byte) {
	h := d.h
	d.at, h.Network = event.IPv4, event.IPv4
	if len(b) == 0 {
		d.short(b)
		return
	}
	if b[0]>>4 != 4 {
		d.stop(event.Malformed, b)
		return
	}
	d.tos(d.u8(b, 1, event.FieldTOS))
	h.TotalLen = uint32(d.u16(b, 2, event.FieldTotalLen))
	h.FragmentID = uint32(d.u16(b, 4, event.FieldFragmentID))
	frag := d.u16(b, 6, event.FieldFragment)
	h.DontFragment, h.MoreFragments, h.FragmentOffset = frag&0x4000 != 0, frag&0x2000 != 0, frag<<3
	h.TTL = d.u8(b, 8, event.FieldTTL)
	if len(b) > 9 && b[9] != protoAH {
		h.Protocol = d.u8(b, 9, event.FieldProtocol)
	}
	h.Src = d.addr4(b, 12, event.FieldSrc)
	h.Dst = d.addr4(b, 16, event.FieldDst)
	size := int(b[0]&0xf) * 4
	if size < 20 || h.TotalLen > 0 && int(h.TotalLen) < size {
		d.stop(event.Malformed, b)
		return
	}
	b = d.trim(b)
	if size > 20 {
		d.ipOptions(b[min(20, len(b)):min(size, len(b))])
	}
	if len(b) < size {
		d.short(b)
		return
	}
	d.extensions(b[9], b[size:])
}

// ipOptions decodes those of an IPv4 header, as far as they are there, up to one that is malformed.
func (d *decoder) ipOptions(b []byte) {
	const end, noOperation, looseRoute, strictRoute = 0, 1, 131, 137 // RFC 791, 3.1
	d.h.Fields |= event.FieldIPOptions
	for len(b) > 0 && b[0] != end {
		size := 1
		if b[0] != noOperation {
			if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
				return
			}
			size = int(b[1])
		}
		d.h.SourceRoute = d.h.SourceRoute || b[0] == looseRoute || b[0] == strictRoute
		b = b[size:]
	}
}

// ipv6 decodes struct ipv6hdr of linux/ipv6.h, RFC 8200.
func (d *decoder) ipv6(b []byte) {
	h := d.h
	d.at, h.Network = event.IPv6, event.IPv6
	if len(b) == 0 {
		d.short(b)
		return
	}
	if b[0]>>4 != 6 {
		d.stop(event.Malformed, b)
		return
	}
	d.tos(uint8(d.u16(b, 0, event.FieldTOS) >> 4))
	h.FlowLabel = d.u32(b, 0, event.FieldFlowLabel) & 0xfffff
	if n := d.u16(b, 4, event.FieldTotalLen); n > 0 {
		h.TotalLen = 40 + uint32(n)
	}
	h.TTL = d.u8(b, 7, event.FieldTTL)
	h.Src = d.addr6(b, 8, event.FieldSrc)
	h.Dst = d.addr6(b, 24, event.FieldDst)
	if len(b) < 40 {
		d.short(b)
		return
	}
	d.extensions(b[6], d.trim(b)[40:])
}

// tos splits the byte that DSCP (RFC 2474) and ECN (RFC 3168) share.
func (d *decoder) tos(b uint8) { d.h.DSCP, d.h.ECN = b>>2, b&3 }

// trim removes what follows the IP packet, such as padding, and sets missing to how many of
// its bytes are not there. A length of 0 says nothing: the packet is longer than 64 KiB
// (BIG TCP, RFC 2675), or the kernel had not set the length yet.
func (d *decoder) trim(b []byte) []byte {
	total := int(d.h.TotalLen)
	if total == 0 {
		return b
	}
	here := min(total, len(b))
	d.missing = min(d.missing, total-here)
	return b[:here]
}

// extensions skips the extension headers of RFC 8200, of which IPv4 has only AH (RFC 4302),
// and decodes what follows them. Protocol is the next header of the last one. A second
// fragment header is malformed.
func (d *decoder) extensions(next uint8, b []byte) {
	for d.h.FragmentOffset == 0 && d.isExtension(next) {
		if d.h.Extensions == maxExtensions || next == protoFragment && d.h.Has(event.FieldFragment) {
			d.stop(event.Malformed, b)
			return
		}
		size := d.extension(next, b)
		if len(b) < size {
			d.short(b)
			return
		}
		d.h.Extensions++
		next, b = b[0], b[size:]
	}
	d.h.Protocol = next
	d.h.Fields |= event.FieldProtocol
	d.upper(next, b)
}

// isExtension reports whether next is a header with a next header of its own.
func (d *decoder) isExtension(next uint8) bool {
	switch next {
	case protoAH:
		return true
	case protoHopByHop, protoRouting, protoFragment, protoDestination, protoMobility, protoHIP, protoShim6:
		return d.h.Network == event.IPv6
	}
	return false
}

// extension decodes the fields of interest of an extension header, and returns its size in
// bytes, at least 8.
func (d *decoder) extension(kind uint8, b []byte) int {
	switch {
	case kind == protoFragment:
		d.fragment(b)
		return 8
	case kind == protoAH: // struct ip_auth_hdr of linux/ip.h
		d.spi(b, 4)
		if len(b) > 1 {
			return 8 + 4*int(b[1])
		}
	case len(b) > 1: // struct ipv6_opt_hdr of linux/ipv6.h
		return 8 + 8*int(b[1])
	}
	return 8
}

// fragment decodes struct frag_hdr of net/ipv6.h.
func (d *decoder) fragment(b []byte) {
	frag := d.u16(b, 2, event.FieldFragment)
	d.h.FragmentOffset, d.h.MoreFragments = frag&^7, frag&1 != 0
	d.h.FragmentID = d.u32(b, 4, event.FieldFragmentID)
}

// upper decodes what the protocol number announces. Only the first fragment of a packet
// begins with it.
func (d *decoder) upper(proto uint8, b []byte) {
	d.h.Transport = transports[proto]
	if d.h.FragmentOffset > 0 {
		d.stop(event.Complete, b)
		return
	}
	if d.h.MoreFragments {
		d.missing = unknown
	}
	switch proto {
	case protoTCP:
		d.tcp(b)
	case protoUDP:
		d.udp(b)
	case protoSCTP:
		d.sctp(b)
	case protoICMP:
		d.icmp(b)
	case protoICMPv6:
		d.icmpv6(b)
	case protoESP:
		d.esp(b)
	case protoGRE:
		d.gre(b)
	case protoIPv4, protoIPv6:
		d.ipip(proto, b)
	case protoNone:
		d.stop(event.Complete, b)
	default:
		d.stop(event.UnknownProtocol, b)
	}
}

// transports are the protocols that are decoded, by their numbers.
var transports = [256]event.Layer{
	protoTCP:    event.TCP,
	protoUDP:    event.UDP,
	protoSCTP:   event.SCTP,
	protoICMP:   event.ICMP,
	protoICMPv6: event.ICMPv6,
	protoESP:    event.ESP,
	protoGRE:    event.GRE,
	protoIPv4:   event.IPinIP,
	protoIPv6:   event.IPinIP,
}
