package live

import (
	"bytes"
	"net/netip"
	"strconv"

	"dropwatch/internal/event"
)

// appendFlow appends a flow as text: "10.0.0.1:5 > 10.0.0.2:53 udp". It appends
// nothing for a packet without addresses. A client's port is "*": one that opens many
// connections to a service has one flow to it.
func appendFlow(b []byte, h *event.Headers) []byte {
	if !h.Has(event.FieldSrc | event.FieldDst) {
		return b
	}
	if !h.Has(event.FieldSrcPort | event.FieldDstPort) {
		b = append(h.Src.AppendTo(b), " > "...)
		b = h.Dst.AppendTo(b)
	} else {
		b = append(appendAddr(b, h.Src, h.SrcPort, h.DstPort), " > "...)
		b = appendAddr(b, h.Dst, h.DstPort, h.SrcPort)
	}
	return append(append(b, ' '), protocol(h)...)
}

// firstClientPort begins the range from which Linux chooses the ports of clients
// (net.ipv4.ip_local_port_range); that of RFC 6335 is within it.
const firstClientPort = 32768

// appendAddr appends an address and its port, or "*" for a client's of a service with
// the port of peer.
func appendAddr(b []byte, a netip.Addr, port, peer uint16) []byte {
	b = netip.AddrPortFrom(a, port).AppendTo(b)
	if port >= firstClientPort && peer < firstClientPort {
		b = append(b[:bytes.LastIndexByte(b, ':')+1], '*')
	}
	return b
}

// protocol returns the innermost protocol that is known.
func protocol(h *event.Headers) string {
	switch {
	case h.Transport != event.NoLayer:
		return h.Transport.String()
	case h.Has(event.FieldProtocol):
		return "proto " + strconv.Itoa(int(h.Protocol))
	}
	return h.Network.String()
}
