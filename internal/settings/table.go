package settings

// table has the sysctls that decide whether packets are dropped, with what is written
// of each in the kernel's Documentation/networking/ip-sysctl.rst and
// Documentation/admin-guide/sysctl/net.rst, as far as it is about loss.
var table = []About{
	{
		Name: "net.core.somaxconn", Counters: []string{"TcpExtListenOverflows"},
		Loses:  "The accept queue of a listening socket is the smaller of this and the backlog that the program asked for.",
		Advice: "Raise it only if the program asks for more (Send-Q in ss -lnt shows the smaller of the two).",
	},
	{
		Name: "net.ipv4.tcp_max_syn_backlog", Counters: []string{"TcpExtTCPReqQFullDrop"},
		Loses:  "Without SYN cookies, SYNs beyond this many half-open connections are dropped.",
		Advice: "Keep net.ipv4.tcp_syncookies at 1; then this loses nothing.",
	},
	{
		Name: "net.ipv4.tcp_syncookies", Counters: []string{"TcpExtTCPReqQFullDrop", "TcpExtTCPReqQFullDoCookies"},
		Loses:  "At 0, SYNs are dropped when the SYN queue of a socket is full.",
		Advice: "1 is right for nearly all hosts.",
	},
	{
		Name: "net.ipv4.tcp_abort_on_overflow", Counters: []string{"TcpExtListenOverflows"},
		Loses:  "At 1, a connection that finds the accept queue full is reset; at 0 its client tries again.",
		Advice: "Leave it at 0, and make the program accept faster.",
	},
	{
		Name: "net.ipv4.tcp_tw_recycle", Counters: []string{"TcpExtPAWSPassive"}, Until: "4.12",
		Loses:  "At 1, connections of several clients behind one NAT are dropped.",
		Advice: "Set it to 0.",
	},
	{
		Name: "net.ipv4.conf.{ifname}.rp_filter", Counters: []string{"TcpExtIPReversePathFilter"},
		Loses: "At 1, packets are dropped unless a reply would leave by the interface they came in by; at 2, unless there is " +
			"any route back.",
		Advice: "The greater of conf.all and that of the interface counts. With asymmetric routes set both to 2 or 0.",
	},
	{
		Name: "net.ipv4.conf.{ifname}.accept_local", Counters: []string{"IpExtInNoRoutes"},
		Loses:  "At 0, packets from an address of this host that arrive by another interface are dropped as martian.",
		Advice: "Set it to 1 only where traffic to this host leaves it and returns.",
	},
	{
		Name:   "net.ipv4.conf.{ifname}.arp_ignore",
		Loses:  "Above 0, some ARP requests for addresses of this host get no answer.",
		Advice: "Keep 0, unless a load balancer asks for another value.",
	},
	{
		Name: "net.ipv4.ip_forward", Counters: []string{"IpInAddrErrors", "IpForwDatagrams"},
		Loses:  "At 0, packets for other hosts are dropped.",
		Advice: "Set it to 1 on a router, and on hosts with containers or virtual machines.",
	},
	{
		Name:   "net.ipv4.conf.{ifname}.mc_forwarding",
		Loses:  "At 0, multicast is not routed. Only a routing daemon can set it.",
		Advice: "Start the multicast routing daemon.",
	},
	{
		Name:   "net.ipv4.igmp_max_memberships",
		Loses:  "A socket cannot join more groups than this, and gets none of their packets.",
		Advice: "Raise it if a program reports ENOBUFS when it joins a group.",
	},
	{
		Name: "net.core.netdev_max_backlog", Counters: []string{"softnet.dropped"},
		Loses:  "Packets are dropped when the backlog of a CPU has this many.",
		Advice: "Spread the load over CPUs (RPS) first; a longer backlog only helps against bursts.",
	},
	{
		Name: "net.core.netdev_budget", Counters: []string{"softnet.time_squeeze"},
		Loses:  "None: with a smaller one, packets only wait longer, in the ring of the device.",
		Advice: "Raise it if rings overflow (rx_missed_errors) while softnet.time_squeeze rises.",
	},
	{
		Name: "net.core.rmem_max", Counters: []string{"UdpRcvbufErrors", "Udp6RcvbufErrors"},
		Loses:  "A socket's receive buffer cannot be larger; datagrams that find it full are dropped.",
		Advice: "Raise it only if the program asks for more (SO_RCVBUF). A program that does not read loses packets with any.",
	},
	{
		Name: "net.core.rmem_default", Counters: []string{"UdpRcvbufErrors", "Udp6RcvbufErrors"},
		Loses:  "It is the receive buffer of a socket whose program asks for none.",
		Advice: "Raise it against bursts of datagrams, or have the program set SO_RCVBUF.",
	},
	{
		Name: "net.core.wmem_max", Counters: []string{"UdpSndbufErrors"},
		Loses:  "A socket's send buffer cannot be larger. A program that does not wait gets an error.",
		Advice: "Raise it only if the program asks for more (SO_SNDBUF).",
	},
	{
		Name: "net.core.optmem_max", Counters: []string{},
		Loses:  "Options of a socket (such as group memberships) that need more memory fail.",
		Advice: "Raise it if a program reports ENOBUFS for a socket option.",
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
		Name: "net.netfilter.nf_conntrack_max", Counters: []string{"conntrack.drop", "conntrack.early_drop"},
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
		Name:   "net.bridge.bridge-nf-call-iptables",
		Loses:  "At 1, bridged IPv4 frames pass through the FORWARD chain of iptables and nftables (ip), which may drop them.",
		Advice: "Set it to 0, unless Kubernetes or Docker needs it; then allow the traffic in FORWARD.",
	},
	{
		Name:   "net.bridge.bridge-nf-call-ip6tables",
		Loses:  "At 1, bridged IPv6 frames pass through the FORWARD chain of ip6tables and nftables (ip6), which may drop them.",
		Advice: "Set it to 0, unless Kubernetes or Docker needs it; then allow the traffic in FORWARD.",
	},
	{
		Name:   "net.bridge.bridge-nf-call-arptables",
		Loses:  "At 1, bridged ARP passes through the FORWARD chain of arptables, which may drop it.",
		Advice: "Set it to 0 unless it is filtered on purpose.",
	},
	{
		Name:   "net.ipv4.neigh.default.gc_thresh1",
		Loses:  "None: below this many neighbours, none is removed.",
		Advice: "Half of gc_thresh2.",
	},
	{
		Name:   "net.ipv4.neigh.default.gc_thresh2",
		Loses:  "Above this many neighbours, those that are older than 5 seconds are removed.",
		Advice: "Half of gc_thresh3.",
	},
	{
		Name: "net.ipv4.neigh.default.gc_thresh3", Counters: []string{"neighbour.table_fulls"},
		Loses:  "With this many neighbours in all network namespaces together, packets to a new one are dropped.",
		Advice: "Set it in the initial network namespace, to more than all namespaces together have (ip -s neigh).",
	},
	{
		Name: "net.ipv6.neigh.default.gc_thresh3", Counters: []string{"neighbour.table_fulls"},
		Loses:  "With this many neighbours in all network namespaces together, packets to a new one are dropped.",
		Advice: "Set it in the initial network namespace, to more than all namespaces together have (ip -6 -s neigh).",
	},
	{
		Name:   "net.ipv4.ip_local_port_range",
		Loses:  "None: with all of them in use, a program cannot connect (EADDRNOTAVAIL).",
		Advice: "Widen it if ss -s shows nearly as many connections to one destination.",
	},
	{
		Name: "net.ipv4.ipfrag_high_thresh", Counters: []string{"IpReasmFails"},
		Loses:  "When fragments that wait take this many bytes, further ones are dropped.",
		Advice: "Avoid fragments first (path MTU, MSS); raise it if they are wanted.",
	},
	{
		Name: "net.ipv4.ipfrag_time", Counters: []string{"IpReasmTimeout"},
		Loses:  "Fragments whose rest does not come in this many seconds are dropped.",
		Advice: "A longer time only takes more memory: find where the rest is lost.",
	},
	{
		Name: "net.ipv4.ipfrag_max_dist", Counters: []string{"IpReasmFails"},
		Loses:  "Fragments of a packet are dropped if more than this many other packets of the same sender came in between.",
		Advice: "Set it to 0 if the path reorders packets.",
	},
	{
		Name: "net.ipv6.ip6frag_high_thresh", Counters: []string{"Ip6ReasmFails"},
		Loses:  "When fragments that wait take this many bytes, further ones are dropped.",
		Advice: "Avoid fragments first (path MTU); raise it if they are wanted.",
	},
	{
		Name:   "net.ipv6.conf.{ifname}.disable_ipv6",
		Loses:  "At 1, every IPv6 packet of the interface is dropped.",
		Advice: "Set it to 0 if IPv6 is wanted.",
	},
	{
		Name: "vm.min_free_kbytes", Counters: []string{"driver.rx_alloc_failed"},
		Loses:  "With too little memory kept free, a device gets no buffers for what arrives in a burst.",
		Advice: "Raise it, by no more than a few percent of the memory, if allocations for devices fail.",
	},
	{
		Name:   "net.ipv4.icmp_ratelimit",
		Loses:  "ICMP errors are sent at most once in this many milliseconds to a host, so that its senders do not learn of a smaller MTU.",
		Advice: "Leave it as it is, unless path MTU discovery fails.",
	},
}

// known are the entries by name.
var known = func() map[string]*About {
	byName := make(map[string]*About, len(table))
	for i := range table {
		byName[table[i].Name] = &table[i]
	}
	return byName
}()
