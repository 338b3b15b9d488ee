package app

import (
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/settings"
)

// counted is a snapshot with the IPv4 and the IPv6 table of neighbours, of which the first has been
// full, and refused connections.
func counted(full, refused uint64) *counters.Snapshot {
	neighbours := func(object, name string, value uint64) counters.Counter {
		c := counters.Counter{Key: counters.Key{Group: counters.Neighbour, Object: object, Name: name}, Value: value}
		if c.Gauge = name == "entries"; c.Gauge {
			c.Limit = 1024
		}
		return c
	}
	return &counters.Snapshot{Counters: []counters.Counter{
		neighbours("arp", "table_fulls", full), neighbours("ndisc", "table_fulls", 0),
		neighbours("arp", "entries", 3), neighbours("ndisc", "entries", 768),
		{Key: counters.Key{Group: counters.Protocol, Name: "TcpExtListenOverflows"}, Value: refused},
	}}
}

// TestSettingLine: a setting needs attention if its value deviates, packets were lost by it or a
// level is near its limit, and says on which interfaces another value counts than that of all.
func TestSettingLine(t *testing.T) {
	eth := []settings.OnInterface{{IfName: "a"}, {IfName: "b"}, {IfName: "c"}, {IfName: "d"}, {IfName: "e"}, {IfName: "f"}, {IfName: "g"}}
	for i := range eth {
		eth[i].Value, eth[i].Origin, eth[i].Deviates = "2", "/etc/sysctl.d/9-x.conf:1", true
	}
	eth = append(eth, settings.OnInterface{IfName: "lo", Value: "0"}, settings.OnInterface{IfName: "e\x1b", Value: "1"})
	for _, test := range []struct {
		setting               settings.Setting
		full, refused, lately uint64 // how often the IPv4 table was; connections before, and in the last second
		attention             bool
		says                  string
	}{
		{settings.Setting{Name: "net.core.somaxconn", Value: "4096"}, 9, 0, 0, false, "counted so far: TcpExtListenOverflows 0\n"},
		{settings.Setting{Name: "net.core.somaxconn", Value: "128", Origin: "/x:1"}, 0, 0, 0, true, "net.core.somaxconn = 128  (/x:1)\n"},
		{settings.Setting{Name: "net.core.somaxconn", Value: "4096"}, 0, 5, 2, true, "TcpExtListenOverflows 7, +2 in the last second\n"},
		{
			settings.Setting{Name: "net.ipv4.neigh.default.gc_thresh3", Value: "1024"}, 0, 0, 0, false,
			"neighbour.entries 3 (arp 3 of 1024)\n",
		},
		{settings.Setting{Name: "net.ipv4.neigh.default.gc_thresh3", Value: "1024"}, 9, 0, 0, true, "neighbour.table_fulls 9 (arp 9)"},
		{settings.Setting{Name: "net.ipv6.neigh.default.gc_thresh3", Value: "1024"}, 9, 0, 0, true, "neighbour.table_fulls 0"},
		{
			settings.Setting{Name: "net.ipv4.conf.all.rp_filter", Value: "0", Interfaces: eth}, 0, 0, 0, true,
			"rp_filter = 0\n    in effect 2 (/etc/sysctl.d/9-x.conf:1) on a, b, c, d, e, f, 1 more\n" +
				"    in effect 1 on e\\x1b\n",
		},
		{
			settings.Setting{Name: "device.{ifname}.mtu", Interfaces: []settings.OnInterface{
				{IfName: "a", Value: "1500"}, {IfName: "b", Value: "1500"}, {IfName: "p", Value: "1400 in br0", Deviates: true},
			}}, 0, 0, 0, true,
			"device.{ifname}.mtu\n    p: 1400 in br0\n    a, b: 1500\n",
		},
	} {
		s := &test.setting
		s.About, _ = settings.Find(s.Name)
		line := lineOf(s)
		line.count(counted(test.full, test.refused), counted(test.full, test.refused+test.lately))
		var b strings.Builder
		line.appendTo(&b, "")
		if line.needsAttention() != test.attention || !strings.Contains(b.String(), test.says) {
			t.Errorf("%s needs attention: %t, want %t and %q in\n%s", s.Name, line.needsAttention(), test.attention, test.says, b.String())
		}
	}
}
