package bpf

import (
	"slices"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/source/sourcetest"
)

// TestRouteExplains: a drop has the MTU that a packet exceeds, that of the route or of
// the interface it leads to, and the type of a route that leads nowhere.
func TestRouteExplains(t *testing.T) {
	mtu := []event.Arg{{Name: "mtu", Number: 1000}}
	route := func(kind string) []event.Arg { return []event.Arg{{Name: "route", Text: kind}} }
	tests := []struct {
		setup, dst string
		size       int
		want       []event.Arg
	}{
		{"ip route add 10.0.2.0/24 via 10.0.1.9 mtu lock 1000", "10.0.2.9", 1200, mtu},
		{"ip route add blackhole 10.0.3.0/24", "10.0.3.9", 10, route("blackhole")},
		{"ip route add prohibit 10.0.4.0/24", "10.0.4.9", 10, route("prohibit")},
		{"ip route add unreachable 10.0.5.0/24", "10.0.5.9", 10, route("unreachable")},
		{"ip route add 10.0.6.0/24 dev out", "10.0.7.9", 10, route("none")},
		{"ip link set out mtu 1000", "10.0.1.9", 1200, mtu},
		{"sysctl -w net.ipv4.ip_forward=0", "10.0.1.9", 10, route("unreachable")},
	}
	for _, form := range testedForms() {
		t.Run(form, func(t *testing.T) {
			p := newPlace(t)
			p.Wire()
			p.run(t, "ip link add out type veth peer name end", "ip addr add 10.0.1.1/24 dev out",
				"ip link set out up", "ip link set end up")
			r := sourcetest.Run(t, needForm(t, form, Options{Sample: DefaultSample}), func(e *event.Event) bool {
				// The errors that this host sends back wait in vain, some seconds, for the address of the near end.
				return e.Netns.Inode == p.inode && e.Port.IfName == "far" && e.Packet.Link == event.LinkEthernet
			})
			for i, tt := range tests {
				p.run(t, tt.setup)
				p.Arrive(tt.dst, tt.size)
				r.Await(uint64(i + 1))
			}
			kept := r.End()
			if len(kept) != len(tests) {
				t.Fatalf("%d drops, want %d: %+v", len(kept), len(tests), kept)
			}
			for i, tt := range tests {
				if !slices.Equal(kept[i].Args, tt.want) {
					t.Errorf("after %s: %+v, want %+v", tt.setup, kept[i], tt.want)
				}
			}
		})
	}
}
