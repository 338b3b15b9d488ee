package filter_test

import (
	"slices"
	"strings"
	"testing"
)

// TestPcapFilter tests the words of pcap-filter(7) on packets. What is
// meant to be different: VLAN tags are passed, so that a tagged packet is found
// by what it carries.
func TestPcapFilter(t *testing.T) {
	query := udp(40000, 53, nil)
	packets := map[string][]byte{
		"dns4": eth(0x0800, ip4(17, query)),
		"dns6": eth(0x86dd, ip6(17, query)),
		"web":  eth(0x0800, ip4(6, tcp(53, 80, 0x002))),
		"sctp": eth(0x0800, ip4(132, sctp(2905, 53))),
		"arp":  eth(0x0806, arp(1)),
		"ping": eth(0x0800, ip4(1, icmp(8, 0, nil))),
		"ns":   eth(0x86dd, ip6(58, icmp(135, 0, nil))),
		"err":  eth(0x0800, router4(1, icmp(3, 3, ip4(17, query)))),
		"tag":  eth(0x8100, vlan(7, 0x0800, ip4(17, query))),
		"qinq": eth(0x88a8, vlan(100, 0x8100, vlan(7, 0x86dd, ip6(6, tcp(1, 2, 0x012))))),
		"tail": eth(0x0800, ip4frag(17, 185, query)),
		"all":  append([]byte{255, 255, 255, 255, 255, 255}, eth(0x0806, arp(2))[6:]...),
	}
	tests := []struct{ text, want string }{
		{"ip", "dns4 err ping sctp tag tail web"},
		{"ip6", "dns6 ns qinq"},
		{"arp", "all arp"},
		{"tcp", "qinq web"},
		{"udp", "dns4 dns6 tag tail"},
		{"icmp", "err ping"},
		{"icmp6", "ns"},
		{"host 192.0.2.1", "all arp dns4 ping sctp tag tail web"},
		{"src 192.0.2.1 and not arp", "dns4 ping sctp tag tail web"},
		{"dst host 192.0.2.1", ""},
		{"dst net 203.0.113.0/24", "err"},
		{"net 2001:db8:2::/48", "dns6 ns qinq"},
		{"ip host 192.0.2.1", "dns4 ping sctp tag tail web"},
		{"arp host 198.51.100.2", "all arp"},
		{"arp src 198.51.100.2", ""},
		{"ip6 dst 2001:db8:2::2", "dns6 ns qinq"},
		{"src or dst net 198.51.100.0/24 and arp", "all arp"},
		{"port 53", "dns4 dns6 sctp tag web"},
		{"src port 53", "web"},
		{"udp port 53", "dns4 dns6 tag"},
		{"tcp dst port 80", "web"},
		{"sctp port 2905", "sctp"},
		{"portrange 79-81", "web"},
		{"tcp src portrange 50-60", "web"},
		{"ip proto 17", "dns4 tag tail"},
		{"ip6 proto tcp", "qinq"},
		{"ether proto arp", "all arp"},
		{"ether host 02:00:5e:00:53:02", "arp dns4 dns6 err ns ping qinq sctp tag tail web"},
		{"ether dst ff:ff:ff:ff:ff:ff", "all"},
		{"ether broadcast", "all"},
		{"vlan", "qinq tag"},
		{"vlan 7", "qinq tag"},
		{"vlan 100 and tcp", "qinq"},
		{"vlan.outer == 7", "tag"},
		{"less 50", "all arp dns4 ping sctp tag tail"},
		{"greater 75", "qinq"},
		{"port 53 and not (tcp or sctp)", "dns4 dns6 tag"},
		{"not ip && !ip6", "all arp"},
		{"tcp.flags == syn", "web"},
		{"tcp.flags has syn", "qinq web"},
		{"icmp.type == icmp-echo", "ping"},
		{"icmp.code 3", "err"},
		{"icmp.id 0x0102 and icmp.seq == 3", "ping"},
		{"icmpv6.type neighbor-solicitation", "ns"},
		{"quoted udp port 53", "err"},
		{"quoted host 192.0.2.1", "err"},
		{"frag", "tail"},
		{"ip.df", "dns4 ping sctp tag web"},
		{"ip.offset == 1480", "tail"},
		{"ttl 1", "err"},
		{"dscp ef and tcp", "web"},
		{"arp.op reply", "all"},
		{"arp.src.mac 02:00:5e:00:53:01", "all arp"},
		{"tcp.seq 1000 and tcp.ack >= 2000", "qinq web"},
		{"sctp.tag 0xcafe and sctp.chunk init", "sctp"},
		{"udp.len == 8", "dns4 dns6 tag"},
	}
	for _, tt := range tests {
		var got []string
		for name, data := range packets {
			if e := dropOf(data); parse(t, tt.text).Match(&e) {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%s: %q, want %q", tt.text, got, tt.want)
		}
	}
}
