package packet

import (
	"encoding/binary"

	"dropwatch/internal/event"
)

// Destination ports of tunnels over UDP.
const (
	portVXLAN      = 4789 // RFC 7348
	portVXLANLinux = 8472 // the default of Linux, older than the RFC
	portGeneve     = 6081 // RFC 8926
)

// Flags of GRE, as in net/gre.h.
const (
	greChecksum = 0x8000 // the header has a checksum
	greKey      = 0x2000 // it has a key
	greSeq      = 0x1000 // it has a sequence number
	greOther    = 0x4807 // routing, strict source route, version
)

// enter begins a tunnel, and returns false if this packet is in a tunnel, or quoted,
// already: then the tunnel is not decoded.
func (d *decoder) enter(kind event.Layer) bool {
	d.at = kind
	if d.h != &d.f.Headers {
		return false
	}
	d.f.Tunnel.Kind = kind
	return true
}

// id sets the tunnel's identifier: the VNI, or the key of GRE.
func (d *decoder) id(id uint32) { d.f.Tunnel.ID, d.f.Tunnel.HasID = id, true }

// inside decodes the packet in the tunnel, which the ethertype t announces.
func (d *decoder) inside(t uint16, b []byte) {
	d.h = &d.f.Inner
	if t == typeTEB {
		d.ethernet(b)
		return
	}
	d.network(t, b)
}

// datagram decodes the payload of UDP as a tunnel, if the port is that of one and the first
// byte does not contradict it: the I flag of VXLAN is set, the version of Geneve is 0.
func (d *decoder) datagram(b []byte) {
	port := d.h.DstPort
	switch {
	case d.h != &d.f.Headers || len(b) == 0:
	case (port == portVXLAN || port == portVXLANLinux) && b[0]&0x08 != 0:
		d.vxlan(b)
		return
	case port == portGeneve && b[0]>>6 == 0:
		d.geneve(b)
		return
	}
	d.stop(event.Complete, b)
}

// vxlan decodes struct vxlanhdr of net/vxlan.h, RFC 7348.
func (d *decoder) vxlan(b []byte) {
	d.enter(event.VXLAN)
	if len(b) >= 7 {
		d.id(binary.BigEndian.Uint32(b[3:]) & 0xffffff)
	}
	if len(b) < 8 {
		d.short(b)
		return
	}
	d.inside(typeTEB, b[8:])
}

// geneve decodes struct genevehdr of net/geneve.h, RFC 8926, without its options.
func (d *decoder) geneve(b []byte) {
	d.enter(event.Geneve)
	if len(b) >= 7 {
		d.id(binary.BigEndian.Uint32(b[3:]) & 0xffffff)
	}
	if size := 8 + int(b[0]&0x3f)*4; len(b) >= size {
		d.inside(binary.BigEndian.Uint16(b[2:]), b[size:])
		return
	}
	d.short(b)
}

// gre decodes struct gre_base_hdr of net/gre.h, RFC 2784 and RFC 2890.
func (d *decoder) gre(b []byte) {
	d.at = event.GRE
	if len(b) < 4 {
		d.short(b)
		return
	}
	flags := binary.BigEndian.Uint16(b)
	if flags&greOther != 0 || !d.enter(event.GRE) {
		d.stop(event.UnknownProtocol, b)
		return
	}
	size := 4
	if flags&greChecksum != 0 {
		size += 4
	}
	if flags&greKey != 0 {
		if len(b) >= size+4 {
			d.id(binary.BigEndian.Uint32(b[size:]))
		}
		size += 4
	}
	if flags&greSeq != 0 {
		size += 4
	}
	if len(b) < size {
		d.short(b)
		return
	}
	d.inside(binary.BigEndian.Uint16(b[2:]), b[size:])
}

// ipip decodes IP in IP, RFC 2003, RFC 2473 and RFC 4213.
func (d *decoder) ipip(proto uint8, b []byte) {
	switch {
	case !d.enter(event.IPinIP):
		d.stop(event.UnknownProtocol, b)
	case proto == protoIPv4:
		d.inside(event.EtherIPv4, b)
	default:
		d.inside(event.EtherIPv6, b)
	}
}
