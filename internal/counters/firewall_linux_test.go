package counters_test

import (
	"net"
	"net/netip"
	"os/exec"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/host"
	"dropwatch/internal/vmtest"
	"dropwatch/internal/vmtest/drops"
)

// sendUDP sends n datagrams to each of some ports of 127.0.0.1 from inside a namespace.
func sendUDP(t *testing.T, ns *drops.Namespace, n int, ports ...uint16) {
	t.Helper()
	ns.Do(func() error {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			return err
		}
		defer c.Close()
		for _, port := range ports {
			for range n {
				to := net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
				if _, err := c.WriteTo([]byte("x"), to); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// TestNFTablesLive: rules, a policy and a named counter count what they drop, read from
// inside the namespace and from outside.
func TestNFTablesLive(t *testing.T) {
	vmtest.RequireRoot(t)
	nftables(t)
}

// TestGuestNFTables: other kernels have other attributes.
func TestGuestNFTables(t *testing.T) { nftables(t) }

func nftables(t *testing.T) {
	ns := drops.NewNamespace(t)
	keepFound(t, ns)
	inNamespace(t, ns, `nft 'add table inet fw; add counter inet fw seven; add chain inet fw in { type filter hook input priority 0; }'
nft 'add rule inet fw in udp dport 7 counter name seven drop; add rule inet fw in udp dport 9 counter drop'
nft 'add rule inet fw in udp dport 11 counter accept'
nft 'add chain inet fw last { type filter hook input priority 5; policy accept; }'
`)
	got := changes(t, ns, func() { sendUDP(t, ns, 3, 7, 9, 9, 11) }, counters.NFTables)
	rose := make(map[string]uint64) // by ID and rule: handles depend on the kernel
	for _, c := range got {
		rose[c.ID()+" "+c.About] += c.Delta
	}
	for name, want := range map[string]uint64{
		`nftables.drop_packets udp dport 7 counter name "seven" drop`: 3,
		"nftables.drop_packets udp dport 9 counter drop":              6,
		"nftables.packets udp dport 11 counter accept":                3,
	} {
		if rose[name] != want {
			t.Errorf("%s rose by %d, want %d of %v", name, rose[name], want, got)
		}
	}
	here := ns.Inode()
	s := snapshot(t, &counters.Reader{
		Host: host.New("/"), Groups: []counters.Group{counters.NFTables},
		Netns: func(inode uint32, _ host.Netns) bool { return inode == here },
	})
	if len(s.Counters) != len(got) {
		t.Errorf("%d counters from outside, %d from inside", len(s.Counters), len(got))
	}
	for _, c := range s.Counters {
		if c.About == "udp dport 9 counter drop" && (c.Value != 6 || c.Hook != "INPUT") {
			t.Errorf("from outside: %+v", c)
		}
	}
}

func TestIPTablesLive(t *testing.T) {
	vmtest.RequireRoot(t)
	if _, err := exec.LookPath("iptables-legacy"); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	ns := drops.NewNamespace(t)
	inNamespace(t, ns, `iptables-legacy -A INPUT -p udp --dport 9 -j DROP
iptables-legacy -N log
iptables-legacy -A INPUT -p udp --dport 11 -j log
iptables-legacy -A log -j REJECT
ip6tables-legacy -P FORWARD DROP
`)
	got := changes(t, ns, func() { sendUDP(t, ns, 3, 9, 11) }, counters.IPTables)
	for name, want := range map[string]uint64{
		"ip filter INPUT -p udp -m udp --dport 9 -j DROP iptables.drop_packets": 3,
		"ip filter INPUT -p udp -m udp --dport 11 -j log iptables.packets":      3,
		"ip filter log -j REJECT iptables.drop_packets":                         3,
		"ip6 filter FORWARD policy iptables.drop_packets":                       0,
	} {
		if c, found := got[name]; !found || c.Delta != want {
			t.Errorf("%s rose by %d, want %d of %v", name, c.Delta, want, got)
		}
	}
}

// TestIPTablesOfOneFamily: a kernel without those of IPv4 has those of IPv6.
func TestIPTablesOfOneFamily(t *testing.T) {
	vmtest.RequireRoot(t)
	if _, err := exec.LookPath("ip6tables-legacy"); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	ns := drops.NewNamespace(t)
	inNamespace(t, ns, "ip6tables-legacy -P FORWARD DROP\n")
	r := counters.Reader{
		Host: tree(map[string]string{"proc/thread-self/net/ip6_tables_names": "filter\n"}), Groups: []counters.Group{counters.IPTables},
	}
	ns.Do(func() error {
		if s := snapshot(t, &r); len(s.Counters) != 3 || s.Counters[1].About != "policy DROP" {
			t.Errorf("got %+v, want the policies of three chains", s.Counters)
		}
		return nil
	})
}

// TestNoFirewall: a namespace without rules has no counters, and nothing fails.
func TestNoFirewall(t *testing.T) {
	vmtest.RequireRoot(t)
	if got := changes(t, drops.NewNamespace(t), func() {}, counters.NFTables, counters.IPTables); len(got) != 0 {
		t.Errorf("got %v", got)
	}
}
