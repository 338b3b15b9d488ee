package packet

import "dropwatch/internal/event"

// ports decodes the two ports, with which TCP, UDP and SCTP begin.
func (d *decoder) ports(b []byte) {
	d.h.SrcPort = d.u16(b, 0, event.FieldSrcPort)
	d.h.DstPort = d.u16(b, 2, event.FieldDstPort)
}

// tcp decodes struct tcphdr of linux/tcp.h, RFC 9293, and some of its options.
func (d *decoder) tcp(b []byte) {
	d.at = event.TCP
	d.ports(b)
	d.h.Seq = d.u32(b, 4, event.FieldSeq)
	d.h.Ack = d.u32(b, 8, event.FieldAck)
	d.h.TCPFlags = event.TCPFlags(d.u16(b, 12, event.FieldTCPFlags) & 0xfff)
	d.h.Window = d.u16(b, 14, event.FieldWindow)
	size := 0
	if len(b) > 12 {
		size = int(b[12]>>4) * 4
		d.payload(len(b) - size)
	}
	if len(b) < 20 {
		d.short(b)
		return
	}
	if size < 20 {
		d.stop(event.Malformed, b)
		return
	}
	d.options(b[20:min(size, len(b))])
	if len(b) < size {
		d.short(b)
		return
	}
	d.stop(event.Complete, b[size:])
}

// payload sets the length of what follows the TCP header, of which here bytes are in the packet: less
// than 0 if it was cut within the header. The length is not known without one in an IP header.
func (d *decoder) payload(here int) {
	if d.missing < unknown && here+d.missing >= 0 {
		d.h.TCPLen = uint32(here + d.missing)
		d.h.Fields |= event.FieldTCPLen
	}
}

// options finds the options of RFC 7323 among those of TCP: timestamps, and of a SYN the window scale.
func (d *decoder) options(b []byte) {
	const end, noOperation, windowScale, timestamps = 0, 1, 3, 8
	for len(b) > 0 && b[0] != end {
		if b[0] == noOperation {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 {
			return
		}
		size := int(b[1])
		switch {
		case b[0] == timestamps && size == 10:
			d.h.TSVal = d.u32(b, 2, event.FieldTSVal)
		case b[0] == windowScale && size == 3 && d.h.TCPFlags&event.SYN != 0:
			d.h.WindowScale = d.u8(b, 2, event.FieldWindowScale)
		}
		b = b[min(size, len(b)):]
	}
}

// udp decodes struct udphdr of linux/udp.h, RFC 768. A packet of more than 64 KiB has a
// length of 0 (RFC 2675).
func (d *decoder) udp(b []byte) {
	d.at = event.UDP
	d.ports(b)
	d.h.UDPLen = d.u16(b, 4, event.FieldUDPLen)
	if len(b) < 8 {
		d.short(b)
		return
	}
	d.h.NoChecksum = b[6] == 0 && b[7] == 0
	n := int(d.h.UDPLen)
	if n > 0 && n < 8 || n > len(b)+d.missing {
		d.stop(event.Malformed, b)
		return
	}
	d.datagram(b[8:])
}

// sctp decodes struct sctphdr and the type of the first struct sctp_chunkhdr of
// linux/sctp.h, RFC 9260.
func (d *decoder) sctp(b []byte) {
	d.at = event.SCTP
	d.ports(b)
	d.h.SCTPTag = d.u32(b, 4, event.FieldSCTPTag)
	d.h.SCTPChunk = d.u8(b, 12, event.FieldSCTPChunk)
	if len(b) < 16 {
		d.short(b)
		return
	}
	d.stop(event.Complete, b[16:])
}

// esp decodes the part of RFC 4303 that is not encrypted.
func (d *decoder) esp(b []byte) {
	d.at = event.ESP
	d.spi(b, 0)
	if len(b) < 8 {
		d.short(b)
		return
	}
	d.stop(event.Complete, b[8:])
}

// spi decodes the security parameters index. If several headers have one, that of the
// outermost is kept.
func (d *decoder) spi(b []byte, at int) {
	if !d.h.Has(event.FieldSPI) {
		d.h.SPI = d.u32(b, at, event.FieldSPI)
	}
}
