package jsonl

import "dropwatch/internal/event"

// appendFlow appends the headers of a packet, and then, each as an object, the tunnel, the packet in it,
// and the packet that an ICMP error quotes.
func appendFlow(b []byte, f *event.Flow) []byte {
	b = begin(b, "flow", '{')
	b = appendHeaders(b, &f.Headers)
	if f.Tunnel.Kind != event.NoLayer {
		b = appendTunnel(b, &f.Tunnel)
	}
	b = appendNested(b, "inner", &f.Inner)
	b = appendNested(b, "quoted", &f.Quoted)
	if f.Stop.Why != event.Complete {
		b = appendWord(b, "stop", f.Stop.Why.String())
	}
	return end(b, '}')
}

func appendTunnel(b []byte, t *event.Tunnel) []byte {
	b = begin(b, "tunnel", '{')
	b = appendWord(b, "kind", t.Kind.String())
	if t.HasID {
		b = appendNumber(b, "id", uint64(t.ID))
	}
	return end(b, '}')
}

// appendNested appends an object with headers, unless there are none.
func appendNested(b []byte, key string, h *event.Headers) []byte {
	if h.Fields == 0 {
		return b
	}
	b = begin(b, key, '{')
	b = appendHeaders(b, h)
	return end(b, '}')
}

// appendHeaders appends the header fields that help to explain a drop. It leaves out those that only matter
// to the ends of the connection, such as checksums and windows.
func appendHeaders(b []byte, h *event.Headers) []byte {
	b = appendLink(b, h)
	b = appendNetwork(b, h)
	return appendTransport(b, h)
}

func appendLink(b []byte, h *event.Headers) []byte {
	if h.Has(event.FieldEthSrc) {
		b = appendMAC(b, "src_mac", h.EthSrc)
	}
	if h.Has(event.FieldEthDst) {
		b = appendMAC(b, "dst_mac", h.EthDst)
	}
	b = appendField(b, h, event.FieldVLAN, "vlan", uint64(h.VLAN[0].ID))
	return appendField(b, h, event.FieldVLANInner, "vlan_inner", uint64(h.VLAN[1].ID))
}

// appendNetwork appends the network layer; of ARP, src and dst are the addresses of sender
// and target.
func appendNetwork(b []byte, h *event.Headers) []byte {
	switch {
	case h.Network != event.NoLayer:
		b = appendWord(b, "network", h.Network.String())
	case h.Has(event.FieldEtherType):
		b = appendEtherType(b, "network", h.EtherType)
	}
	b = appendField(b, h, event.FieldARPOp, "arp_op", uint64(h.ARPOp))
	if h.Has(event.FieldSrc) {
		b = appendAddr(b, "src", h.Src)
	}
	if h.Has(event.FieldDst) {
		b = appendAddr(b, "dst", h.Dst)
	}
	b = appendField(b, h, event.FieldTTL, "ttl", uint64(h.TTL))
	return appendFragment(b, h)
}

// appendFragment appends an object for a fragment, and nothing for a whole packet.
func appendFragment(b []byte, h *event.Headers) []byte {
	if !h.Has(event.FieldFragment) || h.FragmentOffset == 0 && !h.MoreFragments {
		return b
	}
	b = begin(b, "fragment", '{')
	b = appendField(b, h, event.FieldFragmentID, "id", uint64(h.FragmentID))
	b = appendNumber(b, "offset", uint64(h.FragmentOffset))
	b = appendBool(b, "more", h.MoreFragments)
	return end(b, '}')
}

// appendTransport appends the transport layer. A protocol without a name is its number, as
// a string.
func appendTransport(b []byte, h *event.Headers) []byte {
	switch {
	case h.Transport != event.NoLayer:
		b = appendWord(b, "transport", h.Transport.String())
	case h.Has(event.FieldProtocol):
		b = appendQuoted(b, "transport", uint64(h.Protocol))
	}
	b = appendField(b, h, event.FieldSrcPort, "src_port", uint64(h.SrcPort))
	b = appendField(b, h, event.FieldDstPort, "dst_port", uint64(h.DstPort))
	b = appendField(b, h, event.FieldSPI, "spi", uint64(h.SPI))
	switch h.Transport {
	case event.TCP:
		return appendTCP(b, h)
	case event.ICMP, event.ICMPv6:
		return appendICMP(b, h)
	}
	return appendField(b, h, event.FieldSCTPChunk, "sctp_chunk", uint64(h.SCTPChunk))
}

// appendTCP appends flags, sequence and acknowledgment number, all as they were sent.
func appendTCP(b []byte, h *event.Headers) []byte {
	if h.Has(event.FieldTCPFlags) {
		b = begin(b, "tcp_flags", '[')
		for name := range h.TCPFlags.Names() {
			b = appendElement(b, name)
		}
		b = end(b, ']')
	}
	b = appendField(b, h, event.FieldSeq, "tcp_seq", uint64(h.Seq))
	return appendField(b, h, event.FieldAck, "tcp_ack", uint64(h.Ack))
}

func appendICMP(b []byte, h *event.Headers) []byte {
	b = appendField(b, h, event.FieldICMPType, "icmp_type", uint64(h.ICMPType))
	b = appendField(b, h, event.FieldICMPCode, "icmp_code", uint64(h.ICMPCode))
	b = appendField(b, h, event.FieldICMPID, "icmp_id", uint64(h.ICMPID))
	b = appendField(b, h, event.FieldICMPSeq, "icmp_seq", uint64(h.ICMPSeq))
	return appendField(b, h, event.FieldMTU, "icmp_mtu", uint64(h.MTU))
}

// appendField appends the number n if h has the field f.
func appendField(b []byte, h *event.Headers, f event.Fields, key string, n uint64) []byte {
	if !h.Has(f) {
		return b
	}
	return appendNumber(b, key, n)
}
