package diagnose

import (
	"strings"

	"dropwatch/internal/event"
)

// tunnelArgs are what the header of a VXLAN packet says that was dropped for it: the VNI, and what its flags ask for that is
// more than a VNI (RFC 7348; net/vxlan.h VXLAN_HF_GBP, VXLAN_HF_GPE). They are shown if they are the same at all drops.
func tunnelArgs(e *event.Event) (args []event.Arg) {
	f := e.Packet.Flow
	if f == nil || f.Tunnel.Kind != event.VXLAN || !strings.HasPrefix(e.Reason, "VXLAN_") {
		return nil
	}
	if f.Tunnel.HasID {
		args = append(args, event.Arg{Name: "vni", Number: uint64(f.Tunnel.ID)})
	}
	const gbp, gpe = 0x80, 0x04
	switch flags := vxlanFlags(&e.Packet); {
	case flags&gbp != 0:
		args = append(args, event.Arg{Name: "header", Text: "GBP"})
	case flags&gpe != 0:
		args = append(args, event.Arg{Name: "header", Text: "GPE"})
	}
	return args
}

// vxlanFlags is the first byte of a VXLAN header, which is behind Ethernet, IP without extension headers, and UDP: 0 if that
// is not in the bytes of the packet.
func vxlanFlags(p *event.Packet) byte {
	const ethernet, udp, ipv6 = 14, 8, 40
	b := p.Data
	if p.Link == event.LinkEthernet {
		b = b[min(ethernet, len(b)):]
	}
	header := ipv6
	if len(b) > 0 && b[0]>>4 == 4 {
		header = 4 * int(b[0]&0xf)
	}
	if len(b) <= header+udp {
		return 0
	}
	return b[header+udp]
}
