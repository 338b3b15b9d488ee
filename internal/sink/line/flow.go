package line

import (
	"net/netip"
	"strconv"

	"dropwatch/internal/event"
)

// appendFlow appends what the headers of a packet say, as tcpdump does where it has
// a short form for it: "192.0.2.1:443 > 192.0.2.2:50000 tcp [S.]". A packet in it
// follows in braces: the one in a tunnel, or the one that an ICMP error quotes.
func appendFlow(b []byte, f *event.Flow) []byte {
	b = appendHeaders(b, &f.Headers)
	if f.Tunnel.Kind != event.NoLayer {
		return appendTunnel(b, f)
	}
	return appendQuoted(b, f)
}

// appendTunnel appends the kind of tunnel, unless the transport has that name
// already, and the packet in it.
func appendTunnel(b []byte, f *event.Flow) []byte {
	if f.Tunnel.Kind != f.Transport {
		b = append(b, ' ')
		b = append(b, f.Tunnel.Kind.String()...)
	}
	if f.Tunnel.HasID {
		b = appendNumber(b, " ", uint64(f.Tunnel.ID))
	}
	if f.Inner.Fields == 0 {
		return b
	}
	b = appendHeaders(append(b, " { "...), &f.Inner)
	return append(appendQuoted(b, f), " }"...)
}

// appendQuoted appends the packet that an ICMP error is about.
func appendQuoted(b []byte, f *event.Flow) []byte {
	if f.Quoted.Fields == 0 {
		return b
	}
	b = appendHeaders(append(b, " { "...), &f.Quoted)
	return append(b, " }"...)
}

// appendHeaders appends the headers of one packet, from the network layer up, and
// its VLANs.
func appendHeaders(b []byte, h *event.Headers) []byte {
	switch h.Network {
	case event.ARP:
		b = appendARP(b, h)
	case event.IPv4, event.IPv6:
		b = appendIP(b, h)
	default:
		b = appendFrame(b, h)
	}
	for i := range h.VLAN {
		if h.Has(event.FieldVLAN << i) {
			b = appendNumber(b, " vlan ", uint64(h.VLAN[i].ID))
		}
	}
	return b
}

// appendFrame appends a frame that is neither IP nor ARP.
func appendFrame(b []byte, h *event.Headers) []byte {
	start := len(b)
	if h.Has(event.FieldEthSrc) {
		b = appendMAC(b, h.EthSrc)
		b = append(b, " > "...)
		b = appendMAC(b, h.EthDst)
	}
	if h.Has(event.FieldEtherType) {
		b = appendEtherType(space(b, start), h.EtherType)
	}
	return b
}

// Operations of ARP, as in linux/if_arp.h.
const (
	arpRequest = 1
	arpReply   = 2
)

// appendARP appends the message as tcpdump writes it, or only its operation if
// addresses are missing.
func appendARP(b []byte, h *event.Headers) []byte {
	b = append(b, "arp"...)
	switch {
	case h.Has(event.FieldSrc|event.FieldDst) && h.ARPOp == arpRequest:
		b = h.Dst.AppendTo(append(b, " who-has "...))
		return h.Src.AppendTo(append(b, " tell "...))
	case h.Has(event.FieldSrc|event.FieldARPSrc) && h.ARPOp == arpReply:
		b = h.Src.AppendTo(append(b, " reply "...))
		return appendMAC(append(b, " is-at "...), h.ARPSrc)
	case h.Has(event.FieldARPOp):
		return appendNumber(b, " op ", uint64(h.ARPOp))
	}
	return b
}

// appendIP appends addresses, ports, protocol and fragment, as far as they are
// known.
func appendIP(b []byte, h *event.Headers) []byte {
	if h.Has(event.FieldSrc | event.FieldDst) {
		b = appendEnd(b, h.Src, h.SrcPort, h.Has(event.FieldSrcPort))
		b = append(b, " > "...)
		b = appendEnd(b, h.Dst, h.DstPort, h.Has(event.FieldDstPort))
	} else {
		b = append(b, h.Network.String()...)
	}
	if h.Has(event.FieldProtocol) {
		b = appendTransport(append(b, ' '), h)
	}
	if h.Has(event.FieldFragment) && (h.MoreFragments || h.FragmentOffset > 0) {
		b = appendFragment(b, h)
	}
	return b
}

// appendEnd appends an address, and the port if the packet has one.
func appendEnd(b []byte, addr netip.Addr, port uint16, hasPort bool) []byte {
	if hasPort {
		return netip.AddrPortFrom(addr, port).AppendTo(b)
	}
	return addr.AppendTo(b)
}

// appendFragment appends which part of a packet a fragment is: "frag 7@1480+" is
// its identification, its offset in bytes, and a plus unless it is the last.
func appendFragment(b []byte, h *event.Headers) []byte {
	b = append(b, " frag "...)
	if h.Has(event.FieldFragmentID) {
		b = strconv.AppendUint(b, uint64(h.FragmentID), 10)
	}
	b = appendNumber(b, "@", uint64(h.FragmentOffset))
	if h.MoreFragments {
		b = append(b, '+')
	}
	return b
}

// appendTransport appends the protocol, and the field that tells most about the
// packet.
func appendTransport(b []byte, h *event.Headers) []byte {
	if h.Transport == event.NoLayer {
		return appendProtocol(b, h.Protocol)
	}
	b = append(b, h.Transport.String()...)
	switch {
	case h.Has(event.FieldTCPFlags):
		b = h.TCPFlags.AppendLetters(append(b, ' '))
	case h.Has(event.FieldICMPType):
		b = appendICMP(b, h)
	case h.Has(event.FieldSCTPChunk):
		b = appendChunk(b, h.SCTPChunk)
	case h.Transport == event.ESP && h.Has(event.FieldSPI):
		b = append(b, " spi 0x"...)
		b = strconv.AppendUint(b, uint64(h.SPI), 16)
	}
	return b
}

// appendMAC appends an address with colons. Unlike net.HardwareAddr it allocates
// nothing.
func appendMAC(b []byte, m event.MAC) []byte {
	for i, c := range m {
		if i > 0 {
			b = append(b, ':')
		}
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}

// appendNumber appends a label and a decimal number.
func appendNumber(b []byte, label string, n uint64) []byte {
	return strconv.AppendUint(append(b, label...), n, 10)
}
