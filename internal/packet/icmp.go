package packet

import "dropwatch/internal/event"

// Types of ICMP, as in linux/icmp.h.
const (
	icmpEchoReply      = 0
	icmpUnreachable    = 3
	icmpSourceQuench   = 4
	icmpRedirect       = 5
	icmpEcho           = 8
	icmpTimeExceeded   = 11
	icmpParameter      = 12
	icmpTimestamp      = 13
	icmpTimestampReply = 14

	icmpFragNeeded = 4 // a code of icmpUnreachable
)

// Types of ICMPv6, as in linux/icmpv6.h. Those below icmpv6Info are errors.
const (
	icmpv6TooBig    = 2
	icmpv6Info      = 128
	icmpv6Echo      = 128
	icmpv6EchoReply = 129
)

// icmp decodes struct icmphdr of linux/icmp.h, RFC 792 and RFC 1191.
func (d *decoder) icmp(b []byte) {
	if !d.icmpHeader(event.ICMP, b) {
		return
	}
	switch d.h.ICMPType {
	case icmpEcho, icmpEchoReply, icmpTimestamp, icmpTimestampReply:
		d.echo(b)
	case icmpUnreachable:
		if d.h.ICMPCode == icmpFragNeeded {
			d.h.MTU = uint32(d.u16(b, 6, event.FieldMTU))
		}
		d.quote(event.EtherIPv4, b)
	case icmpSourceQuench, icmpRedirect, icmpTimeExceeded, icmpParameter:
		d.quote(event.EtherIPv4, b)
	default:
		d.message(b)
	}
}

// icmpv6 decodes struct icmp6hdr of linux/icmpv6.h, RFC 4443.
func (d *decoder) icmpv6(b []byte) {
	if !d.icmpHeader(event.ICMPv6, b) {
		return
	}
	switch t := d.h.ICMPType; {
	case t == icmpv6Echo || t == icmpv6EchoReply:
		d.echo(b)
	case t < icmpv6Info:
		if t == icmpv6TooBig {
			d.h.MTU = d.u32(b, 4, event.FieldMTU)
		}
		d.quote(event.EtherIPv6, b)
	default:
		d.message(b)
	}
}

// icmpHeader decodes type and code, with which all messages begin. It returns false if they
// are not there.
func (d *decoder) icmpHeader(layer event.Layer, b []byte) bool {
	d.at = layer
	d.h.ICMPType = d.u8(b, 0, event.FieldICMPType)
	d.h.ICMPCode = d.u8(b, 1, event.FieldICMPCode)
	if len(b) < 2 {
		d.short(b)
		return false
	}
	return true
}

// message ends the decoding after the 8 bytes that every message has.
func (d *decoder) message(b []byte) {
	if len(b) < 8 {
		d.short(b)
		return
	}
	d.stop(event.Complete, b[8:])
}

// echo decodes the identifier and the sequence number, by which a reply belongs to its
// request.
func (d *decoder) echo(b []byte) {
	d.h.ICMPID = d.u16(b, 4, event.FieldICMPID)
	d.h.ICMPSeq = d.u16(b, 6, event.FieldICMPSeq)
	d.message(b)
}

// quote decodes the packet that an error is about, t being its ethertype. Whoever sent the
// error cut the quotation, so its end is no truncation, unless a part of the error itself
// is missing. An error within a quotation is not decoded further.
func (d *decoder) quote(t uint16, b []byte) {
	d.message(b)
	if len(b) < 8 || d.h == &d.f.Quoted {
		return
	}
	end, cut := d.f.Stop, d.missing > 0
	d.h, d.missing = &d.f.Quoted, unknown
	d.network(t, b[8:])
	if !cut || d.f.Stop.Why != event.Truncated {
		d.f.Stop = end
	}
}
