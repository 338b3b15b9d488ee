package packet

import (
	"encoding/binary"

	"dropwatch/internal/event"
)

// A CaptureLink is the type of link header that the packets of a capture file have: one of LINKTYPE_ in
// the registry of tcpdump.org.
type CaptureLink uint32

// The types that DecodeFrame decodes.
const (
	linkNull      CaptureLink = 0   // of BSD: the address family, in the byte order of the host
	linkEthernet  CaptureLink = 1   // IEEE 802.3
	linkPPP       CaptureLink = 9   // with or without the HDLC header
	linkRawBSD    CaptureLink = 12  // DLT_RAW of most systems, which some programs write
	linkRawOpen   CaptureLink = 14  // DLT_RAW of OpenBSD
	linkPPPSerial CaptureLink = 50  // in HDLC framing
	linkRaw       CaptureLink = 101 // an IP packet
	link80211     CaptureLink = 105 // LINKTYPE_IEEE802_11
	linkLoop      CaptureLink = 108 // of OpenBSD: the address family in network order
	linkSLL       CaptureLink = 113 // Linux "any", first version
	linkRadiotap  CaptureLink = 127 // 802.11 behind what the receiver measured
	linkIPv4      CaptureLink = 228 // LINKTYPE_IPV4
	linkIPv6      CaptureLink = 229 // LINKTYPE_IPV6
	linkSLL2      CaptureLink = 276 // Linux "any", second version
)

// linkDecoders has, by link type, what decodes a packet.
var linkDecoders = map[CaptureLink]func(d *decoder, b []byte){
	linkNull:      (*decoder).null,
	linkEthernet:  (*decoder).ethernet,
	linkPPP:       (*decoder).hdlc,
	linkRawBSD:    (*decoder).ip,
	linkRawOpen:   (*decoder).ip,
	linkPPPSerial: (*decoder).hdlc,
	linkRaw:       (*decoder).ip,
	link80211:     (*decoder).wireless,
	linkLoop:      (*decoder).null,
	linkSLL:       (*decoder).sll,
	linkRadiotap:  (*decoder).radiotap,
	linkIPv4:      (*decoder).ip,
	linkIPv6:      (*decoder).ip,
	linkSLL2:      (*decoder).sll2,
}

// Supported reports whether packets of the type can be decoded.
func (l CaptureLink) Supported() bool { return linkDecoders[l] != nil }

// A FrameDecoder decodes packets of one link type of a capture file.
type FrameDecoder struct {
	link   func(d *decoder, b []byte)
	passed decoder // is used again for each packet
}

// NewFrameDecoder returns the decoder for a link type, nil if it is not supported.
func NewFrameDecoder(l CaptureLink) *FrameDecoder {
	if !l.Supported() {
		return nil
	}
	return &FrameDecoder{link: linkDecoders[l]}
}

// Decode replaces the contents of f by what data, the captured bytes of a packet, says.
func (fd *FrameDecoder) Decode(data []byte, f *event.Flow) {
	*f = event.Flow{}
	d := &fd.passed // not allocated for each packet
	*d = decoder{f: f, h: &f.Headers, size: cap(data), missing: unknown}
	if len(data) == 0 {
		d.short(data)
		return
	}
	fd.link(d, data)
}

// null decodes the 4 bytes before a packet of a loopback interface: its address family, in the byte
// order of the host that captured it.
func (d *decoder) null(b []byte) {
	if len(b) < 5 {
		d.short(b)
		return
	}
	family := binary.LittleEndian.Uint32(b)
	if family > 0xffff {
		family = binary.BigEndian.Uint32(b)
	}
	switch family {
	case 2: // AF_INET everywhere
		d.network(event.EtherIPv4, b[4:])
	case 10, 24, 28, 30: // AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS
		d.network(event.EtherIPv6, b[4:])
	default:
		d.stop(event.UnknownProtocol, b)
	}
}

// hdlc passes the address and the control byte of RFC 1662, if they are there, and decodes PPP.
func (d *decoder) hdlc(b []byte) {
	const address, control = 0xff, 0x03
	if len(b) > 1 && b[0] == address && b[1] == control {
		b = b[2:]
	}
	d.ppp(b)
}

// sll decodes struct sll_header of libpcap.
func (d *decoder) sll(b []byte) {
	if len(b) < 16 {
		d.short(b)
		return
	}
	d.tagged(binary.BigEndian.Uint16(b[14:]), b[16:])
}

// sll2 decodes struct sll2_header of libpcap.
func (d *decoder) sll2(b []byte) {
	if len(b) < 20 {
		d.short(b)
		return
	}
	d.tagged(binary.BigEndian.Uint16(b), b[20:])
}

// radiotap passes the header of radiotap.org, whose length is in it.
func (d *decoder) radiotap(b []byte) {
	if len(b) < 4 {
		d.short(b)
		return
	}
	size := int(binary.LittleEndian.Uint16(b[2:]))
	if size < 8 || size > len(b) {
		d.short(b)
		return
	}
	d.wireless(b[size:])
}

// wireless decodes a data frame of IEEE 802.11 that is not encrypted, and the SNAP header in it.
func (d *decoder) wireless(b []byte) {
	if len(b) < 2 {
		d.short(b)
		return
	}
	size, ok := wirelessHeader(b[0], b[1])
	switch {
	case !ok:
		d.stop(event.UnknownProtocol, b)
	case len(b) < size+8:
		d.short(b)
	case string(b[size:size+6]) != "\xaa\xaa\x03\x00\x00\x00":
		d.stop(event.UnknownProtocol, b)
	default:
		d.tagged(binary.BigEndian.Uint16(b[size+6:]), b[size+8:])
	}
}

// wirelessHeader returns the bytes of the header of an 802.11 frame, by the two bytes of its frame
// control. It returns false for frames without readable data.
func wirelessHeader(control, flags byte) (size int, ok bool) {
	const (
		kind, data    = 0x0c, 0x08 // bits of the type, and its value
		noData, qos   = 0x40, 0x80 // of the subtype
		fourAddresses = 0x03       // to and from the distribution system
		protected     = 0x40
		order         = 0x80 // with qos: an HT control field follows
	)
	if control&kind != data || control&noData != 0 || flags&protected != 0 {
		return 0, false
	}
	size = 24
	if flags&fourAddresses == fourAddresses {
		size += 6
	}
	if control&qos != 0 {
		size += 2
		if flags&order != 0 {
			size += 4
		}
	}
	return size, true
}
