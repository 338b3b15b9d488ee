package counters_test

import (
	"net/netip"
	"testing"

	"dropwatch/internal/counters"
)

func TestListenerAccepts(t *testing.T) {
	for _, test := range []struct {
		local, ifname string
		v6only        bool
		to, by        string
		want          bool
	}{
		{"127.0.0.1:53", "", false, "127.0.0.1:53", "lo", true},
		{"127.0.0.1:53", "", false, "10.0.0.1:53", "lo", false},
		{"0.0.0.0:53", "", false, "10.0.0.1:53", "eth0", true},
		{"0.0.0.0:53", "", false, "10.0.0.1:54", "eth0", false},
		{"0.0.0.0:53", "", false, "[fd00::1]:53", "eth0", false},
		{"0.0.0.0:53", "eth1", false, "10.0.0.1:53", "eth0", false},
		{"0.0.0.0:53", "eth1", false, "10.0.0.1:53", "eth1", true},
		{"0.0.0.0:53", "eth1", false, "10.0.0.1:53", "", true},
		{"[::]:53", "", false, "10.0.0.1:53", "eth0", true},
		{"[::]:53", "", true, "10.0.0.1:53", "eth0", false},
		{"[::]:53", "", true, "[fd00::1]:53", "eth0", true},
		{"[::ffff:10.0.0.1]:53", "", false, "10.0.0.1:53", "eth0", true},
	} {
		l := counters.Listener{Local: netip.MustParseAddrPort(test.local), IfName: test.ifname, V6Only: test.v6only}
		if got := l.Accepts(netip.MustParseAddrPort(test.to), test.by); got != test.want {
			t.Errorf("%v (IPv6 only: %t) accepts packets to %s by %q: %t", &l, test.v6only, test.to, test.by, got)
		}
	}
}

func TestListenerAcceptsFrom(t *testing.T) {
	for _, test := range []struct {
		remote, src string
		want        bool
	}{
		{"", "10.0.0.1:53", true},
		{"10.0.0.1:53", "10.0.0.1:53", true},
		{"[::ffff:10.0.0.1]:53", "10.0.0.1:53", true},
		{"10.0.0.1:53", "10.0.0.1:54", false},
		{"10.0.0.1:53", "10.0.0.2:53", false},
	} {
		var l counters.Listener
		if test.remote != "" {
			l.Remote = netip.MustParseAddrPort(test.remote)
		}
		if got := l.AcceptsFrom(netip.MustParseAddrPort(test.src)); got != test.want {
			t.Errorf("a socket connected to %q accepts packets of %s: %t", test.remote, test.src, got)
		}
	}
}
