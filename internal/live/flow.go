package live

import (
	"net/netip"
	"strconv"

	"dropwatch/internal/event"
)

// appendFlow appends what a packet was from and to, and its protocol: "10.0.0.1:5
// > 10.0.0.2:53 udp". It appends nothing for what has no addresses.
func appendFlow(b []byte, h *event.Headers) []byte {
	if !h.Has(event.FieldSrc | event.FieldDst) {
		return b
	}
	ports := h.Has(event.FieldSrcPort | event.FieldDstPort)
	b = appendAddr(b, h.Src, h.SrcPort, ports)
	b = append(b, " > "...)
	b = appendAddr(b, h.Dst, h.DstPort, ports)
	return append(append(b, ' '), protocol(h)...)
}

func appendAddr(b []byte, a netip.Addr, port uint16, ports bool) []byte {
	if ports {
		return netip.AddrPortFrom(a, port).AppendTo(b)
	}
	return a.AppendTo(b)
}

func protocol(h *event.Headers) string {
	switch {
	case h.Transport != event.NoLayer:
		return h.Transport.String()
	case h.Has(event.FieldProtocol):
		return "proto " + strconv.Itoa(int(h.Protocol))
	}
	return h.Network.String()
}
