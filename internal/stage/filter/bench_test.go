package filter_test

import (
	"strings"
	"testing"
)

var typical = []string{
	"reason == NO_SOCKET",
	"reason == NO_SOCKET and dst port 53 and not iface lo",
	"net 10.0.0.0/8 or net 192.168.0.0/16",
	"udp port 53",
	"tcp.flags has syn",
	"symbol == nf_*",
	"symbol ~ ^nf_",
	"point == {tcp_v4_rcv, icmp_rcv+0x1a2, nf_*}",
	"stack has nf_hook_slow",
	"inner tcp port 443 and vni 7 and len > 1400",
	"process nginx and socket listening and netns != red and process",
	"not container 4f1c2d3e4a5b or not unit nginx or not cgroup == /system.slice/* or owner",
}

func TestMatchDoesNotAllocate(t *testing.T) {
	e := full()
	for _, text := range append(comparisons, typical...) {
		f := parse(t, text)
		if n := testing.AllocsPerRun(100, func() { f.Match(&e) }); n != 0 {
			t.Errorf("%s: %v allocations, want none", text, n)
		}
	}
}

func BenchmarkMatch(b *testing.B) {
	e := full()
	for _, text := range typical {
		f := parse(b, text)
		b.Run(strings.ReplaceAll(text, " ", "_"), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				f.Match(&e)
			}
		})
	}
}
