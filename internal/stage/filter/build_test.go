package filter_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// Addresses of the packets, from RFC 5737, 3849 and 7042.
var (
	a4, b4 = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.2")
	c4, d4 = netip.MustParseAddr("203.0.113.3"), netip.MustParseAddr("203.0.113.4")
	a6, b6 = netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8:2::2")
	macs   = []byte{0x02, 0, 0x5e, 0, 0x53, 2, 0x02, 0, 0x5e, 0, 0x53, 1}
)

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

func ip4(proto uint8, inside []byte) []byte { return ip4frag(proto, 0x4000, inside) }

// ip4frag builds IPv4 from a4 to b4, with a DSCP of EF and a TTL of 64.
func ip4frag(proto uint8, frag uint16, inside []byte) []byte {
	return pack(uint8(0x45), uint8(46<<2), uint16(20+len(inside)), uint16(0x1234), frag, uint8(64), proto, uint16(0), a4, b4, inside)
}

// router4 builds IPv4 from c4 to d4.
func router4(proto uint8, inside []byte) []byte {
	return pack(uint8(0x45), uint8(0), uint16(20+len(inside)), uint16(1), uint16(0), uint8(1), proto, uint16(0), c4, d4, inside)
}

func ip6(next uint8, inside []byte) []byte {
	return pack(uint32(6<<28), uint16(len(inside)), next, uint8(63), a6, b6, inside)
}

func tcp(src, dst, flags uint16) []byte {
	return pack(src, dst, uint32(1000), uint32(2000), 0x5000|flags, uint16(64240), uint32(0))
}

func udp(src, dst uint16, inside []byte) []byte {
	return pack(src, dst, uint16(8+len(inside)), uint16(0), inside)
}

func sctp(src, dst uint16) []byte {
	return pack(src, dst, uint32(0xcafe), uint32(0), uint8(1), uint8(0), uint16(4))
}

func icmp(kind, code uint8, inside []byte) []byte {
	return pack(kind, code, uint16(0), uint32(0x0102_0003), inside)
}

func vxlan(vni uint32, inside []byte) []byte { return pack(uint32(0x08<<24), vni<<8, inside) }
