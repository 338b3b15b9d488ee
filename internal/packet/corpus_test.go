package packet_test

import "dropwatch/internal/event"

// A sample is a packet that the tests share.
type sample struct {
	name string
	link event.LinkType
	data []byte
}

const (
	tIPv4, tARP, tIPv6, tTEB = 0x0800, 0x0806, 0x86dd, 0x6558
	tVLAN, tQinQ             = 0x8100, 0x88a8
)

// corpus is a whole packet of every kind, none of them malformed.
func corpus() []sample {
	plain4, plain6 := ip4(17, udp(53, []byte(payload))), ip6(17, udp(53, []byte(payload)))
	frame := func(name string, t uint16, b []byte) sample { return sample{name, event.LinkEthernet, eth(t, b)} }
	v4 := func(name string, proto uint8, b []byte) sample { return frame(name, tIPv4, ip4(proto, b)) }
	v6 := func(name string, next uint8, b []byte) sample { return frame(name, tIPv6, ip6(next, b)) }
	out4 := func(name string, proto uint8, b []byte) sample { return frame(name, tIPv4, outer4(proto, b)) }
	out6 := func(name string, next uint8, b []byte) sample { return frame(name, tIPv6, outer6(next, b)) }
	return []sample{
		v4("udp", 17, udp(53, []byte(payload))),
		v4("tcp", 6, tcp(0x012, "\x02\x04\x05\xb4\x01\x03\x03\x07")),
		v4("tcp with a window scale", 6, tcp(0x002, "\x02\x04\x05\xb4\x01\x03\x03\x07")),
		v4("tcp with timestamps", 6, tcp(0x010, "\x01\x01\x08\x0a\x01\x02\x03\x04\x05\x06\x07\x08")),
		v4("tcp all flags", 6, tcp(0x1ff, "")),
		v4("tcp options of length zero", 6, tcp(0x010, "\x08\x00\x00\x00")),
		v4("sctp", 132, sctp(0)),
		v4("esp", 50, pack(uint32(0x1002), uint32(9), payload)),
		v4("ah", 51, ah(6, tcp(0x002, ""))),
		v4("ah and esp", 51, ah(50, pack(uint32(0x1002), uint32(9), payload))),
		v4("an unknown protocol", 253, []byte(payload)),
		{"lo", event.LinkEthernet, pack(make([]byte, 12), uint16(tIPv4), plain4)},
		{"raw ipv4", event.LinkRaw, plain4},
		{"raw ipv6", event.LinkRaw, plain6},
		frame("padding", tIPv4, pack(ip4(17, udp(53, nil)), make([]byte, 18))),
		v4("udp of length zero", 17, pack(uint16(40000), uint16(53), uint32(0), payload)),
		frame("ipv4 options", tIPv4, ip4frag(17, 0, "\x94\x04\x00\x00", udp(53, []byte(payload)))),
		frame("first fragment", tIPv4, ip4frag(17, 0x2000, "", pack(uint16(1), uint16(53), uint16(3000), uint16(0), payload))),
		frame("middle fragment", tIPv4, ip4frag(17, 0x2000|185, "", []byte(payload))),
		frame("last fragment", tIPv4, ip4frag(17, 370, "", []byte(payload))),

		v6("ipv6 udp", 17, udp(53, []byte(payload))),
		v6("ipv6 tcp", 6, tcp(0x0c2, "")),
		v6("ipv6 sctp", 132, sctp(1)),
		v6("ipv6 hop-by-hop", 0, ext(17, udp(53, nil))),
		v6("ipv6 every extension", 0, ext(60, ext(43, ext(44, frag6(60, 0, ext(51, ah(17, udp(53, nil)))))))),
		v6("ipv6 first fragment", 44, frag6(6, 1, tcp(0x010, ""))),
		v6("ipv6 last fragment", 44, frag6(17, 1448, []byte(payload))),
		v6("ipv6 no next header", 59, nil),

		frame("arp request", tARP, arp(1)),
		frame("arp reply", tARP, arp(2)),
		frame("arp of infiniband", tARP, pack(uint16(32), uint16(tIPv4), uint8(20), uint8(4), uint16(1), make([]byte, 48))),
		frame("vlan", tVLAN, vlan(0x6000|10, tIPv4, plain4)),
		frame("vlan of priority alone", tVLAN, vlan(0xe000, tARP, arp(1))),
		frame("qinq", tQinQ, vlan(0x3000|100, tVLAN, vlan(0x6000|10, tIPv6, plain6))),
		frame("qinq before 802.1ad", 0x9100, vlan(200, tVLAN, vlan(20, tARP, arp(1)))),
		frame("mpls", 0x8847, pack(uint32(100<<12|64), uint32(200<<12|1<<8|64), ip4(6, tcp(0x010, "")))),
		frame("pppoe", 0x8864, pack(uint8(0x11), uint8(0), uint16(7), uint16(2+len(plain6)), uint16(0x0057), plain6)),
		frame("unknown ethertype", 0x88cc, []byte(payload)),
		{"ieee 802.3", event.LinkEthernet, pack(macs, uint16(3+len(payload)), "\x42\x42\x03", payload)},

		v4("icmp echo", 1, icmp(8, 0, 0x0102_0003, []byte(payload))),
		v4("icmp echo reply", 1, icmp(0, 0, 0x0102_0003, []byte(payload))),
		v4("icmp router solicitation", 1, icmp(10, 0, 0, nil)),
		v4("icmp timestamp", 1, icmp(13, 0, 0x0102_0003, make([]byte, 12))),
		out4("icmp unreachable", 1, icmp(3, 3, 0, plain4)),
		out4("icmp fragmentation needed", 1, icmp(3, 4, 1400, ip4(6, tcp(0x010, ""))[:28])),
		out4("icmp time exceeded", 1, icmp(11, 0, 0, ip4(1, icmp(8, 0, 0x0102_0003, nil)))),
		v6("icmpv6 echo", 58, icmp(128, 0, 0x0102_0003, []byte(payload))),
		v6("icmpv6 neighbour solicitation", 58, icmp(135, 0, 0, pack(b6))),
		out6("icmpv6 unreachable", 58, icmp(1, 4, 0, plain6)),
		out6("icmpv6 too big", 58, icmp(2, 0, 1280, ip6(44, frag6(6, 1, tcp(0x010, ""))))),

		out4("vxlan", 17, udp(4789, vxlan(0x123456, eth(tIPv4, ip4(6, tcp(0x018, "")))))),
		out4("vxlan on the port of linux", 17, udp(8472, vxlan(0xffffff, eth(tIPv4, plain4)))),
		frame("vxlan in fragments", tIPv4,
			ip4frag(17, 0x2000, "", pack(udp(4789, vxlan(9, eth(tIPv4, ip4(17, udp(53, make([]byte, 80))))))[:64]))),
		out4("vxlan without a vni", 17, udp(4789, make([]byte, 8))),
		out4("vxlan and vlan", 17, udp(4789, vxlan(7, eth(tVLAN, vlan(30, tARP, arp(1)))))),
		out6("geneve", 17, udp(6081, geneve(0x654321, tTEB, "\x01\x02\x80\x01OPTS", eth(tIPv6, plain6)))),
		out4("geneve without ethernet", 17, udp(6081, geneve(5, tIPv4, "", ip4(132, sctp(0))))),
		out4("gre", 47, gre(0, tIPv4, "", ip4(1, icmp(11, 0, 0, plain4)))),
		out4("gre key", 47, gre(0xb000, tTEB, "\x00\x00\x00\x00\x00\x00\x00\x2a\x00\x00\x00\x01", eth(tIPv4, plain4))),
		out6("gre ipv6", 47, gre(0, tIPv6, "", plain6)),
		out4("ip in ip", 4, ip4(6, tcp(0x004, ""))),
		out4("6in4", 41, plain6),
		out6("4in6", 4, plain4),
		out4("geneve of another version", 17, udp(6081, pack(uint8(0x40), geneve(1, tIPv4, "", plain4)[1:]))),
		out4("gre with routing", 47, gre(0x4000, tIPv4, "", make([]byte, 8))),
		out4("ip in ip in gre", 47, gre(0, tIPv4, "", ip4(4, plain4))),
		out4("tunnel in tunnel", 17, udp(4789, vxlan(1, eth(tIPv4, ip4(47, gre(0, tIPv4, "", plain4)))))),
	}
}

// malformed are packets that contradict themselves, and where that is seen.
func malformed() []sample {
	v4 := func(name string, b []byte) sample { return sample{name, event.LinkEthernet, eth(tIPv4, b)} }
	v6 := func(name string, b []byte) sample { return sample{name, event.LinkEthernet, eth(tIPv6, b)} }
	good := func() []byte { return ip4(6, tcp(0x010, "")) }
	set := func(b []byte, at int, to ...byte) []byte { copy(b[at:], to); return b }
	loop := ip6(60, nil)
	for range 20 {
		loop = append(loop, 60, 0, 1, 4, 0, 0, 0, 0)
	}
	return []sample{
		v4("ipv4 that is ipv6", ip6(17, udp(53, nil))),
		v6("ipv6 that is ipv4", good()),
		v4("ihl 0", set(good(), 0, 0x40)),
		v4("ihl 4", set(good(), 0, 0x44)),
		v4("ihl beyond the packet", set(ip4(6, nil), 0, 0x4f)),
		v4("total length within the header", set(good(), 2, 0, 19)),
		v4("total length within tcp", set(good(), 2, 0, 39)),
		v4("tcp offset 0", set(good(), 32, 0x00)),
		v4("tcp offset 4", set(good(), 32, 0x40)),
		v4("tcp offset beyond the packet", set(good(), 32, 0xf0)),
		v4("udp length 7", ip4(17, set(udp(53, []byte(payload)), 4, 0, 7))),
		v4("udp length beyond the packet", ip4(17, set(udp(53, []byte(payload)), 4, 0, 17))),
		v4("udp without a header", ip4(17, []byte("123"))),
		v4("icmp without a header", ip4(1, []byte("1"))),
		v4("sctp without a chunk", ip4(132, sctp(0)[:12])),
		v4("a tunnel shorter than what is in it", ip4(4, good()[:30])),
		v4("gre without its key", ip4(47, gre(0x2000, tIPv4, "\x00", nil))),
		v4("vxlan without a header", ip4(17, udp(4789, vxlan(1, nil)[:7]))),
		v4("geneve options beyond the packet", ip4(17, udp(6081, set(geneve(1, tIPv4, "", nil), 0, 0x3f)))),
		v4("ah beyond the packet", ip4(51, set(ah(6, tcp(0, "")), 1, 0xff))),
		v6("too many extension headers", set(loop, 4, 0, 160)),
		v6("extension header beyond the packet", ip6(0, set(ext(17, udp(53, nil)), 1, 0xff))),
		v6("a fragment of a fragment", ip6(44, frag6(44, 0, frag6(17, 8, udp(53, nil))))),
		v6("fragment header cut short", ip6(44, frag6(17, 0, nil)[:7])),
	}
}
