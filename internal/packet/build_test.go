package packet_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Addresses of the packets that the tests build, from RFC 5737, 3849 and 7042.
var (
	a4, b4 = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.2")
	c4, d4 = netip.MustParseAddr("203.0.113.3"), netip.MustParseAddr("203.0.113.4")
	a6, b6 = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:2::2")
	c6, d6 = netip.MustParseAddr("2001:db8:3::3"), netip.MustParseAddr("2001:db8:4::4")
	macs   = []byte{0x02, 0, 0x5e, 0, 0x53, 2, 0x02, 0, 0x5e, 0, 0x53, 1}
)

const payload = "payload!"

// pack joins what is put into a packet, numbers in network order.
func pack(parts ...any) (b []byte) {
	for _, p := range parts {
		switch p := p.(type) {
		case uint8:
			b = append(b, p)
		case uint16:
			b = binary.BigEndian.AppendUint16(b, p)
		case uint32:
			b = binary.BigEndian.AppendUint32(b, p)
		case string:
			b = append(b, p...)
		case []byte:
			b = append(b, p...)
		case netip.Addr:
			b = append(b, p.AsSlice()...)
		default:
			panic(fmt.Sprintf("cannot pack %T", p))
		}
	}
	return b
}

func eth(t uint16, inside []byte) []byte { return pack(macs, t, inside) }

func vlan(tci, t uint16, inside []byte) []byte { return pack(tci, t, inside) }

func arp(op uint16) []byte {
	return pack(uint16(1), uint16(0x0800), uint8(6), uint8(4), op, macs[6:], a4, macs[:6], b4)
}

// ip4 builds IPv4 with a DSCP of AF41 and ECT(0).
func ip4(proto uint8, inside []byte) []byte { return ip4frag(proto, 0x4000, "", inside) }

func ip4frag(proto uint8, frag uint16, options string, inside []byte) []byte {
	size := 20 + len(options)
	return pack(uint8(0x40+size/4), uint8(34<<2|2), uint16(size+len(inside)), uint16(0x1234), frag,
		uint8(64), proto, uint16(0), a4, b4, options, inside)
}

// outer4 builds the IPv4 of a tunnel's ends, or of a router that sends an error.
func outer4(proto uint8, inside []byte) []byte {
	return pack(uint8(0x45), uint8(0), uint16(20+len(inside)), uint16(0xabcd), uint16(0),
		uint8(250), proto, uint16(0), c4, d4, inside)
}

// ip6 builds IPv6 with a DSCP of EF and a flow label.
func ip6(next uint8, inside []byte) []byte {
	return pack(uint32(6<<28|46<<22|0xabcde), uint16(len(inside)), next, uint8(63), a6, b6, inside)
}

// ext builds an extension header of 8 more bytes than it must have.
func ext(next uint8, inside []byte) []byte {
	return pack(next, uint8(1), uint8(1), uint8(12), make([]byte, 12), inside)
}

// outer6 is for IPv6 what outer4 is for IPv4.
func outer6(next uint8, inside []byte) []byte {
	return pack(uint32(6<<28), uint16(len(inside)), next, uint8(251), c6, d6, inside)
}

func frag6(next uint8, frag uint16, inside []byte) []byte {
	return pack(next, uint8(0), frag, uint32(0xdeadbeef), inside)
}

func ah(next uint8, inside []byte) []byte {
	return pack(next, uint8(4), uint16(0), uint32(0x1001), uint32(7), make([]byte, 12), inside)
}

func tcp(flags uint16, options string) []byte {
	return pack(uint16(49152), uint16(443), uint32(0x01020304), uint32(0x05060708),
		uint16((20+len(options))/4)<<12|flags, uint16(64240), uint16(0), uint16(0), options, payload)
}

func udp(dst uint16, inside []byte) []byte {
	return pack(uint16(40000), dst, uint16(8+len(inside)), uint16(0), inside)
}

func sctp(chunk uint8) []byte {
	return pack(uint16(2905), uint16(2906), uint32(0xcafe), uint32(0), chunk, uint8(3), uint16(4+len(payload)+12),
		make([]byte, 12), payload)
}

func icmp(kind, code uint8, rest uint32, inside []byte) []byte {
	return pack(kind, code, uint16(0), rest, inside)
}

func vxlan(vni uint32, inside []byte) []byte {
	return pack(uint32(0x08<<24), vni<<8, inside)
}

func geneve(vni uint32, t uint16, options string, inside []byte) []byte {
	return pack(uint8(len(options)/4), uint8(0), t, vni<<8, options, inside)
}

// gre builds GRE with the fields that its flags announce in rest.
func gre(flags, t uint16, rest string, inside []byte) []byte {
	return pack(flags, t, rest, inside)
}
