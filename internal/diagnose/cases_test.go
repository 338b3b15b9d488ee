package diagnose_test

import (
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// A publicCase is a loss that somebody asked about in public: what the kernel shows of it, and what
// diagnose must say of that and must not.
type publicCase struct {
	name  string
	drops []*event.Event
	rows  []counters.Counter // that rose, or levels
	host  map[string]string  // answers, by their questions
	says  []string           // regular expressions, where a line break is a space
	not   []string           // traps: what people were told
	zoo   string             // the scenario of package zoo that loses the same for real; empty: there is none
}

// lost makes drops of a packet.
func lost(n uint64, reason, function, ifname string, change func(*event.Event)) *event.Event {
	e := udp(reason, 40001)
	e.Count, e.Segments, e.Port.IfName = n, n, ifname
	e.Packet.Proto, e.Packet.HasProto = 0x0800, true
	if function != "" {
		e.Where = event.Where{Frame: event.Frame{PC: 1, Lookup: event.Found, Symbol: function}}
	}
	if change != nil {
		change(e)
	}
	return e
}

// to changes the destination.
func to(address string) func(*event.Event) {
	return func(e *event.Event) {
		a := netip.MustParseAddrPort(address)
		e.Packet.Flow.Dst, e.Packet.Flow.DstPort = a.Addr(), a.Port()
	}
}

// level is one of an object, at its limit or not.
func level(group counters.Group, object, name string, value, limit, inode uint64) counters.Counter {
	c := of(group, "", name, value)
	c.Object, c.Gauge, c.Limit, c.Inode = object, true, limit, inode
	return c
}

// sockets are several of one address, of which so many have dropped a packet.
func sockets(address string, full, sharing uint32) (all []counters.Counter) {
	for i := range full {
		all = append(all, socket(address, uint64(700+i), sharing))
	}
	return all
}

func owner(process string) string {
	name, pid, _ := strings.Cut(process, "/")
	return `{"pid":` + pid + `,"process":"` + name + `","confidence":1}`
}

func setting(name, value, origin string) string {
	return `{"name":"` + name + `","value":"` + value + `","origin":"` + origin + `"}`
}

// publicCases are those of people who were told what was wrong.
var publicCases = []publicCase{
	{
		name: "the program asked for a short accept queue",
		rows: []counters.Counter{
			of(counters.Protocol, "", "TcpExtListenOverflows", 3631), of(counters.Protocol, "", "TcpExtListenDrops", 3631),
			level(counters.Socket, "tcp [::]:8080 inode 812", "accept_queue", 512, 512, 812),
		},
		host: map[string]string{
			"owner of socket 812":           owner("node/812"),
			"setting 7 net.core.somaxconn ": setting("net.core.somaxconn", "4096", ""),
		},
		says: []string{
			"TcpExtListenOverflows 3631 counted", "node/812", `tcp \[::\]:8080 inode 812: accept_queue 512, more than backlog 511`,
			"somaxconn = 4096 not the limit: the program asked for a backlog of 511",
		},
		not: []string{"sysctl -w net.core.somaxconn", "sk_drops"},
		zoo: "TCP accept queue full, of the length that the program asked for",
	},
	{
		name: "refused connections are no overflow",
		rows: []counters.Counter{of(counters.Protocol, "", "TcpExtListenDrops", 36)},
		says: []string{"TcpExtListenDrops .*36"},
		not:  []string{"TcpExtListenOverflows 36", "sysctl -w net.core.somaxconn", "drops nothing that matters"},
	},
	{
		name:  "a BPF program at the control group of a socket that only its counter names",
		drops: []*event.Event{lost(1, "SOCKET_FILTER", "udp_queue_rcv_one_skb", "eth0", to("10.0.0.2:443"))},
		rows:  []counters.Counter{socket("udp 10.0.0.2:443", 812, 1)},
		host: map[string]string{
			"owner of socket 812": `{"pid":9,"process":"dns","confidence":1,"cgroup":"/system.slice/dns.service",` +
				`"socket":{"inode":812,"family":2,"receiver":true,"confidence":1}}`,
			"BPF programs at control group /system.slice/dns.service, received": `{"known":true,"programs":[{"id":17,"name":"sd_fw"}]}`,
		},
		says: []string{"rule likely BPF program 17 sd_fw", "owner to dns/9", "bpftool prog show id 17"},
		not:  []string{"noise: SOCKET_FILTER"},
	},
	{
		name:  "sockets of old workers in a reuseport group",
		drops: []*event.Event{lost(2, "SOCKET_RCVBUFF", "udp_queue_rcv_one_skb", "eth0", to("10.0.0.2:443"))},
		rows:  append(sockets("udp *:443", 2, 6), of(counters.Protocol, "", "UdpRcvbufErrors", 2)),
		host: map[string]string{
			"setting 7 net.core.rmem_max eth0": setting("net.core.rmem_max", "212992", ""),
		},
		says: []string{
			`2 of 6 sockets that share the address udp \*:443`, "A larger buffer or queue does not help", "rmem_max = 212992 not the limit",
		},
		not: []string{"sysctl -w net.core.rmem_max"},
		zoo: "UDP receive buffer full, a dead member of a reuseport group",
	},
	{
		name:  "VXLAN of one sender with a wrong outer checksum",
		drops: []*event.Event{lost(9, "UDP_CSUM", "__udp4_lib_rcv", "eth0", to("10.0.0.2:8472"))},
		rows:  []counters.Counter{of(counters.Protocol, "", "UdpInCsumErrors", 9), of(counters.Protocol, "", "UdpInErrors", 9)},
		says:  []string{"one sender", "udp 10.0.0.1 > 10.0.0.2:8472 9", "offload there"},
		not:   []string{"ethtool -K eth0"},
		zoo:   "VXLAN with a wrong outer checksum",
	},
	{
		name:  "rp_filter of an interface is greater than that of all",
		drops: []*event.Event{lost(5, "IP_RPFILTER", "ip_rcv_finish_core", "lxc4d", nil)},
		rows:  []counters.Counter{of(counters.Protocol, "", "TcpExtIPReversePathFilter", 5)},
		host: map[string]string{
			"setting 7 net.ipv4.conf.{ifname}.rp_filter lxc4d": setting("net.ipv4.conf.lxc4d.rp_filter", "2", "/etc/sysctl.d/9.conf:11"),
			"setting 7 net.ipv4.conf.all.rp_filter lxc4d":      setting("net.ipv4.conf.all.rp_filter", "0", ""),
		},
		says: []string{
			"conf.lxc4d.rp_filter = 2, set by /etc/sysctl.d/9.conf:11",
			"conf.all.rp_filter = 0 does not count: net.ipv4.conf.lxc4d.rp_filter = 2 does",
		},
		not: []string{"-w net.ipv4.conf.all.rp_filter"},
		zoo: "rp_filter",
	},
	{
		name: "LLDP that nobody takes",
		drops: []*event.Event{lost(20, "UNHANDLED_PROTO", "__netif_receive_skb_core", "bond0", func(e *event.Event) {
			e.Packet = event.Packet{Proto: 0x88cc, HasProto: true}
		})},
		rows: []counters.Counter{of(counters.Interface, "bond0", "rx_dropped", 20)},
		says: []string{"noise: .*0x88cc.*bond0.*100 % of rx_dropped", "verdict: this host drops nothing that matters"},
		not:  []string{"cable", "unexplained"},
		zoo:  "ethertype that nobody takes (LLDP)",
	},
	{
		name: "bridged frames pass the FORWARD chain of IP",
		drops: []*event.Event{lost(7, "NETFILTER_DROP", "nf_hook_slow", "vnet0", func(e *event.Event) {
			e.Stack = []event.Frame{{Symbol: "nf_hook_slow"}, {Symbol: "br_nf_forward_ip"}}
		})},
		host: map[string]string{
			"setting 7 net.bridge.bridge-nf-call-iptables vnet0": setting("net.bridge.bridge-nf-call-iptables", "1", ""),
		},
		says: []string{"bridged", "FORWARD", "bridge-nf-call-iptables = 1"},
		not:  []string{"ebtables"},
		zoo:  "bridged frame, dropped by a FORWARD chain of IP",
	},
	{
		name:  "one neighbour table for all network namespaces",
		drops: []*event.Event{lost(8, "NEIGH_CREATEFAIL", "ip_finish_output2", "eth0", nil)},
		rows: []counters.Counter{
			of(counters.Neighbour, "", "table_fulls", 8), level(counters.Neighbour, "arp", "entries", 1024, 1024, 0),
		},
		host: map[string]string{
			"setting 7 net.ipv4.neigh.default.gc_thresh3 eth0": setting("net.ipv4.neigh.default.gc_thresh3", "1024", ""),
		},
		says: []string{
			"all network namespaces", "neighbour.entries of arp .*: 1024 of 1024", "gc_thresh3 = 1024",
			"(?i)in the initial network namespace",
		},
		not: []string{"ip netns exec blue sysctl"},
		zoo: "neighbour table full",
	},
	{
		name:  "the backlog of one CPU",
		drops: []*event.Event{lost(90, "CPU_BACKLOG", "enqueue_to_backlog", "veth7", nil)},
		rows:  []counters.Counter{of(counters.Softnet, "", "dropped", 90), of(counters.Softnet, "", "time_squeeze", 312)},
		host: map[string]string{
			"setting 7 net.core.netdev_max_backlog veth7": setting("net.core.netdev_max_backlog", "1000", ""),
		},
		says: []string{"softnet.dropped \\+90", "netdev_max_backlog = 1000", "netdev_budget does not help"},
		not:  []string{"-w net.core.netdev_budget", "time_squeeze", "unexplained"},
		zoo:  "backlog of a CPU full",
	},
	{
		name: "the allowance of a cloud",
		rows: []counters.Counter{of(counters.Driver, "eth0", "pps_allowance_exceeded", 784)},
		says: []string{
			"pps_allowance_exceeded 784 counted by the kernel, no drop seen", "outside this host",
			"verdict: packets are lost outside the kernel of this host: see 1",
		},
		not: []string{"sysctl", "drops nothing that matters"},
	},
	{
		name:  "one flow over its share of fq",
		drops: []*event.Event{lost(2506, "FQ_FLOW_LIMIT", "__dev_xmit_skb", "eth0", nil)},
		rows:  []counters.Counter{of(counters.Qdisc, "eth0", "dropped", 2506)},
		says:  []string{"The link is not full", "flow_limit", "qdisc.dropped \\+2506"},
		not:   []string{"unexplained", "give the link more rate"},
		zoo:   "fq, the limit of one flow",
	},
	{
		name: "our own reset for a segment out of conntrack's window",
		drops: []*event.Event{lost(7, "NO_SOCKET", "tcp_v4_rcv", "eth0", func(e *event.Event) {
			e.Packet.Flow.Transport, e.Packet.Flow.TCPFlags = event.TCP, event.ACK
			e.Packet.Flow.Fields |= event.FieldTCPFlags
		})},
		rows: []counters.Counter{tracked("invalid", 14)},
		says: []string{"INVALID", "reset", "nf_conntrack_tcp_be_liberal"},
		not:  []string{"Start the service", "unexplained"},
		zoo:  "segment out of conntrack's window, answered by our own RST",
	},
	{
		name:  "two queries of one socket clash in conntrack",
		drops: []*event.Event{dropped(16, "eth0", "ip_output")},
		rows:  []counters.Counter{tracked("insert_failed", 16), tracked("drop", 16)},
		says:  []string{"conntrack.insert_failed", "single-request"},
		not:   []string{"nft", "iptables", "unexplained"},
		zoo:   "conntrack entry that clashes (insert_failed)",
	},
	{
		name:  "conntrack table full",
		drops: []*event.Event{dropped(32, "eth0", "ip_rcv")},
		rows:  []counters.Counter{tracked("drop", 32), level(counters.Conntrack, "", "entries", 262144, 262144, 0)},
		host: map[string]string{
			"setting 7 net.netfilter.nf_conntrack_max eth0": setting("net.netfilter.nf_conntrack_max", "262144", ""),
		},
		says: []string{"conntrack.drop 32", "entries 262144 of 262144", "nf_conntrack_max = 262144"},
		not:  []string{"nft list", "iptables"},
		zoo:  "conntrack table full",
	},
	{
		name: "VLAN that no interface here has",
		drops: []*event.Event{lost(6, "OTHERHOST", "ip_rcv_core", "eth0", func(e *event.Event) {
			e.Packet.Type, e.Packet.Traits = event.PacketOtherHost, event.ToDevice
		})},
		says: []string{"VLAN", "MAC address"},
		not:  []string{"addressed to another host"},
		zoo:  "VLAN tag without an interface",
	},
	{
		name:  "a pod that cannot reach itself",
		drops: []*event.Event{lost(3, "NOT_SPECIFIED", "br_handle_frame_finish", "veth1", nil)},
		says:  []string{"port", "bridge link set dev veth1 hairpin on"},
		not:   []string{"spanning tree", "Permit the VLAN"},
		zoo:   "bridged frame that would leave by the port where it came from",
	},
	{
		name: "a blackhole route",
		drops: []*event.Event{lost(4, "NOT_SPECIFIED", "ip_error", "eth0", func(e *event.Event) {
			e.Args = []event.Arg{{Name: "route", Text: "blackhole"}}
		})},
		host: map[string]string{
			"routes 7 blackhole {10.0.0.1 10.0.0.2 0 0 0 eth0}": `[{"type":"blackhole","prefix":"10.0.0.0/16","table":"main"}]`,
		},
		says: []string{"blackhole route", "blackhole 10.0.0.0/16, table main"},
		not:  []string{"ip_forward", "prohibit", "unreachable"},
		zoo:  "blackhole route",
	},
	{
		name:  "multicast that nobody joined",
		drops: []*event.Event{lost(4, "NOT_SPECIFIED", "ip_rcv_finish_core", "b0", to("224.1.2.3:5000"))},
		says:  []string{"joined the multicast group", "224.1.2.3"},
		not:   []string{"rp_filter"},
		zoo:   "multicast without a member",
	},
	{
		name: "too big for a tunnel, and the ICMP error is dropped",
		drops: []*event.Event{lost(4, "PKT_TOO_BIG", "ip_forward", "eth0", func(e *event.Event) {
			e.Args = []event.Arg{{Name: "mtu", Number: 1400}}
		})},
		rows: []counters.Counter{of(counters.Protocol, "", "IpFragFails", 4)},
		host: map[string]string{"egress 7 10.0.0.1 10.0.0.2 eth0": `"wg0"`},
		says: []string{"mtu 1400", "wg0", "(?i)clamp"},
		zoo:  "too big, and a rule drops the ICMP error",
	},
	{
		name:  "bridged frames that exceed the MTU of a port",
		drops: []*event.Event{lost(4, "NOT_SPECIFIED", "br_dev_queue_push_xmit", "p2", nil)},
		host: map[string]string{
			"setting 7 device.{ifname}.mtu p2": setting("device.p2.mtu", "1500 in br0, of which p1 has 9000", ""),
		},
		says: []string{"exceeds the MTU of the port", "device.p2.mtu = 1500 in br0, of which p1 has 9000"},
		zoo:  "bridged frame that exceeds the MTU of a port",
	},
	{
		name:  "memory of fragments full",
		drops: []*event.Event{lost(4, "NOT_SPECIFIED", "ip_defrag", "eth0", nil)},
		rows:  []counters.Counter{of(counters.Protocol, "", "IpReasmFails", 4)},
		host: map[string]string{
			"setting 7 net.ipv4.ipfrag_high_thresh eth0": setting("net.ipv4.ipfrag_high_thresh", "4194304", ""),
		},
		says: []string{"(?i)fragment", "ipfrag_high_thresh = 4194304"},
		zoo:  "fragment memory full",
	},
	{
		name: "NFQUEUE full",
		drops: []*event.Event{
			lost(16, "NOT_SPECIFIED", "nf_queue", "eth0", nil),
			lost(16, "NOT_SPECIFIED", "__nfqnl_enqueue_packet", "eth0", func(e *event.Event) { e.Harmless = "the netlink message" }),
		},
		rows: []counters.Counter{
			func() counters.Counter {
				c := of(counters.NFQueue, "", "queue_dropped", 16)
				c.Object = "queue 3"
				return c
			}(),
		},
		says: []string{
			"1. nf_queue 16 drops", "100 % of all drops", "the queue is full", `nfqueue.queue_dropped \+16`, "16 drops that lost nothing",
		},
		not: []string{"2. ", "unexplained"},
	},
	{
		name: "SYN queue full without cookies",
		rows: []counters.Counter{
			of(counters.Protocol, "", "TcpExtListenDrops", 36), of(counters.Protocol, "", "TcpExtTCPReqQFullDrop", 36),
		},
		host: map[string]string{
			"setting 7 net.ipv4.tcp_syncookies ": setting("net.ipv4.tcp_syncookies", "0", ""),
		},
		says: []string{"TcpExtTCPReqQFullDrop 36 counted", "tcp_syncookies = 0", "verdict: this host loses packets: see 1"},
		not:  []string{"unexplained"},
		zoo:  "TCP SYN queue full, no cookies",
	},
	{
		name: "XDP redirect to a veth without a program",
		rows: []counters.Counter{of(counters.Interface, "veth0", "rx_dropped", 20)},
		says: []string{
			`unexplained: interface.rx_dropped on veth0 .* rose by 20, which no drop shows`,
			"verdict: .* may be lost packets: see unexplained",
		},
		not: []string{"UNHANDLED", "drops nothing that matters"},
		zoo: "XDP redirect to nowhere",
	},
	{
		name: "connections that end in order",
		drops: []*event.Event{lost(50, "QUEUE_PURGE", "sk_stream_kill_queues", "", func(e *event.Event) {
			e.Harmless = "the FIN of a connection that was closed in order"
		})},
		says: []string{"50 drops that lost nothing", "verdict: this host drops nothing that matters"},
		not:  []string{"QUEUE_PURGE", "100 %"},
		zoo:  "TCP, connections that end in order",
	},
	{
		name:  "copies at the inactive member of a bond",
		drops: []*event.Event{lost(50, "UNHANDLED_PROTO", "__netif_receive_skb_core", "eth1", nil)},
		rows: []counters.Counter{
			of(counters.Interface, "eth1", "rx_nohandler", 50),
			func() counters.Counter {
				c := of(counters.Interface, "eth1", "bond_member_inactive", 1)
				c.Gauge, c.Limit, c.About = true, 1, "backup"
				return c
			}(),
		},
		says: []string{"noise: .*eth1, an inactive member of a bond", "verdict: this host drops nothing that matters"},
		not:  []string{"ethertype", "unexplained"},
	},
}

// TestPublicCases: what diagnose says is true, and nothing of it is a trap.
func TestPublicCases(t *testing.T) {
	scenarios := ""
	files, _ := filepath.Glob("../zoo/*_linux.go")
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		scenarios += string(text)
	}
	for _, c := range publicCases {
		t.Run(c.name, func(t *testing.T) {
			answers := make(map[string]json.RawMessage)
			for question, answer := range c.host {
				answers[question] = json.RawMessage(answer)
			}
			if c.zoo != "" && !strings.Contains(scenarios, strconv.Quote(c.zoo)) {
				t.Errorf("package zoo has no scenario %q", c.zoo)
			}
			d := diagnose.New(collect(t, c.drops...), rose(c.rows...), nil)
			d.Ask(diagnose.RecordedHost(answers))
			text := textOf(t, d)
			plain := strings.Join(strings.Fields(text), " ")
			for _, want := range c.says {
				if !regexp.MustCompile(want).MatchString(plain) {
					t.Errorf("it does not say %q", want)
				}
			}
			for _, trap := range c.not {
				if strings.Contains(plain, trap) {
					t.Errorf("it says %q", trap)
				}
			}
			if t.Failed() {
				t.Log("\n" + text)
			}
		})
	}
}
