package packet_test

import (
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/packet"
)

func TestDecodeDoesNotAllocate(t *testing.T) {
	var f event.Flow
	for _, s := range corpus() {
		if n := testing.AllocsPerRun(100, func() { packet.Decode(s.data, s.link, 0, &f) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", s.name, n)
		}
	}
}

func BenchmarkDecode(b *testing.B) {
	var f event.Flow
	for _, s := range corpus() {
		switch s.name {
		case "udp", "tcp", "ipv6 udp", "ipv6 every extension", "arp request", "qinq", "icmp unreachable", "vxlan", "gre":
			b.Run(strings.ReplaceAll(s.name, " ", "-"), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					packet.Decode(s.data, s.link, tIPv4, &f)
				}
			})
		}
	}
}
