package counters

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// A Route is an entry of a routing table that leads nowhere: packets for it are dropped.
type Route struct {
	Type   string       `json:"type"` // as ip-route(8) has it: blackhole, prohibit or unreachable
	Prefix netip.Prefix `json:"prefix"`
	Table  uint32       `json:"table"` // by its number
}

// String is the route for a person: "blackhole 10.9.0.0/16, table main".
func (r Route) String() string {
	return fmt.Sprintf("%s %v, table %s", r.Type, r.Prefix, r.TableName())
}

// TableName is the table as ip-route(8) has it, but for names that somebody gave to
// others than the kernel's own.
func (r Route) TableName() string {
	return cmp.Or(map[uint32]string{253: "default", 254: "main", 255: "local"}[r.Table], fmt.Sprint(r.Table))
}

// Sizes, attributes and types of include/uapi/linux/rtnetlink.h.
const (
	sizeofRtmsg = 12

	rtaDst   = 1
	rtaSrc   = 2
	rtaIif   = 3
	rtaOif   = 4
	rtaTable = 15
)

// deadTypes are the types of routes that lead nowhere (RTN_*).
var deadTypes = map[string]byte{"blackhole": 6, "unreachable": 7, "prohibit": 8}

// Address families, as in struct rtmsg.
func familyOf(a netip.Addr) byte {
	if a.Is4() {
		return afInet
	}
	return afInet6
}

// DeadRoutes reads the routes of a type that leads nowhere, such as "blackhole", that a
// packet to an address may have matched: the longest prefix of each table, the longest
// first. The route is in the network namespace of the calling thread. It fails before
// Linux 4.20, which cannot select routes by their type. A type that is not known has none.
func DeadRoutes(kind string, to netip.Addr) ([]Route, error) {
	typ, ok := deadTypes[kind]
	if !ok {
		return nil, nil
	}
	request := make([]byte, sizeofRtmsg)
	request[0], request[7] = familyOf(to), typ
	longest := make(map[uint32]Route)
	err := kernel.DumpStrict(kernel.Route, rtmGetRoute, request, func(message []byte) error {
		r, err := parseRoute(message)
		known, seen := longest[r.Table]
		if err == nil && message[7] == typ && r.Prefix.Contains(to) && (!seen || r.Prefix.Bits() > known.Prefix.Bits()) {
			r.Type = kind
			longest[r.Table] = r
		}
		return err
	})
	var all []Route
	for _, r := range longest {
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b Route) int {
		return cmp.Or(cmp.Compare(b.Prefix.Bits(), a.Prefix.Bits()), cmp.Compare(a.Table, b.Table))
	})
	return all, err
}

// parseRoute reads a struct rtmsg with its attributes, but for the type.
func parseRoute(message []byte) (r Route, err error) {
	if len(message) < sizeofRtmsg {
		return r, fmt.Errorf("the kernel's message about a route has %d bytes, and should have %d", len(message), sizeofRtmsg)
	}
	r.Table = uint32(message[4])
	to := netip.IPv6Unspecified()
	if message[0] == afInet {
		to = netip.IPv4Unspecified()
	}
	err = kernel.EachAttribute(message[sizeofRtmsg:], func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case rtaDst:
			if addr, ok := netip.AddrFromSlice(a.Bytes()); ok {
				to = addr
			}
		case rtaTable:
			r.Table = a.Uint32()
		}
	})
	r.Prefix = netip.PrefixFrom(to, int(message[1]))
	return r, err
}

// Egress asks the kernel for the name of the interface by which packets of a flow have to
// leave, in the network namespace of the calling thread. Ifname is that by which they
// arrive: if none do, or the kernel does not accept them there, it is asked for packets
// of this host.
func Egress(to, from netip.Addr, ifname string) (string, error) {
	all, err := readLinks()
	if err != nil {
		return "", err
	}
	names := namesOf(all)
	for index, name := range names {
		if name != ifname || familyOf(from) != familyOf(to) {
			continue
		}
		if oif, err := egress(to, from, index); err == nil {
			return names[oif], nil
		}
	}
	oif, err := egress(to, netip.Addr{}, 0)
	return names[oif], err
}

// egress returns the index of an interface, 0 if the route has several.
func egress(to, from netip.Addr, iif uint32) (oif uint32, err error) {
	request, err := egressRequest(to, from, iif)
	if err != nil {
		return 0, err
	}
	err = kernel.Get(kernel.Route, rtmGetRoute, request, func(message []byte) error {
		if len(message) < sizeofRtmsg {
			return fmt.Errorf("the kernel's message about a route has %d bytes, and should have %d", len(message), sizeofRtmsg)
		}
		return kernel.EachAttribute(message[sizeofRtmsg:], func(a *netlink.AttributeDecoder) {
			if a.Type() == rtaOif {
				oif = a.Uint32()
			}
		})
	})
	return oif, err
}

// egressRequest asks for the route of one packet.
func egressRequest(to, from netip.Addr, iif uint32) ([]byte, error) {
	header := make([]byte, sizeofRtmsg)
	header[0], header[1] = familyOf(to), byte(to.BitLen())
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
