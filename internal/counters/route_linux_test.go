package counters_test

import (
	"fmt"
	"net/netip"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// TestDeadRoutes: of each table the longest prefix that a packet matches, and no other type.
func TestDeadRoutes(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	ns.EnableIPv6()
	inNamespace(t, ns, `ip route add blackhole 10.0.0.0/8
ip route add blackhole 10.9.0.0/16
ip route add blackhole 10.9.1.0/24
ip route add prohibit 10.9.0.0/17
ip route add blackhole 10.9.0.0/20 table 100
ip route add unreachable default metric 9
ip -6 route add prohibit fd00:9::/32
`)
	for _, test := range []struct {
		kind, to string
		want     string
	}{
		{"blackhole", "10.9.0.1", "[blackhole 10.9.0.0/20, table 100 blackhole 10.9.0.0/16, table main]"},
		{"prohibit", "10.9.0.1", "[prohibit 10.9.0.0/17, table main]"},
		{"unreachable", "192.0.2.1", "[unreachable 0.0.0.0/0, table main]"},
		{"blackhole", "192.0.2.1", "[]"},
		{"none", "10.9.0.1", "[]"},
		{"prohibit", "fd00:9::1", "[prohibit fd00:9::/32, table main]"},
		{"blackhole", "fd00:9::1", "[]"},
	} {
		ns.Do(func() error {
			got, err := counters.DeadRoutes(test.kind, netip.MustParseAddr(test.to))
			if text := fmt.Sprint(got); err != nil || text != test.want {
				t.Errorf("%s for %s: %s, %v; want %s", test.kind, test.to, text, err, test.want)
			}
			return nil
		})
	}
}

// TestEgress: a packet that arrives may leave by another interface than one of this host.
func TestEgress(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	inNamespace(t, ns, `ip link add in type veth peer name in2
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
			if got, err := counters.Egress(to, test.from, test.ifname); err != nil || got != test.want {
				t.Errorf("from %v by %q: %q, %v; want %s", test.from, test.ifname, got, err, test.want)
			}
			return nil
		})
	}
	ns.Do(func() error {
		if got, err := counters.Egress(netip.MustParseAddr("192.0.2.1"), from, "in"); err == nil {
			t.Errorf("without a route it is %q", got)
		}
		return nil
	})
}
