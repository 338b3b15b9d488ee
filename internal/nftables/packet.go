package nftables

import (
	"encoding/binary"

	"dropwatch/internal/event"
)

// A Packet is a dropped packet as the rules of nftables see it.
type Packet struct {
	Link    []byte     // its link header; nil if that is not known
	Network []byte     // from its network header on
	Whole   bool       // Network holds all of the packet, otherwise its beginning
	Proto   uint16     // ethertype
	Port    event.Port // where it arrived, or is to leave

	protocol  int // of its transport, -1 if it has none that is known
	transport int // offset of the transport header in Network, -1 as protocol
}

// NewPacket makes a Packet of what a source reported, false if that holds no network
// header. It shares the memory of e, but for its first bytes, of which it has a copy.
func NewPacket(e *event.Event) (Packet, bool) {
	const most, ethernet, ethertype = 256, 14, 12
	p, data := &e.Packet, e.Packet.Data
	packet := Packet{Proto: p.Proto, Port: e.Port, protocol: -1, transport: -1}
	if !p.HasData || !p.HasProto {
		return packet, false
	}
	packet.Whole = p.HasLen && int(p.Len) == len(data) && len(data) <= most
	data = append([]byte{}, data[:min(len(data), most)]...)
	if p.Link == event.LinkEthernet {
		if len(data) <= ethernet || binary.BigEndian.Uint16(data[ethertype:]) != p.Proto { // such as behind a VLAN tag
			return packet, false
		}
		data, packet.Link = data[ethernet:], data[:ethernet]
	}
	if p.Tag.TPID != 0 { // which nft_payload puts back
		packet.Link = nil
	}
	packet.Network = data
	packet.findTransport()
	return packet, len(data) > 0
}

// findTransport finds the transport header as nft_set_pktinfo_ipv4 and ipv6_find_hdr do.
func (p *Packet) findTransport() {
	switch n := p.Network; {
	case p.Proto == event.EtherIPv4 && len(n) >= 20 && n[0]&0xf >= 5:
		p.protocol = int(n[9])
		if binary.BigEndian.Uint16(n[6:])&0x1fff == 0 { // the first fragment
			p.transport = 4 * int(n[0]&0xf)
		}
	case p.Proto == event.EtherIPv6 && len(n) >= 40:
		p.passExtensions()
	}
}

// passExtensions finds the transport behind the extension headers of IPv6.
func (p *Packet) passExtensions() {
	const hopByHop, routing, fragment, authentication, options = 0, 43, 44, 51, 60
	next, at, first := p.Network[6], 40, true
	for {
		size := 8
		rest := p.Network[min(at, len(p.Network)):]
		switch next {
		case hopByHop, routing, options, fragment, authentication:
			if len(rest) < 8 {
				return
			}
		default:
			p.protocol = int(next)
			if first {
				p.transport = at
			}
			return
		}
		switch next {
		case fragment:
			first = first && binary.BigEndian.Uint16(rest[2:])&^7 == 0
		case authentication:
			size = 4 * (int(rest[1]) + 2)
		default:
			size = 8 * (int(rest[1]) + 1)
		}
		next, at = rest[0], at+size
	}
}

// inFamily reports whether tables of a family see the packet. Those of netdev and bridge
// see all.
func (p *Packet) inFamily(family, hook string) bool {
	switch family {
	case "ip":
		return p.Proto == event.EtherIPv4
	case "ip6":
		return p.Proto == event.EtherIPv6
	case "inet":
		return p.Proto == event.EtherIPv4 || p.Proto == event.EtherIPv6 || hook == "ingress"
	case "arp":
		return p.Proto == event.EtherARP
	}
	return family == "netdev" || family == "bridge"
}

// ifname is the interface that the packet came in by or was to leave by, as the hook sees
// it: known is false if the source may have named another.
func (p *Packet) ifname(hook string, in bool) (name string, known bool) {
	switch hook {
	case "PREROUTING", "INPUT", "ingress", "bridge prerouting":
		if !in {
			return "", hook != "bridge prerouting" // it has none
		}
		return p.Port.IfName, p.Port.IfName != ""
	case "FORWARD":
		return p.Port.IfName, in && p.Port.IfName != ""
	case "OUTPUT", "POSTROUTING":
		return "", in && hook == "OUTPUT"
	}
	return "", false
}
