package settings_test

import (
	"slices"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/settings"
)

// TestDevices: what a device is set to is compared with the devices below and beside it, with the
// CPUs, and with what this host does.
func TestDevices(t *testing.T) {
	ring := func(now, most uint32) map[string]counters.Size {
		return map[string]counters.Size{"ring_rx": {Now: now, Most: most}}
	}
	r := settings.New(tree(map[string]string{
		"sys/devices/system/cpu/online":                  "0-3\n",
		"proc/sys/net/ipv4/conf/eth0/forwarding":         "1\n",
		"proc/sys/net/ipv4/conf/eth1/forwarding":         "0\n",
		"sys/class/net/eth0/queues/rx-0/rps_cpus":        "00000000,0000000f\n",
		"sys/class/net/eth0/queues/rx-1/rps_cpus":        "00000000,00000000\n",
		"sys/class/net/eth0/queues/tx-0/xps_cpus":        "0\n",
		"sys/class/net/eth1/queues/rx-0/other_than_that": "f\n",
	}))
	r.SetDevices([]counters.Device{
		{IfName: "br0", Kind: "bridge", MTU: 1500, Queue: 1000},
		{IfName: "eth0", MTU: 1500, Queue: 1000, Rings: ring(256, 4096), Receive: counters.Size{Now: 1, Most: 8}, LRO: true, GRO: true},
		{IfName: "eth1", MTU: 1500, Rings: ring(256, 256), Receive: counters.Size{Now: 4, Most: 8}, LRO: true, Master: "br1"},
		{IfName: "eth2", MTU: 9000, Receive: counters.Size{Now: 2, Most: 2}, LRO: true, Master: "br0"},
		{IfName: "eth2.5", Kind: "vlan", MTU: 9000, Lower: "eth2"},
		{IfName: "eth2.6", Kind: "vlan", MTU: 9001, Lower: "eth2"},
		{IfName: "lo", Loopback: true, MTU: 65536},
		{IfName: "port", Kind: "veth", MTU: 1400, Master: "br0", Receive: counters.Size{Now: 1, Most: 8}},
		{IfName: "tun0", Kind: "tun", MTU: 1500},
		{IfName: "vrf0", Kind: "vrf", MTU: 65575},
		{IfName: "in-vrf", MTU: 1500, Master: "vrf0"},
		{IfName: "vx", Kind: "vxlan", MTU: 1450, Inside: 50, Lower: "eth0", TxChecksum: true},
		{IfName: "vx-long", Kind: "vxlan", MTU: 1451, Inside: 50, Lower: "eth0"},
	})
	want := map[string][]settings.OnInterface{
		"ring_rx": {{IfName: "eth0", Value: "256 of 4096"}, {IfName: "eth1", Value: "256 of 256"}},
		"queues": {
			{IfName: "eth0", Value: "1 of 8, for 4 CPUs", Deviates: true}, {IfName: "eth1", Value: "4 of 8, for 4 CPUs"},
			{IfName: "eth2", Value: "2 of 2, for 4 CPUs"},
		},
		"rps": {{IfName: "eth0", Value: "on 1 of 2 queues"}},
		"mtu": {
			{IfName: "br0", Value: "1500"}, {IfName: "eth0", Value: "1500"}, {IfName: "eth1", Value: "1500"},
			{IfName: "eth2", Value: "9000"},
			{IfName: "eth2.5", Value: "9000"}, {IfName: "eth2.6", Value: "9001 over eth2: it has room for 9000", Deviates: true},
			{IfName: "lo", Value: "65536"}, {IfName: "port", Value: "1400 in br0, of which eth2 has 9000", Deviates: true},
			{IfName: "tun0", Value: "1500"}, {IfName: "vrf0", Value: "65575"}, {IfName: "in-vrf", Value: "1500"},
			{IfName: "vx", Value: "1450"},
			{IfName: "vx-long", Value: "1451 over eth0: with headers of 50 it has room for 1450", Deviates: true},
		},
		"tx_checksum": {{IfName: "vx", Value: "on"}, {IfName: "vx-long", Value: "off"}},
	}
	for name, want := range want {
		about, _ := settings.Find(name)
		if s, ok := r.Everywhere(about); !ok || !slices.Equal(s.Interfaces, want) {
			t.Errorf("%s: got  %+v\nwant %+v", name, s.Interfaces, want)
		}
	}
	deviating := map[string][]string{"lro": {"eth0", "eth2"}, "gro": nil, "txqueuelen": {
		"eth1", "eth2", "eth2.5", "eth2.6", "lo", "port", "tun0", "vrf0", "in-vrf", "vx", "vx-long",
	}}
	for name, want := range deviating {
		about, _ := settings.Find(name)
		s, _ := r.Everywhere(about)
		var got []string
		for _, i := range s.Interfaces {
			if i.Deviates {
				got = append(got, i.IfName)
			}
		}
		if !slices.Equal(got, want) || s.Deviates() != (want != nil) {
			t.Errorf("%s needs attention on %q, want %q", name, got, want)
		}
	}
	if s, ok := r.Read("device.{ifname}.mtu", "eth2.5"); !ok || s.Name != "device.eth2/5.mtu" || s.Value != "9000" {
		t.Errorf("got %+v", s)
	}
	if s, ok := r.Read("device.{ifname}.mtu", ""); ok {
		t.Errorf("of no interface: %+v", s)
	}
}
