package routing_test

import (
	"net/netip"
	"strings"
	"testing"

	"dropwatch/internal/routing"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

// each runs commands in a namespace, each a line. The shell of guests has an ip of its own.
func each(ns *drops.Namespace, commands string) {
	for line := range strings.Lines(commands) {
		words := strings.Fields(line)
		ns.Run(words[0], words[1:]...)
	}
}

// TestDeadEnds: the routes and the rules that may have dropped a packet, in their order; those
// that certainly did, alone.
func TestDeadEnds(t *testing.T) {
	vmtest.RequireRoot(t)
	deadEnds(t)
}

// TestGuestDeadEnds: other kernels have other attributes.
func TestGuestDeadEnds(t *testing.T) { deadEnds(t) }

func deadEnds(t *testing.T) {
	ns := drops.NewNamespace(t)
	ns.EnableIPv6()
	each(ns, `ip route add blackhole 10.0.0.0/8
ip route add blackhole 10.9.0.0/16
ip route add blackhole 10.9.1.0/24
ip route add prohibit 10.9.0.0/17
ip route add blackhole 10.9.0.0/20 table 100
ip route add blackhole 10.9.0.0/21 table 101
ip route add unreachable default metric 9
ip -6 route add prohibit fd00:9::/32
ip rule add pref 50 fwmark 0x1/0xf to 10.9.0.0/16 blackhole
ip rule add pref 60 iif far from 192.0.2.0/24 table 100
ip rule add pref 70 from 203.0.113.7 ipproto 17 dport 50-60 prohibit
ip rule add pref 80 not to 10.0.0.0/8 iif far unreachable
ip -6 rule add pref 90 from fd00:1::/64 blackhole
`)
	const (
		main   = "blackhole 10.9.0.0/16, table main"
		marked = "rule 50: from all to 10.9.0.0/16 fwmark 0x1/0xf blackhole"
	)
	for _, test := range []struct{ kind, from, to, iif, want string }{
		{"blackhole", "198.51.100.1", "10.9.0.1", "far", marked + "; " + main},
		{
			"blackhole", "192.0.2.1", "10.9.0.1", "far",
			marked + "; blackhole 10.9.0.0/20, table vpn, by rule 60: from 192.0.2.0/24 iif far lookup vpn",
		},
		{"blackhole", "192.0.2.1", "10.9.0.1", "near", marked + "; " + main},
		{"blackhole", "192.0.2.1", "10.1.0.1", "far", "blackhole 10.0.0.0/8, table main"},
		{"prohibit", "203.0.113.7", "10.9.0.1", "far", "rule 70: from 203.0.113.7 ipproto 17 dport 50-60 prohibit"},
		{"prohibit", "203.0.113.8", "10.9.0.1", "far", "prohibit 10.9.0.0/17, table main"},
		{"none", "198.51.100.1", "192.0.2.1", "far", "rule 80: not from all to 10.0.0.0/8 iif far unreachable"},
		{"none", "198.51.100.1", "10.1.0.1", "far", ""},
		{"unreachable", "198.51.100.1", "192.0.2.1", "near", "unreachable 0.0.0.0/0, table main"},
		{"blackhole", "198.51.100.1", "192.0.2.1", "near", ""},
		{"prohibit", "fd00:2::1", "fd00:9::1", "far", "prohibit fd00:9::/32, table main"},
		{"blackhole", "fd00:1::1", "fd00:9::1", "far", "rule 90: from fd00:1::/64 blackhole"},
	} {
		p := routing.Packet{
			From: netip.MustParseAddr(test.from), To: netip.MustParseAddr(test.to), Protocol: 17, SrcPort: 4000, DstPort: 53, Iif: test.iif,
		}
		ns.Do(func() error {
			all, err := routing.DeadEnds(test.kind, &p, map[uint32]string{100: "vpn"})
			var texts []string
			for _, d := range all {
				texts = append(texts, d.String())
			}
			if got := strings.Join(texts, "; "); err != nil || got != test.want {
				t.Errorf("%s from %s to %s by %s: %s, %v; want %s", test.kind, test.from, test.to, test.iif, got, err, test.want)
			}
			return nil
		})
	}
}

// TestEgress: a packet that arrives may leave by another interface than one of this host.
func TestEgress(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	each(ns, `ip link add in type veth peer name in2
ip link add out type veth peer name out2
ip link add other type veth peer name other2
ip addr add 10.0.0.1/24 dev in
ip addr add 10.0.1.1/24 dev out
ip addr add 10.0.2.1/24 dev other
ip link set in up
ip link set in2 up
ip link set out up
ip link set out2 up
ip link set other up
ip link set other2 up
sysctl -w net.ipv4.ip_forward=1
ip route add 10.9.0.0/16 via 10.0.1.9
ip route add 10.9.0.0/16 via 10.0.2.9 table 100
ip rule add iif in table 100
`)
	to, from := netip.MustParseAddr("10.9.0.1"), netip.MustParseAddr("10.0.0.2")
	for _, test := range []struct {
		from         netip.Addr
		ifname, want string
	}{
		{from, "in", "other"},
		{from, "", "out"},
		{from, "out", "out"}, // where the kernel does not accept it
		{from, "gone", "out"},
		{netip.Addr{}, "in", "out"},
	} {
		ns.Do(func() error {
			if got, err := routing.Egress(to, test.from, test.ifname); err != nil || got != test.want {
				t.Errorf("from %v by %q: %q, %v; want %s", test.from, test.ifname, got, err, test.want)
			}
			return nil
		})
	}
	for ifname, want := range map[string]string{
		"in": "10.9.0.0/16 via 10.0.2.9 dev other, table vpn", "": "10.9.0.0/16 via 10.0.1.9 dev out, table main",
	} {
		ns.Do(func() error {
			if got, err := routing.NextHop(to, from, ifname, map[uint32]string{100: "vpn"}); err != nil || got.String() != want {
				t.Errorf("next hop by %q: %v, %v; want %s", ifname, got, err, want)
			}
			return nil
		})
	}
	ns.Do(func() error {
		got, err := routing.NextHop(netip.MustParseAddr("10.0.1.7"), netip.Addr{}, "", nil)
		if err != nil || got.String() != "10.0.1.0/24 dev out, table main" {
			t.Errorf("the destination itself: %v, %v", got, err)
		}
		if got, err := routing.NextHop(netip.MustParseAddr("192.0.2.1"), from, "in", nil); err == nil {
			t.Errorf("without a route the next hop is %v", got)
		}
		return nil
	})
	ns.Do(func() error {
		if got, err := routing.Egress(netip.MustParseAddr("192.0.2.1"), from, "in"); err == nil {
			t.Errorf("without a route it is %q", got)
		}
		return nil
	})
}
