package nftables

import (
	"slices"
	"testing"

	"dropwatch/internal/event"
)

// TestTransportOfPacket: where it is, and that a later fragment has a protocol alone.
func TestTransportOfPacket(t *testing.T) {
	const udp = 17
	ipv4 := received([3]byte{192, 0, 2}, 9).Packet.Data
	fragment := slices.Clone(ipv4)
	fragment[7] = 1
	ipv6 := func(next byte, extensions ...byte) []byte {
		header := append([]byte{0x60, 0, 0, 0, 0, 8, next, 64}, make([]byte, 32)...)
		return append(append(header, extensions...), 0x9c, 0x40, 0, 9, 0, 8, 0, 0)
	}
	for _, test := range []struct {
		name                string
		proto               uint16
		data                []byte
		protocol, transport int
	}{
		{"IPv4", event.EtherIPv4, ipv4, udp, 20},
		{"a later fragment", event.EtherIPv4, fragment, udp, -1},
		{"a truncated header", event.EtherIPv4, ipv4[:19], -1, -1},
		{"IPv6", event.EtherIPv6, ipv6(udp), udp, 40},
		{"hop-by-hop options", event.EtherIPv6, ipv6(0, udp, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0), udp, 56},
		{"the first fragment of IPv6", event.EtherIPv6, ipv6(44, udp, 0, 0, 1, 0, 0, 0, 7), udp, 48},
		{"a later fragment of IPv6", event.EtherIPv6, ipv6(44, udp, 0, 0, 9, 0, 0, 0, 7), udp, -1},
		{"a transport header beyond the bytes", event.EtherIPv6, ipv6(60, udp, 9, 1, 12, 0, 0, 0, 0), udp, 120},
		{"ARP", event.EtherARP, make([]byte, 28), -1, -1},
	} {
		e := event.Event{Packet: event.Packet{
			Proto: test.proto, HasProto: true, Data: test.data, HasData: true, Link: event.LinkRaw,
		}}
		p, ok := NewPacket(&e)
		if !ok || p.protocol != test.protocol || p.transport != test.transport {
			t.Errorf("%s: %t, protocol %d at %d, want %d at %d", test.name, ok, p.protocol, p.transport, test.protocol, test.transport)
		}
	}
}

// TestNoPacket: bytes of which the network header is not known, or missing.
func TestNoPacket(t *testing.T) {
	whole := received([3]byte{192, 0, 2}, 9)
	for name, change := range map[string]func(*event.Packet){
		"no bytes":                func(p *event.Packet) { p.HasData = false },
		"no ethertype":            func(p *event.Packet) { p.HasProto = false },
		"another ethertype":       func(p *event.Packet) { p.Link = event.LinkEthernet },
		"an empty packet":         func(p *event.Packet) { p.Data = nil },
		"an Ethernet header only": func(p *event.Packet) { p.Data, p.Link = p.Data[:14], event.LinkEthernet },
	} {
		e := *whole
		change(&e.Packet)
		if _, ok := NewPacket(&e); ok {
			t.Errorf("%s: a packet", name)
		}
	}
	if _, ok := NewPacket(whole); !ok {
		t.Error("the whole packet is none")
	}
}
