package routing

import (
	"encoding/binary"
	"net"
	"net/netip"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// Sizes, attributes and types of include/uapi/linux/rtnetlink.h.
const (
	rtmGetRoute = 26 // RTM_GETROUTE
	sizeofRtmsg = 12 // struct rtmsg

	rtaDst     = 1  // RTA_DST
	rtaSrc     = 2  // RTA_SRC
	rtaIif     = 3  // RTA_IIF
	rtaOif     = 4  // RTA_OIF
	rtaGateway = 5  // RTA_GATEWAY
	rtaTable   = 15 // RTA_TABLE
	rtaVia     = 18 // RTA_VIA: a next hop of the other family
)

// deadTypes are the types of routes that lead nowhere (RTN_*).
var deadTypes = map[string]byte{"blackhole": 6, "unreachable": 7, "prohibit": 8}

// familyOf is the family of an address, as in struct rtmsg.
func familyOf(a netip.Addr) byte {
	if a.Is4() {
		return kernel.AFInet
	}
	return kernel.AFInet6
}

// deadRoutes reads the routes of a type that leads nowhere that a packet to an address may have
// matched: the longest prefix of each table. A type that is not known has none.
func deadRoutes(kind string, to netip.Addr) (map[uint32]netip.Prefix, error) {
	longest := make(map[uint32]netip.Prefix)
	typ, ok := deadTypes[kind]
	if !ok {
		return longest, nil
	}
	request := make([]byte, sizeofRtmsg)
	request[0], request[7] = familyOf(to), typ
	err := kernel.DumpStrict(kernel.Route, rtmGetRoute, request, func(message []byte) error {
		table, prefix, err := parseRoute(message)
		known, seen := longest[table]
		if err == nil && message[7] == typ && prefix.Contains(to) && (!seen || prefix.Bits() > known.Bits()) {
			longest[table] = prefix
		}
		return err
	})
	return longest, err
}

// parseRoute reads a struct rtmsg with its attributes, but for the type.
func parseRoute(message []byte) (table uint32, prefix netip.Prefix, err error) {
	if err := kernel.CheckSize(message, sizeofRtmsg, "a route"); err != nil {
		return 0, prefix, err
	}
	table = uint32(message[4])
	to := netip.IPv6Unspecified()
	if message[0] == kernel.AFInet {
		to = netip.IPv4Unspecified()
	}
	err = kernel.EachAttribute(message[sizeofRtmsg:], func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case rtaDst:
			if addr, ok := netip.AddrFromSlice(a.Bytes()); ok {
				to = addr
			}
		case rtaTable:
			table = a.Uint32()
		}
	})
	return table, netip.PrefixFrom(to, int(message[1])), err
}

// Egress asks the kernel for the name of the interface by which packets of a flow have to
// leave, in the network namespace of the calling thread. Ifname is that by which they
// arrive: if none do, or the kernel does not accept them there, it is asked for packets
// of this host.
func Egress(to, from netip.Addr, ifname string) (string, error) {
	if in, err := net.InterfaceByName(ifname); err == nil && familyOf(from) == familyOf(to) {
		if oif, err := EgressIndex(to, from, uint32(in.Index)); err == nil {
			return nameOfInterface(oif)
		}
	}
	oif, err := EgressIndex(to, netip.Addr{}, 0)
	if err != nil {
		return "", err
	}
	return nameOfInterface(oif)
}

// nameOfInterface is empty for the index 0.
func nameOfInterface(index uint32) (string, error) {
	if index == 0 {
		return "", nil
	}
	i, err := net.InterfaceByIndex(int(index))
	if err != nil {
		return "", err
	}
	return i.Name, nil
}

// EgressIndex returns the index of that interface, 0 if the route has several. Iif is that by
// which packets arrive; 0: they are of this host.
func EgressIndex(to, from netip.Addr, iif uint32) (oif uint32, err error) {
	err = routeOf(to, from, iif, 0, func(message []byte) error {
		return kernel.EachAttribute(message[sizeofRtmsg:], func(a *netlink.AttributeDecoder) {
			if a.Type() == rtaOif {
				oif = a.Uint32()
			}
		})
	})
	return oif, err
}

// routeOf calls use with the route of one packet, as the kernel gives it with these flags.
func routeOf(to, from netip.Addr, iif, flags uint32, use func(message []byte) error) error {
	request, err := routeRequest(to, from, iif, flags)
	if err != nil {
		return err
	}
	return kernel.Get(kernel.Route, rtmGetRoute, request, func(message []byte) error {
		if err := kernel.CheckSize(message, sizeofRtmsg, "a route"); err != nil {
			return err
		}
		return use(message)
	})
}

// routeRequest asks for the route of one packet.
func routeRequest(to, from netip.Addr, iif, flags uint32) ([]byte, error) {
	header := make([]byte, sizeofRtmsg)
	header[0], header[1] = familyOf(to), byte(to.BitLen())
	binary.NativeEndian.PutUint32(header[8:], flags)
	attributes := netlink.NewAttributeEncoder()
	attributes.ByteOrder = binary.NativeEndian
	attributes.Bytes(rtaDst, to.AsSlice())
	if iif != 0 {
		header[2] = byte(from.BitLen())
		attributes.Bytes(rtaSrc, from.AsSlice())
		attributes.Uint32(rtaIif, iif)
	}
	encoded, err := attributes.Encode()
	return append(header, encoded...), err
}
