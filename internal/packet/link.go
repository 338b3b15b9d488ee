package packet

import (
	"encoding/binary"

	"dropwatch/internal/event"
)

// Ethertypes, as in linux/if_ether.h.
const (
	typeMin = 0x0600 // ETH_P_802_3_MIN: below it is a length of IEEE 802.3
	typeTEB = 0x6558 // ETH_P_TEB: an Ethernet frame in a tunnel

	typeCTag  = 0x8100 // ETH_P_8021Q
	typeSTag  = 0x88a8 // ETH_P_8021AD
	typeQinQ1 = 0x9100 // ETH_P_QINQ1

	typeMPLS          = 0x8847 // ETH_P_MPLS_UC
	typeMPLSMulticast = 0x8848 // ETH_P_MPLS_MC
	typePPPoE         = 0x8864 // ETH_P_PPP_SES
)

// isTag reports whether an ethertype announces a VLAN tag.
func isTag(t uint16) bool { return t == typeCTag || t == typeSTag || t == typeQinQ1 }

// ethernet decodes struct ethhdr of linux/if_ether.h and up to two VLAN tags.
func (d *decoder) ethernet(b []byte) {
	d.at = event.Ethernet
	d.h.EthDst = d.mac(b, 0, event.FieldEthDst)
	d.h.EthSrc = d.mac(b, 6, event.FieldEthSrc)
	if len(b) < 14 {
		d.short(b)
		return
	}
	d.tagged(binary.BigEndian.Uint16(b[12:]), b[14:])
}

// tagged decodes what an ethertype announces behind a link header: VLAN tags, and the network header
// behind them.
func (d *decoder) tagged(t uint16, b []byte) {
	for i := 0; i < len(d.h.VLAN) && isTag(t); i++ {
		d.at = event.VLANTag
		d.tag(i, t, b)
		if len(b) < 4 {
			d.short(b)
			return
		}
		t, b = binary.BigEndian.Uint16(b[2:]), b[4:]
	}
	if t < typeMin {
		d.stop(event.UnknownProtocol, b)
		return
	}
	d.network(t, b)
}

// tag decodes the TCI of IEEE 802.1Q into the tag i.
func (d *decoder) tag(i int, tpid uint16, b []byte) {
	if len(b) < 2 {
		return
	}
	tci := d.u16(b, 0, event.FieldVLAN<<i)
	d.h.VLAN[i] = event.VLAN{TPID: tpid, ID: tci & 0xfff, Priority: uint8(tci >> 13), DEI: tci&0x1000 != 0}
}

// network decodes what an ethertype announces; b begins behind it.
func (d *decoder) network(t uint16, b []byte) {
	if !d.h.Has(event.FieldEtherType) { // otherwise a header between announced another
		d.h.EtherType = t
		d.h.Fields |= event.FieldEtherType
	}
	switch t {
	case event.EtherIPv4:
		d.ipv4(b)
	case event.EtherIPv6:
		d.ipv6(b)
	case event.EtherARP:
		d.arp(b)
	case typeMPLS, typeMPLSMulticast:
		d.mpls(b)
	case typePPPoE:
		d.pppoe(b)
	default:
		d.stop(event.UnknownProtocol, b)
	}
}

// mpls passes the labels of RFC 3032 and decodes the IP packet behind them.
func (d *decoder) mpls(b []byte) {
	const bottom = 1 // of the stack, in the third byte
	for range maxExtensions {
		if len(b) < 5 {
			d.short(b)
			return
		}
		last := b[2]&bottom != 0
		if b = b[4:]; last {
			d.ip(b)
			return
		}
	}
	d.stop(event.Malformed, b)
}

// pppoe decodes the header of a session of RFC 2516 and what follows it.
func (d *decoder) pppoe(b []byte) {
	if len(b) < 6 {
		d.short(b)
		return
	}
	d.ppp(b[6:])
}

// ppp decodes the protocol number of RFC 1661, which may be compressed to one byte, and what it announces.
func (d *decoder) ppp(b []byte) {
	const ipv4, ipv6, mpls = 0x0021, 0x0057, 0x0281
	if len(b) < 2 {
		d.short(b)
		return
	}
	proto, rest := uint16(b[0]), b[1:]
	if b[0]&1 == 0 {
		proto, rest = binary.BigEndian.Uint16(b), b[2:]
	}
	switch proto {
	case ipv4:
		d.network(event.EtherIPv4, rest)
	case ipv6:
		d.network(event.EtherIPv6, rest)
	case mpls:
		d.network(typeMPLS, rest)
	default:
		d.stop(event.UnknownProtocol, b)
	}
}

// ip decodes an IP packet of a version that is not known but for its first byte. There must
// be one.
func (d *decoder) ip(b []byte) {
	switch b[0] >> 4 {
	case 4:
		d.network(event.EtherIPv4, b)
	case 6:
		d.network(event.EtherIPv6, b)
	default:
		d.stop(event.UnknownProtocol, b)
	}
}

// arp decodes ARP (RFC 826) for IPv4 on Ethernet. For other hardware and protocols only the
// operation is decoded.
func (d *decoder) arp(b []byte) {
	const ethernetIPv4 = 0x0001_0800_06_04 // hardware, protocol, lengths of their addresses
	d.at, d.h.Network = event.ARP, event.ARP
	if len(b) < 8 {
		d.short(b)
		return
	}
	d.h.ARPOp = d.u16(b, 6, event.FieldARPOp)
	if binary.BigEndian.Uint64(b)>>16 != ethernetIPv4 {
		d.stop(event.UnknownProtocol, b[8:])
		return
	}
	d.h.ARPSrc = d.mac(b, 8, event.FieldARPSrc)
	d.h.Src = d.addr4(b, 14, event.FieldSrc)
	d.h.ARPDst = d.mac(b, 18, event.FieldARPDst)
	d.h.Dst = d.addr4(b, 24, event.FieldDst)
	if len(b) < 28 {
		d.short(b)
		return
	}
	d.stop(event.Complete, b[28:])
}
