package line_test

import (
	"net/netip"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/sink/line"
)

const ports = event.FieldSrcPort | event.FieldDstPort

func tcp(flags event.TCPFlags) event.Headers {
	h := ip4(event.TCP, 6, ports|event.FieldTCPFlags)
	h.TCPFlags = flags
	return h
}

func ip6(transport event.Layer, proto uint8, more event.Fields) event.Headers {
	h := ip4(transport, proto, more)
	h.Network, h.EtherType = event.IPv6, 0x86dd
	h.Src, h.Dst = netip.MustParseAddr("fe80::1"), netip.MustParseAddr("ff02::1")
	return h
}

func icmp(kind, code uint8) event.Headers {
	h := ip4(event.ICMP, 1, event.FieldICMPType|event.FieldICMPCode)
	h.ICMPType, h.ICMPCode = kind, code
	return h
}

func icmpv6(kind, code uint8) event.Headers {
	h := ip6(event.ICMPv6, 58, event.FieldICMPType|event.FieldICMPCode)
	h.ICMPType, h.ICMPCode = kind, code
	return h
}

func arp(op uint16) event.Headers {
	return event.Headers{
		Fields:    event.FieldEtherType | event.FieldARPOp | event.FieldSrc | event.FieldDst | event.FieldARPSrc | event.FieldARPDst,
		EtherType: 0x806, Network: event.ARP, ARPOp: op, ARPSrc: event.MAC{2, 0, 0x5e, 0, 0x53, 1},
		Src: netip.MustParseAddr("192.0.2.1"), Dst: netip.MustParseAddr("192.0.2.2"),
	}
}

// plus changes headers and adds the fields that are then there.
func plus(h event.Headers, f event.Fields, change func(*event.Headers)) event.Headers {
	change(&h)
	h.Fields |= f
	return h
}

func fragment(offset uint16, more bool) func(*event.Headers) {
	return func(h *event.Headers) { h.FragmentID, h.FragmentOffset, h.MoreFragments = 7, offset, more }
}

func TestHeaders(t *testing.T) {
	tests := map[string]event.Headers{
		"127.0.0.1:40449 > 127.0.0.2:9 tcp [S.]":        tcp(event.SYN | event.ACK),
		"127.0.0.1:40449 > 127.0.0.2:9 tcp [FSRP.UEWe]": tcp(0x1ff),
		"127.0.0.1:40449 > 127.0.0.2:9 tcp [none]":      tcp(0xe00),
		"127.0.0.1:40449 > 127.0.0.2:9 tcp":             ip4(event.TCP, 6, ports),
		"127.0.0.1 > 127.0.0.2 tcp":                     ip4(event.TCP, 6, 0),
		"[fe80::1]:40449 > [ff02::1]:9 udp":             ip6(event.UDP, 17, ports),
		"fe80::1 > ff02::1 udp frag 7@1480+": plus(
			ip6(event.UDP, 17, 0), event.FieldFragment|event.FieldFragmentID, fragment(1480, true),
		),
		"127.0.0.1 > 127.0.0.2 udp frag 7@2960": plus(
			ip4(event.UDP, 17, 0), event.FieldFragment|event.FieldFragmentID, fragment(2960, false),
		),
		"127.0.0.1:40449 > 127.0.0.2:9 udp frag @0+":          plus(ip4(event.UDP, 17, ports), event.FieldFragment, fragment(0, true)),
		"127.0.0.1:40449 > 127.0.0.2:9 udp":                   plus(ip4(event.UDP, 17, ports), event.FieldFragment, fragment(0, false)),
		"127.0.0.1 > 127.0.0.2 icmp echo reply":               icmp(0, 0),
		"127.0.0.1 > 127.0.0.2 icmp port unreachable":         icmp(3, 3),
		"127.0.0.1 > 127.0.0.2 icmp unreachable":              icmp(3, 200),
		"127.0.0.1 > 127.0.0.2 icmp reassembly time exceeded": icmp(11, 1),
		"127.0.0.1 > 127.0.0.2 icmp time exceeded":            icmp(11, 0),
		"127.0.0.1 > 127.0.0.2 icmp type 200 code 1":          icmp(200, 1),
		"127.0.0.1 > 127.0.0.2 icmp echo request seq 5": plus(
			icmp(8, 0), event.FieldICMPSeq, func(h *event.Headers) { h.ICMPSeq = 5 },
		),
		"127.0.0.1 > 127.0.0.2 icmp frag needed mtu 1400":   plus(icmp(3, 4), event.FieldMTU, func(h *event.Headers) { h.MTU = 1400 }),
		"fe80::1 > ff02::1 icmpv6 neighbor solicitation":    icmpv6(135, 0),
		"fe80::1 > ff02::1 icmpv6 address unreachable":      icmpv6(1, 3),
		"fe80::1 > ff02::1 icmpv6 unreachable":              icmpv6(1, 9),
		"fe80::1 > ff02::1 icmpv6 reassembly time exceeded": icmpv6(3, 1),
		"127.0.0.1 > 127.0.0.2 esp spi 0x1002": plus(
			ip4(event.ESP, 50, 0), event.FieldSPI, func(h *event.Headers) { h.SPI = 0x1002 },
		),
		"127.0.0.1:40449 > 127.0.0.2:9 sctp [INIT ACK]": plus(
			ip4(event.SCTP, 132, ports), event.FieldSCTPChunk, func(h *event.Headers) { h.SCTPChunk = 2 },
		),
		"127.0.0.1:40449 > 127.0.0.2:9 sctp chunk 99": plus(
			ip4(event.SCTP, 132, ports), event.FieldSCTPChunk, func(h *event.Headers) { h.SCTPChunk = 99 },
		),
		"127.0.0.1 > 127.0.0.2 vrrp":      ip4(event.NoLayer, 112, 0),
		"127.0.0.1 > 127.0.0.2 proto 253": ip4(event.NoLayer, 253, 0),
		"127.0.0.1 > 127.0.0.2 gre":       ip4(event.GRE, 47, 0),
		"ipv4": {
			Fields: event.FieldEtherType | event.FieldSrc, Network: event.IPv4, EtherType: 0x800,
		},
		"arp who-has 192.0.2.2 tell 192.0.2.1":        arp(1),
		"arp reply 192.0.2.1 is-at 02:00:5e:00:53:01": arp(2),
		"arp op 8": arp(8),
		"arp":      {Fields: event.FieldEtherType, Network: event.ARP},
		"127.0.0.1:40449 > 127.0.0.2:9 udp vlan 5 vlan 0": plus(ip4(event.UDP, 17, ports), event.FieldVLAN|event.FieldVLANInner,
			func(h *event.Headers) { h.VLAN[0].ID = 5 }),
		"02:00:5e:00:53:01 > ff:ff:ff:ff:ff:ff ethertype 0x1234": {
			Fields: event.FieldEthSrc | event.FieldEthDst | event.FieldEtherType, EtherType: 0x1234,
			EthSrc: event.MAC{2, 0, 0x5e, 0, 0x53, 1}, EthDst: event.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
		},
		"02:00:5e:00:53:01 > 00:00:00:00:00:00 802.2": {
			Fields: event.FieldEthSrc | event.FieldEthDst, EthSrc: event.MAC{2, 0, 0x5e, 0, 0x53, 1},
		},
		"802.2": {},
	}
	for want, h := range tests {
		if got := flow(t, event.Flow{Headers: h}); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}

// flow formats a packet that the kernel knows as one of IEEE 802.2.
func flow(t *testing.T, f event.Flow) string {
	t.Helper()
	got := format(t, line.Options{}, with(func(e *event.Event) { e.Packet.Flow, e.Packet.Proto = &f, 4 }))
	_, got, _ = strings.Cut(got, " lo    ")
	got, ok := strings.CutSuffix(got, " len 50\n")
	if !ok {
		t.Errorf("no length after %q", got)
	}
	return got
}

func TestFlowsWithin(t *testing.T) {
	outer := ip4(event.UDP, 17, ports)
	gre := event.Tunnel{Kind: event.GRE}
	tests := map[string]event.Flow{
		"127.0.0.1:40449 > 127.0.0.2:9 udp vxlan 42 { 127.0.0.1:40449 > 127.0.0.2:9 tcp [S] }": {
			Headers: outer, Tunnel: event.Tunnel{Kind: event.VXLAN, ID: 42, HasID: true}, Inner: tcp(event.SYN),
		},
		"127.0.0.1:40449 > 127.0.0.2:9 udp vxlan [truncated]": {
			Headers: outer, Tunnel: event.Tunnel{Kind: event.VXLAN}, Stop: event.Stop{Why: event.Truncated},
		},
		"127.0.0.1 > 127.0.0.2 gre { fe80::1 > ff02::1 icmpv6 echo reply }": {
			Headers: ip4(event.GRE, 47, 0), Tunnel: gre, Inner: icmpv6(129, 0),
		},
		"127.0.0.1 > 127.0.0.2 ipip { 127.0.0.1 > 127.0.0.2 icmp port unreachable { 127.0.0.1:40449 > 127.0.0.2:9 udp } }": {
			Headers: ip4(event.IPinIP, 4, 0), Tunnel: event.Tunnel{Kind: event.IPinIP}, Inner: icmp(3, 3), Quoted: outer,
		},
		"127.0.0.1 > 127.0.0.2 icmp port unreachable { 127.0.0.1:40449 > 127.0.0.2:9 udp }": {
			Headers: icmp(3, 3), Quoted: outer,
		},
		"127.0.0.1 > 127.0.0.2 udp [malformed]": {Headers: ip4(event.UDP, 17, 0), Stop: event.Stop{Why: event.Malformed}},
		"802.2 [truncated]":                     {Stop: event.Stop{Why: event.Truncated}},
	}
	for want, f := range tests {
		if got := flow(t, f); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
