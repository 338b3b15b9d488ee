package routing

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// A Hop is the route that packets take, and where it leads them.
type Hop struct {
	Prefix netip.Prefix `json:"prefix,omitzero"`  // of the route; of 0 bits: the default route
	Via    netip.Addr   `json:"via,omitzero"`     // the next hop; zero: the destination is, or there are several
	IfName string       `json:"ifname,omitempty"` // by which they leave; empty: by several
	Table  string       `json:"table,omitempty"`  // its name, as ip-route(8) has it, or its number
}

// String is the route for a person: "10.9.0.0/16 via 10.0.1.9 dev eth0, table main".
func (h Hop) String() string {
	text := h.Prefix.String()
	if h.Prefix.Bits() == 0 {
		text = "default"
	}
	if h.Via.IsValid() {
		text += " via " + h.Via.String()
	}
	if h.IfName != "" {
		text += " dev " + h.IfName
	}
	return text + ", table " + h.Table
}

// NextHop asks the kernel for the route of a flow, in the network namespace of the calling thread. Ifname is as that of
// [Egress], and names are those of tables.
func NextHop(to, from netip.Addr, ifname string, names map[uint32]string) (h Hop, err error) {
	const flags = 0x1000 | 0x2000 // RTM_F_LOOKUP_TABLE, RTM_F_FIB_MATCH: the route itself, and its table
	read := func(message []byte) (err error) {
		h, err = parseHop(message, names)
		return err
	}
	if in, failed := net.InterfaceByName(ifname); failed == nil && familyOf(from) == familyOf(to) {
		if routeOf(to, from, uint32(in.Index), flags, read) == nil {
			return h, nil
		}
	}
	err = routeOf(to, netip.Addr{}, 0, flags, read)
	return h, err
}

// parseHop reads a route with its next hop.
func parseHop(message []byte, names map[uint32]string) (h Hop, err error) {
	table, prefix, err := parseRoute(message)
	if err != nil {
		return h, err
	}
	h.Prefix, h.Table = prefix, nameOf(names, table)
	var oif uint32
	err = kernel.EachAttribute(message[sizeofRtmsg:], func(a *netlink.AttributeDecoder) {
		switch b := a.Bytes(); a.Type() {
		case rtaOif:
			oif = a.Uint32()
		case rtaGateway:
			h.Via, _ = netip.AddrFromSlice(b)
		case rtaVia: // struct rtvia: a next hop of another family
			if len(b) > 2 {
				h.Via, _ = netip.AddrFromSlice(b[2:])
			}
		}
	})
	if err != nil {
		return h, fmt.Errorf("read a route: %w", err)
	}
	h.IfName, err = nameOfInterface(oif)
	return h, err
}
