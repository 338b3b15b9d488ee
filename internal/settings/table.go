package settings

import "slices"

// table has all settings of which something is known.
var table = slices.Concat(sysctls, deviceTable)

// sysctls has those that decide whether packets are dropped, with what is written
// of each in the kernel's Documentation/networking/ip-sysctl.rst and
// Documentation/admin-guide/sysctl/net.rst, as far as it is about loss.
var sysctls = []About{
	{
		Name: "net.core.somaxconn", Counters: []string{"TcpExtListenOverflows", "socket.accept_queue"},
		AtLeast: 4096,
		Loses:   "The accept queue of a listening socket is the smaller of this and the backlog that the program asked for.",
		Advice:  "Raise it only if the program asks for more (Send-Q in ss -lnt shows the smaller of the two).",
	},
	{
		Name: "net.ipv4.tcp_max_syn_backlog", Counters: []string{"TcpExtTCPReqQFullDrop"},
		AtLeast: 128,
		Loses:   "Without SYN cookies, SYNs beyond this many half-open connections are dropped.",
		Advice:  "Keep net.ipv4.tcp_syncookies at 1; then this loses nothing.",
	},
	{
		Name: "net.ipv4.tcp_syncookies", Counters: []string{"TcpExtTCPReqQFullDrop", "TcpExtTCPReqQFullDoCookies"},
		Normal: "1",
		Loses:  "At 0, SYNs are dropped when the SYN queue of a socket is full.",
		Advice: "1 is right for nearly all hosts.",
	},
	{
		Name: "net.ipv4.tcp_abort_on_overflow", Counters: []string{"TcpExtListenOverflows"},
		Normal: "0",
		Loses:  "At 1, a connection that finds the accept queue full is reset; at 0 its client tries again.",
		Advice: "Leave it at 0, and make the program accept faster.",
	},
	{
		Name: "net.ipv4.tcp_tw_recycle", Counters: []string{"TcpExtPAWSPassive"},
		Normal: "0", Until: "4.12",
		Loses:  "At 1, connections of several clients behind one NAT are dropped.",
		Advice: "Set it to 0.",
	},
	{
		Name: "net.ipv4.conf.{ifname}.rp_filter", Counters: []string{"TcpExtIPReversePathFilter"},
		Normal: "0", Combine: Greatest,
		Loses: "At 1, packets are dropped unless a reply would leave by the interface they came in by; at 2, unless there is " +
			"any route back.",
		Advice: "The greater of conf.all and that of the interface counts. With asymmetric routes set both to 2 or 0.",
	},
	{
		Name: "net.ipv4.conf.{ifname}.accept_local", Counters: []string{"IpExtInNoRoutes"},
		Combine: Greatest,
		Loses:   "At 0, packets from an address of this host that arrive by another interface are dropped as martian.",
		Advice:  "Set it to 1 only where traffic to this host leaves it and returns.",
	},
	{
		Name: "net.ipv4.conf.{ifname}.accept_source_route", Combine: Least,
		Loses:  "At 0, packets with a source route (IP option LSRR or SSRR) are dropped.",
		Advice: "Leave it at 0: source routes are mostly of scans and attacks. Both conf.all and that of the interface must be 1.",
	},
	{
		Name: "net.ipv4.conf.{ifname}.arp_ignore", Normal: "0", Combine: Greatest,
		Loses:  "Above 0, some ARP requests for addresses of this host get no answer.",
		Advice: "Keep 0, unless a load balancer asks for another value.",
	},
	{
		Name: "net.ipv4.ip_forward", Harmless: "1", Counters: []string{"IpInAddrErrors"},
		Loses:  "At 0, packets for other hosts are dropped.",
		Advice: "Set it to 1 on a router, and on hosts with containers or virtual machines.",
	},
	{
		Name: "net.ipv4.conf.{ifname}.forwarding", Harmless: "1", Counters: []string{"IpInAddrErrors"},
		Loses:  "At 0, packets for other hosts that arrive on the interface are dropped, whatever ip_forward is.",
		Advice: "Set it to 1 if this is a router. To write ip_forward sets that of each interface.",
	},
	{
		Name: "net.ipv4.conf.{ifname}.mc_forwarding", Combine: Least,
		Loses:  "At 0, multicast is not routed. Only a routing daemon can set it.",
		Advice: "Start the multicast routing daemon.",
	},
	{
		Name: "net.ipv4.igmp_max_memberships", AtLeast: 20,
		Loses:  "A socket cannot join more groups than this, and gets none of their packets.",
		Advice: "Raise it if a program reports ENOBUFS when it joins a group.",
	},
	{
		Name: "net.core.netdev_max_backlog", Counters: []string{"softnet.dropped", "softnet.backlog_len"},
		AtLeast: 1000,
		Loses:   "Packets are dropped when the backlog of a CPU has this many.",
		Advice:  "Spread the load over CPUs (RPS) first; a longer backlog only helps against bursts.",
	},
	{
		Name: "net.core.netdev_budget", Counters: []string{"softnet.time_squeeze"},
		AtLeast: 300,
		Loses:   "None: with a smaller one, packets only wait longer, in the ring of the device.",
		Advice:  "Raise it if rings overflow (rx_missed_errors) while softnet.time_squeeze rises.",
	},
	{
		Name: "net.core.rmem_max", Counters: []string{"UdpRcvbufErrors", "Udp6RcvbufErrors"},
		AtLeast: 212992,
		Loses:   "A socket's receive buffer cannot be larger; datagrams that find it full are dropped.",
		Advice:  "Raise it only if the program asks for more (SO_RCVBUF). A program that does not read loses packets with any.",
	},
	{
		Name: "net.core.rmem_default", Counters: []string{"UdpRcvbufErrors", "Udp6RcvbufErrors"},
		AtLeast: 212992,
		Loses:   "It is the receive buffer of a socket whose program asks for none.",
		Advice:  "Raise it against bursts of datagrams, or have the program set SO_RCVBUF.",
	},
	{
		Name: "net.core.wmem_max", Counters: []string{"UdpSndbufErrors"},
		AtLeast: 212992,
		Loses:   "A socket's send buffer cannot be larger. A program that does not wait gets an error.",
		Advice:  "Raise it only if the program asks for more (SO_SNDBUF).",
	},
	{
		Name:    "net.core.optmem_max",
		AtLeast: 20480,
		Loses:   "Options of a socket (such as group memberships) that need more memory fail.",
		Advice:  "Raise it if a program reports ENOBUFS for a socket option.",
	},
	{
		Name: "net.ipv4.tcp_mem", Counters: []string{"TcpExtTCPMemoryPressures", "TcpExtTCPAbortOnMemory", "TcpExtTCPRcvQDrop"},
		Loses:  "Above the third number (pages), TCP drops segments of all connections.",
		Advice: "Find the sockets that hold the memory (ss -tm) before raising it.",
	},
	{
		Name: "net.ipv4.udp_mem", Counters: []string{"UdpMemErrors", "Udp6MemErrors"},
		Loses:  "Above the third number (pages), datagrams for all sockets are dropped.",
		Advice: "Find the sockets that hold the memory (ss -um) before raising it.",
	},
	{
		Name: "net.netfilter.nf_conntrack_max", Counters: []string{"conntrack.drop", "conntrack.early_drop", "conntrack.entries"},
		Loses:  "When connection tracking has this many entries, packets of new connections are dropped.",
		Advice: "Raise it, with nf_conntrack_buckets to a quarter of it; or do not track what needs none.",
	},
	{
		Name:   "net.netfilter.nf_conntrack_buckets",
		Loses:  "None: with too few, every packet takes longer.",
		Advice: "A quarter of nf_conntrack_max, or more.",
	},
	{
		Name: "net.netfilter.nf_conntrack_tcp_be_liberal", Counters: []string{"conntrack.invalid"},
		Loses:  "At 0, segments out of the window are INVALID: a rule may drop them, and NAT does not translate them.",
		Advice: "Set it to 1 where connections through NAT end with a RST of this host.",
	},
	{
		Name: "net.bridge.bridge-nf-call-iptables", Normal: "0",
		Loses:  "At 1, bridged IPv4 frames pass through the FORWARD chain of iptables and nftables (ip), which may drop them.",
		Advice: "Set it to 0, unless Kubernetes or Docker needs it; then allow the traffic in FORWARD.",
	},
	{
		Name: "net.bridge.bridge-nf-call-ip6tables", Normal: "0",
		Loses:  "At 1, bridged IPv6 frames pass through the FORWARD chain of ip6tables and nftables (ip6), which may drop them.",
		Advice: "Set it to 0, unless Kubernetes or Docker needs it; then allow the traffic in FORWARD.",
	},
	{
		Name: "net.bridge.bridge-nf-call-arptables", Normal: "0",
		Loses:  "At 1, bridged ARP passes through the FORWARD chain of arptables, which may drop it.",
		Advice: "Set it to 0 unless it is filtered on purpose.",
	},
	{
		Name: "net.ipv4.neigh.default.gc_thresh1", AtLeast: 128,
		Loses:  "None: below this many neighbours, none is removed.",
		Advice: "Half of gc_thresh2.",
	},
	{
		Name: "net.ipv4.neigh.default.gc_thresh2", AtLeast: 512,
		Loses:  "Above this many neighbours, those that are older than 5 seconds are removed.",
		Advice: "Half of gc_thresh3.",
	},
	{
		Name: "net.ipv4.neigh.default.gc_thresh3", Object: "arp", Counters: []string{"neighbour.table_fulls", "neighbour.entries"},
		AtLeast: 1024,
		Loses:   "With this many neighbours in all network namespaces together, packets to a new one are dropped.",
		Advice:  "Set it in the initial network namespace, to more than all namespaces together have (ip -s neigh).",
	},
	{
		Name: "net.ipv6.neigh.default.gc_thresh3", Object: "ndisc", Counters: []string{"neighbour.table_fulls", "neighbour.entries"},
		AtLeast: 1024,
		Loses:   "With this many neighbours in all network namespaces together, packets to a new one are dropped.",
		Advice:  "Set it in the initial network namespace, to more than all namespaces together have (ip -6 -s neigh).",
	},
	{
		Name: "net.ipv4.ip_local_port_range", Counters: []string{"socket.local_ports"},
		Loses:  "None: with all of them in use, a program cannot connect (EADDRNOTAVAIL).",
		Advice: "Widen it if ss -s shows nearly as many connections to one destination.",
	},
	{
		Name: "net.ipv4.ipfrag_high_thresh", Object: "ipv4", Counters: []string{"IpReasmFails", "fragment.memory"},
		AtLeast: 4194304,
		Loses:   "When fragments that wait take this many bytes, further ones are dropped.",
		Advice:  "Avoid fragments first (path MTU, MSS); raise it if they are wanted.",
	},
	{
		Name: "net.ipv4.ipfrag_time", Counters: []string{"IpReasmTimeout"},
		AtLeast: 30,
		Loses:   "Fragments whose rest does not come in this many seconds are dropped.",
		Advice:  "A longer time only takes more memory: find where the rest is lost.",
	},
	{
		Name: "net.ipv4.ipfrag_max_dist", Counters: []string{"IpReasmFails"},
		Loses:  "Fragments of a packet are dropped if more than this many other packets of the same sender came in between.",
		Advice: "Set it to 0 if the path reorders packets.",
	},
	{
		Name: "net.ipv6.ip6frag_high_thresh", Object: "ipv6", Counters: []string{"Ip6ReasmFails", "fragment.memory"},
		AtLeast: 4194304,
		Loses:   "When fragments that wait take this many bytes, further ones are dropped.",
		Advice:  "Avoid fragments first (path MTU); raise it if they are wanted.",
	},
	{
		Name: "net.ipv6.ip6frag_time", Counters: []string{"Ip6ReasmTimeout"},
		AtLeast: 60,
		Loses:   "Fragments whose rest does not come in this many seconds are dropped.",
		Advice:  "A longer time only takes more memory: find where the rest is lost.",
	},
	{
		Name: "net.ipv6.conf.{ifname}.disable_ipv6", Normal: "0",
		Loses:  "At 1, every IPv6 packet of the interface is dropped.",
		Advice: "Set it to 0 if IPv6 is wanted.",
	},
	{
		Name: "vm.min_free_kbytes", Counters: []string{"driver.rx_alloc_failed"},
		Loses:  "With too little memory kept free, a device gets no buffers for what arrives in a burst.",
		Advice: "Raise it, by no more than a few percent of the memory, if allocations for devices fail.",
	},
	{
		Name: "net.ipv4.icmp_ratelimit", Counters: []string{"IcmpOutRateLimitHost"},
		Loses:  "ICMP errors are sent to a host at most once in this many milliseconds: the others are lost, and with them a smaller MTU.",
		Advice: "Leave it as it is, unless path MTU discovery fails.",
	},
	{
		Name: "net.ipv4.icmp_msgs_per_sec", AtLeast: 1000, Counters: []string{"IcmpOutRateLimitGlobal"},
		Loses:  "This host sends no more ICMP errors in a second, to all hosts together.",
		Advice: "Leave it as it is: find who sends what this host answers.",
	},
	{
		Name: "net.ipv4.icmp_msgs_burst", AtLeast: 50, Counters: []string{"IcmpOutRateLimitGlobal"},
		Loses:  "This host sends no more ICMP errors at once.",
		Advice: "Leave it as it is: find who sends what this host answers.",
	},
	{
		Name: "net.ipv6.icmp.ratelimit", Counters: []string{"Icmp6OutRateLimitHost"},
		Loses:  "ICMPv6 errors are sent at most once in this many milliseconds to a host, also those about a smaller MTU.",
		Advice: "Leave it as it is, unless path MTU discovery fails.",
	},
	{
		Name: "net.ipv4.icmp_echo_ignore_all", Normal: "0",
		Loses:  "At 1, no ping is answered, which looks like loss from outside.",
		Advice: "Set it to 0 if this host may be pinged.",
	},
	{
		Name: "net.ipv6.icmp.echo_ignore_all", Normal: "0",
		Loses:  "At 1, no ping of IPv6 is answered, which looks like loss from outside.",
		Advice: "Set it to 0 if this host may be pinged.",
	},
	{
		Name:   "net.ipv4.icmp_echo_ignore_broadcasts",
		Loses:  "At 1, pings to a broadcast or multicast address are dropped.",
		Advice: "Leave it at 1: answers to broadcasts can flood a network.",
	},
	{
		Name: "net.ipv4.tcp_rmem", AtLeast: 1 << 20,
		Counters: []string{"TcpExtTCPRcvQDrop", "TcpExtRcvPruned", "TcpExtOfoPruned", "TcpExtTCPBacklogDrop"},
		Loses: "The third number (bytes) limits the receive buffer of a connection. Segments that find it full are dropped, and " +
			"usually the window is closed before.",
		Advice: "Raise the third number for fast connections over long paths. A program that does not read loses with any.",
	},
	{
		Name: "net.ipv4.tcp_wmem", AtLeast: 1 << 20, Counters: []string{"TcpExtTCPBacklogDrop"},
		Loses:  "None: a program waits when the send buffer is full. It is a part of the limit of the backlog of a connection.",
		Advice: "Raise the third number (bytes) only if fast connections over long paths are slow.",
	},
	{
		Name:   "net.ipv4.tcp_max_tw_buckets",
		Loses:  "With more closed connections in TIME-WAIT, further ones are forgotten at once: their late segments get a RST.",
		Advice: "Raise it on hosts that close very many short connections: each takes about 250 bytes.",
	},
	{
		Name: "net.ipv4.tcp_max_orphans", Counters: []string{"TcpExtTCPAbortOnMemory"},
		Loses:  "With more connections that no program has any longer, further ones are reset.",
		Advice: "Find who closes so many before raising it: each may hold 64 KiB.",
	},
	{
		Name: "net.ipv4.tcp_mtu_probing",
		Loses: "At 0, a connection hangs if a router on the path drops packets that are too big and its ICMP error does not come " +
			"back.",
		Advice: "1 makes TCP find a smaller size after some timeouts. Letting the ICMP error pass is better.",
	},
	{
		Name: "net.ipv4.ip_no_pmtu_disc", Normal: "0",
		Loses:  "At 1 and above, ICMP errors about a smaller MTU are not used, or packets go out in fragments, which many paths drop.",
		Advice: "Set it to 0.",
	},
	{
		Name:   "net.ipv4.conf.{ifname}.forwarding",
		Loses:  "At 0, packets for other hosts that arrive by this interface are dropped.",
		Advice: "Set it to 1 on the interfaces of a router. Writing net.ipv4.ip_forward sets all.",
	},
	{
		Name: "net.ipv6.conf.{ifname}.forwarding", Harmless: "1",
		Combine: Common,
		Loses:   "At 0 for all, IPv6 packets for other hosts are dropped, whatever the interface has.",
		Advice:  "Set that of all to 1 on a router.",
	},
	{
		Name: "net.ipv6.conf.{ifname}.accept_ra",
		Loses: "At 1 while the interface forwards, and at 0, router advertisements are ignored: a default route from them " +
			"expires.",
		Advice: "Set it to 2 on a router that gets its own default route by advertisements.",
	},
	{
		Name: "net.ipv4.conf.{ifname}.route_localnet", Combine: Greatest, Counters: []string{"IpInAddrErrors"},
		Loses:  "At 0, packets for 127.0.0.0/8 that arrive by an interface are dropped as martian.",
		Advice: "Set it to 1 only for a rule that redirects to a local address.",
	},
	{
		Name: "net.ipv4.conf.{ifname}.drop_unicast_in_l2_multicast", Normal: "0", Combine: Greatest,
		Loses:  "At 1, packets for one host in a broadcast or multicast frame are dropped.",
		Advice: "Set it to 0 if a load balancer sends such frames.",
	},
	{
		Name: "net.ipv4.conf.{ifname}.arp_filter", Normal: "0", Combine: Greatest,
		Loses:  "At 1, ARP requests are not answered by an interface by which a reply would not leave.",
		Advice: "Set it to 0, or give the table of routes a way back.",
	},
	{
		Name: "net.ipv6.conf.{ifname}.suppress_frag_ndisc", Normal: "1",
		Loses:  "At 1, messages of neighbour discovery in fragments are dropped; at 0, they are taken.",
		Advice: "Leave it at 1: RFC 6980 forbids such fragments.",
	},
	{
		Name: "net.ipv4.neigh.{ifname}.unres_qlen_bytes", Object: "arp",
		AtLeast: 212992, Counters: []string{"neighbour.unresolved_discards"},
		Loses:  "While the MAC address of a next hop is asked for, packets to it beyond this many bytes are dropped.",
		Advice: "Find out why the next hop is slow to answer; a longer queue only helps against bursts.",
	},
	{
		Name: "net.ipv6.neigh.{ifname}.unres_qlen_bytes", Object: "ndisc",
		AtLeast: 212992, Counters: []string{"neighbour.unresolved_discards"},
		Loses:  "While the MAC address of a next hop is asked for, packets to it beyond this many bytes are dropped.",
		Advice: "Find out why the next hop is slow to answer; a longer queue only helps against bursts.",
	},
	{
		Name: "net.core.wmem_default", AtLeast: 212992, Counters: []string{"UdpSndbufErrors"},
		Loses:  "It is the send buffer of a socket whose program asks for none. A program that does not wait gets an error.",
		Advice: "Have the program wait, or set SO_SNDBUF.",
	},
	{
		Name: "net.core.netdev_budget_usecs", AtLeast: 2000, Counters: []string{"softnet.time_squeeze"},
		Loses:  "None: with a smaller one, packets only wait longer, in the ring of the device.",
		Advice: "Raise it if rings overflow (rx_missed_errors) while softnet.time_squeeze rises.",
	},
	{
		Name: "net.core.flow_limit_cpu_bitmap", Normal: "0", Counters: []string{"softnet.flow_limit_count"},
		Loses:  "On the CPUs of this mask, a flow that fills half of the backlog loses packets before others do.",
		Advice: "It protects the other flows: spread or slow down the large one.",
	},
	{
		Name: "net.core.qdisc_max_burst", AtLeast: 1000, Since: "6.19",
		Loses:  "Packets are dropped when this many wait to be queued at once in one queueing discipline.",
		Advice: "Use several transmit queues (mq) before raising it.",
	},
	{
		Name: "net.core.xfrm_larval_drop", Counters: []string{"xfrm.XfrmOutNoStates"},
		Loses:  "At 1, packets are dropped while IPsec negotiates their keys.",
		Advice: "Leave it at 1. Have the keys negotiated before traffic starts.",
	},
	{
		Name: "net.netfilter.nf_conntrack_tcp_loose", Normal: "1", Counters: []string{"conntrack.invalid"},
		Loses:  "At 0, segments of connections that began before they were tracked are INVALID.",
		Advice: "Set it to 1 if connections end when this host takes over from another.",
	},
	{
		Name:   "net.netfilter.nf_conntrack_frag6_high_thresh",
		Loses:  "When IPv6 fragments that wait for connection tracking take this many bytes, further ones are dropped.",
		Advice: "Avoid fragments first (path MTU); raise it if they are wanted.",
	},
	{
		Name:   "net.ipv4.udp_l3mdev_accept",
		Loses:  "At 0, a UDP socket outside of a VRF gets no packets that arrive by an interface of the VRF.",
		Advice: "Set it to 1 if a service is to answer in all VRFs, or bind it to each.",
	},
	{
		Name:   "net.ipv4.tcp_l3mdev_accept",
		Loses:  "At 0, a TCP socket outside of a VRF gets no connections that arrive by an interface of the VRF.",
		Advice: "Set it to 1 if a service is to answer in all VRFs, or bind it to each.",
	},
	{
		Name:   "net.ipv4.conf.{ifname}.proxy_arp_pvlan",
		Loses:  "At 0, an ARP request that would be answered by the interface it came in by gets no answer.",
		Advice: "Set it to 1 on the interface of a private VLAN, whose hosts reach each other only through this host.",
	},
}
