package counters_test

import (
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

func TestMain(m *testing.M) { vmtest.Main(m) }

// TestFilter: what an action cannot send to an interface that is down is over its
// limit, and dropped by the qdisc.
func TestFilter(t *testing.T) {
	vmtest.RequireRoot(t)
	ns := drops.NewNamespace(t)
	inNamespace(t, ns, `ip link add near type veth peer name far
tc qdisc add dev lo clsact
tc filter add dev lo ingress pref 1 protocol ip u32 match ip dport 9 0xffff action mirred egress redirect dev far
`)
	got := changes(t, ns, func() { sendUDP(t, ns, 3, 9) }, counters.Filter, counters.Qdisc)
	const object = "lo ingress protocol ip pref 1 u32 fh 800::800 action 1 mirred filter."
	for name, want := range map[string]uint64{
		object + "packets": 3, object + "dropped": 0, object + "overlimits": 3, "lo clsact ffff: qdisc.dropped": 3,
	} {
		if c, found := got[name]; !found || c.Delta != want {
			t.Errorf("%s rose by %d, want %d of %v", name, c.Delta, want, got)
		}
	}
}

// TestGuestFilter: the actions drop and police, in a block and below a queue; the
// kernel of the host may have none of them. The shell of guests has a tc of its own.
func TestGuestFilter(t *testing.T) {
	ns := drops.NewNamespace(t)
	inNamespace(t, ns, `/usr/sbin/ip link add near type veth peer name far
/usr/sbin/tc qdisc add dev lo clsact
/usr/sbin/tc filter add dev lo ingress pref 1 protocol ip flower ip_proto udp dst_port 9 action drop
/usr/sbin/tc filter add dev lo egress pref 2 protocol ip flower ip_proto udp dst_port 11 action police rate 8kbit burst 30 drop
/usr/sbin/tc qdisc add dev near ingress_block 22 clsact
/usr/sbin/tc qdisc add dev far ingress_block 22 clsact
/usr/sbin/tc filter add block 22 pref 4 matchall action drop
`)
	got := changes(t, ns, func() { sendUDP(t, ns, 3, 9, 11) }, counters.Filter, counters.Qdisc)
	for name, want := range map[string]uint64{
		"lo ingress protocol ip pref 1 flower handle 0x1 action 1 gact filter.dropped":  3,
		"lo egress protocol ip pref 2 flower handle 0x1 action 1 police filter.dropped": 3,
		"lo clsact ffff: qdisc.dropped": 6,
		"block 22 protocol all pref 4 matchall handle 0x1 action 1 gact filter.dropped": 0,
	} {
		if c, found := got[name]; !found || c.Delta != want {
			t.Errorf("%s rose by %d, want %d of %v", name, c.Delta, want, got)
		}
	}
}
