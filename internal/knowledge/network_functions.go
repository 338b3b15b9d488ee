package knowledge

import "slices"

// notQueued are the cases of a packet that its NFQUEUE did not take. Who reads the queue, and which of its counters rose, is
// known after the drops (net/netfilter/nfnetlink_queue.c nfqnl_enqueue_packet, __nfqnl_enqueue_packet).
var notQueued = []Case{
	{
		If: NoReader, Class: Local,
		Cause: "No program reads the NFQUEUE that a rule passes the packet to. As the rule lacks the option bypass, the kernel " +
			"drops it.",
		Check: []string{
			"cat /proc/net/netfilter/nfnetlink_queue  # has the queues that programs read: number, port ID",
			"nft list ruleset  # queue",
			"iptables-save  # NFQUEUE",
		},
		Fix: "Start the program that is to read the queue, or correct the number. With the option bypass (queue flags bypass, " +
			"--queue-bypass) packets pass without it; or delete the rule.",
	},
	{
		If: QueueFull,
		Cause: "The NFQUEUE is full: the program that reads it gives its verdicts too slowly, or has stopped. Its length is what the " +
			"program asked for, 1024 packets by default.",
		Check: []string{"cat /proc/net/netfilter/nfnetlink_queue  # number, port ID, packets that wait, ..., dropped"},
		Fix: "Give the program more CPU, or several queues (queue to 0-3, --queue-balance), or a longer queue in its configuration. " +
			"A program can also ask for packets to pass when it is full (fail-open).",
	},
	{
		If: BufferFull, Settings: []string{"net.core.rmem_max"},
		Cause: "The buffer of the socket by which a program reads the NFQUEUE is full: it reads too slowly, or has stopped.",
		Check: []string{
			"cat /proc/net/netfilter/nfnetlink_queue  # number, port ID, packets that wait, ..., dropped by the socket",
			"ss -f netlink -mp",
		},
		Fix: "Give the program more CPU, or several queues (queue to 0-3, --queue-balance), or a larger buffer in its configuration.",
	},
}

// networkFunctions are those of the network layer that drop without a reason.
var networkFunctions = []Entry{
	{
		// net/ipv4/route.c
		Name: "inet_rtm_getroute", Kind: Function, Module: "fib", Class: Local, Severity: Noise,
		Cause: "The kernel made this packet itself, to answer ip route get. No packet of anybody was lost.",
		Fix:   "No action needed.",
	},
	{Name: "inet6_rtm_getroute", Kind: Function, Same: "inet_rtm_getroute"},
	{Name: "nf_hook_slow", Kind: Function, Same: "NETFILTER_DROP"},
	{
		// net/netfilter/nf_tables_core.c
		Name: "nft_do_chain", Kind: Function, Module: "netfilter", Class: Policy, Severity: Maybe,
		Counters: []string{"nftables.drop_packets"},
		Cause:    "An nftables rule dropped the packet.",
		Usual:    []string{"a rule or a policy that drops on purpose", "a new service whose port no rule accepts"},
		Check:    []string{"nft list ruleset"},
		Fix:      "Allow the traffic if it is wanted. nft monitor trace shows the rule.",
	},
	{
		// net/netfilter/nf_queue.c
		Name: "nf_queue", Kind: Function, Module: "netfilter", Class: NoBuffer, Severity: Harm,
		Counters: []string{"nfqueue.queue_dropped", "nfqueue.queue_user_dropped"},
		Cause:    "The packet could not be passed to its NFQUEUE: the queue is full, or no program reads it.",
		Usual: []string{
			"the program has too little CPU or has stopped",
			"no program reads the queue",
			"bursts longer than the queue",
		},
		Check: []string{
			"cat /proc/net/netfilter/nfnetlink_queue  # queue, port ID, length, ..., dropped, dropped by the socket",
		},
		Fix:   "Give the program more CPU or more queues, raise its queue length, or use the rule's bypass option.",
		Cases: notQueued,
	},
	{
		// net/netfilter/nfnetlink_queue.c
		Name: "__nfqnl_enqueue_packet", Kind: Function, Module: "netfilter", Class: NoBuffer, Severity: Noise,
		Cause: "The copy of a packet for an NFQUEUE program was freed because its queue is full. The packet itself is " +
			"another drop.",
		Check: []string{"cat /proc/net/netfilter/nfnetlink_queue"},
	},
	{
		// net/netfilter/nfnetlink_queue.c
		Name: "nfqnl_nf_hook_drop", Kind: Function, Module: "netfilter", Class: Policy, Severity: Maybe,
		Cause: "An NFQUEUE was closed or its rule removed while packets waited in it.",
		Usual: []string{"the program behind the queue was restarted", "the rules were loaded again"},
		Check: []string{"cat /proc/net/netfilter/nfnetlink_queue"},
		Fix:   "No action needed if it is rare.",
	},
	{Name: "ip_expire", Kind: Function, Same: "FRAG_REASM_TIMEOUT"},
	{Name: "ip_finish_output", Kind: Function, Same: "BPF_CGROUP_EGRESS"}, // its only reason
	{Name: "ip6_finish_output", Kind: Function, Same: "BPF_CGROUP_EGRESS"},
	{Name: "ip_finish_output2", Kind: Function, Same: "NEIGH_CREATEFAIL"}, // and for lack of memory
	{Name: "ip6_finish_output2", Kind: Function, Same: "NEIGH_CREATEFAIL"},
	{Name: "__ip_queue_xmit", Kind: Function, Same: "ip_queue_xmit"},
	{
		// net/ipv4/ip_input.c
		Name: "ip_local_deliver_finish", Kind: Function, Module: "ip", Class: Local, Severity: Maybe,
		Cause: "The packet is of a protocol that no module of this host handles, or an IPsec policy forbids it.",
		Usual: []string{"a tunnel or a daemon that is not set up here (GRE, ESP, VRRP, OSPF)", "a scan", "an IPsec policy"},
		Check: []string{"nstat -az IpInUnknownProtos", "ip xfrm policy"},
		Fix:   "Load the module of the protocol if it is wanted.",
	},
	{Name: "ip_protocol_deliver_rcu", Kind: Function, Same: "ip_local_deliver_finish"},
	{
		// net/ipv6/icmp.c
		Name: "icmpv6_rcv", Kind: Function, Module: "icmp", Class: Local, Severity: Noise,
		Cause: "A message of ICMPv6 was handled: Linux before 5.17 frees it like one that is dropped. If its checksum was wrong, " +
			"Icmp6InCsumErrors rises.",
		Check: []string{"nstat -az Icmp6InCsumErrors Icmp6InErrors"},
		Fix:   "No action needed.",
	},
	{
		// net/ipv4/ip_input.c
		Name: "ip_rcv_core", Kind: Function, Module: "ip", Class: Error, Severity: Harm,
		Cause: "The IPv4 header or its checksum is invalid, or the frame was for another host or in a VLAN that no interface " +
			"here has.",
		Usual: []string{
			"a frame for another host, or in a VLAN that is not configured here",
			"a damaged packet",
			"a scan",
		},
		Check: []string{"nstat -az IpInHdrErrors IpExtInCsumErrors IpExtInTruncatedPkts"},
		Fix:   "No action needed for frames of other hosts. For damaged packets check cables, switches and offloads.",
		Cases: notForThisHost,
	},
	{
		// net/ipv4/ip_input.c
		Name: "ip_rcv_finish_core", Kind: Function, Module: "ip", Class: Error, Severity: Harm,
		Settings: []string{
			"net.ipv4.conf.{ifname}.rp_filter", "net.ipv4.conf.{ifname}.accept_local", "net.ipv4.conf.{ifname}.accept_source_route",
		},
		Cause: "The route look-up rejected an incoming packet: there is no route, or the source address is not valid there. Or the " +
			"packet has IP options that are damaged, or a source route, which accept_source_route forbids.",
		Usual: []string{
			"rp_filter with asymmetric routes", "no route back to the source", "a source address of this host itself (martian)",
			"a source-routed packet, as of a scan",
		},
		Check: []string{
			"ip route get {addr} from {src} iif {ifname}",
			"nstat -az IpExtInNoRoutes IpInAddrErrors TcpExtIPReversePathFilter",
		},
		Fix: "Correct the routes.",
		Cases: []Case{
			sourceRouted, withOptions,
			hairpin,
			forRouters,
			otherSources,
			notJoined,
			{
				If:       Multicast,
				Class:    Local,
				Severity: Maybe,
				Cause: "No program on this host has joined the multicast group {addr} on the interface where the packet arrived. Or one " +
					"has, but only for other sources (IGMPv3, SSM).",
				Check: []string{"ip maddr show dev {ifname}", "cat /proc/net/mcfilter  # sources of each group: INC accepted, EXC refused"},
				Fix: "No action needed if the group is not wanted. If ip maddr shows it, make the program join it for that source, too. " +
					"Otherwise make it join on that interface: that fails with ENOBUFS beyond igmp_max_memberships groups.",
				Settings: []string{"net.ipv4.igmp_max_memberships"},
			},
			{
				If:       Broadcast,
				Severity: Maybe,
				Cause: "The route look-up rejected a broadcast: its source address is not valid on this interface, or is this " +
					"host's own: a loop.",
				Fix: "Correct the routes, or remove the loop.",
				Check: []string{
					"ip route get {src}",
					"ip -br addr show dev {ifname}",
				},
			},
			{
				If:       NoOptions,
				Cause:    "The route look-up rejected an incoming packet: there is no route, or the source address is not valid there.",
				Usual:    routeUsual,
				Settings: []string{"net.ipv4.conf.{ifname}.rp_filter", "net.ipv4.conf.{ifname}.accept_local"},
			},
		},
	},
	{
		// net/ipv4/route.c
		Name: "ip_error", Kind: Function, Module: "route", Class: Policy, Severity: Maybe,
		Settings: []string{"net.ipv4.ip_forward"},
		Cause: "The route to the destination is a blackhole, prohibit or unreachable route, or there is none, or this host " +
			"does not forward.",
		Usual: []string{"forwarding is off", "a blackhole, prohibit or unreachable route", "no default route"},
		Check: []string{
			"ip route get {addr} from {src} iif {ifname}" + routeErrors,
			"sysctl net.ipv4.conf.all.forwarding",
		},
		Fix: "Change that route if the traffic is wanted, enable forwarding if this is a router, or correct the route at " +
			"the sender.",
		Apply: []string{"sysctl -w net.ipv4.ip_forward=1"},
		Cases: routeCases,
	},
	{
		// net/ipv4/ip_forward.c
		Name: "ip_forward", Kind: Function, Module: "ip", Class: Error, Severity: Harm,
		Counters: answered("IpFragFails", "IpInHdrErrors"),
		Cause:    "The packet could not be forwarded: its TTL expired, it exceeds the MTU, or an IPsec policy forbids it.",
		Usual:    []string{"a routing loop", "a traceroute", "a tunnel whose MTU is smaller", "an IPsec policy"},
		Check: []string{
			"nstat -az IpInHdrErrors IpFragFails",
			"tracepath -n {addr}",
		},
		Fix: "Look for routing loops, and for different MTUs, with tracepath.",
		Cases: []Case{
			{
				If: Expired,
				Cause: "The packet arrived with TTL {ttl}, too small to be forwarded: a routing loop, or a traceroute through this " +
					"host.",
				Check: []string{"tracepath -n {addr}"},
				Fix:   "No action needed for a traceroute. Otherwise correct the route that sends the packet in a circle.",
			},
			tooBig,
			tooBigUnknown,
		},
	},
	{
		// net/xfrm/xfrm_input.c
		Name: "xfrm_input", Kind: Function, Module: "xfrm", Class: Error, Severity: Harm,
		Counters: []string{
			"xfrm.XfrmInNoStates", "xfrm.XfrmInStateProtoError", "xfrm.XfrmInStateSeqError", "xfrm.XfrmInStateModeError",
			"xfrm.XfrmInStateExpired", "xfrm.XfrmInStateMismatch", "xfrm.XfrmInStateInvalid", "xfrm.XfrmInHdrError", "xfrm.XfrmInError",
			"xfrm.XfrmInBufferError",
		},
		Cause: "An IPsec packet arrived that this host cannot accept: there is no state (SA) for it, the keys differ, or it is outside " +
			"the replay window. The counter says which.",
		Usual: []string{
			"this host restarted and the peer still uses the old state",
			"a tunnel that was not renewed in time", "paths that reorder packets",
		},
		Check: []string{"ip -s xfrm state", "cat /proc/net/xfrm_stat"},
		Fix:   "Establish the tunnel again, and let dead peer detection find lost states.",
	},
	{
		// net/ipv4/ip_output.c
		Name: "ip_fragment", Kind: Function, Module: "ip", Class: Error, Severity: Harm,
		Counters: answered("IpFragFails"),
		OfPeer:   []string{"interface.tx_dropped"}, // of a tunnel (net/ipv4/ip_tunnel_core.c iptunnel_xmit)
		Cause:    "The packet exceeds the MTU of the interface that it has to leave by, and may not be fragmented.",
		Usual: []string{
			"a tunnel inside a tunnel: the MTU of the inner one must be smaller by the headers of both",
			"a path whose MTU is smaller, learned by ICMP",
		},
		Check: []string{"ip -d link show  # mtu of each tunnel", "ip route get {addr}  # a cached mtu"},
		Fix:   "Lower the MTU of the tunnel that sends here, or raise that of the interface below.",
	},
	{
		// net/ipv6/ip6_output.c
		Name: "ip6_forward", Kind: Function, Module: "ipv6", Class: Error, Severity: Harm,
		Counters: answered("Ip6InHdrErrors", "Ip6InTooBigErrors", "Ip6InAddrErrors"),
		Cause:    "The packet could not be forwarded: its hop limit expired, it exceeds the MTU, or an IPsec policy forbids it.",
		Usual:    []string{"a routing loop", "a traceroute", "a tunnel whose MTU is smaller", "an IPsec policy"},
		Check: []string{
			"nstat -az Ip6InHdrErrors Ip6InTooBigErrors Ip6InAddrErrors",
			"tracepath -6 -n {addr}",
		},
		Fix: "Look for routing loops, and for different MTUs, with tracepath.",
		Cases: []Case{
			{
				If: Expired,
				Cause: "The packet arrived with hop limit {ttl}, too small to be forwarded: a routing loop, or a traceroute through " +
					"this host.",
				Check: []string{"tracepath -6 -n {addr}"},
				Fix:   "No action needed for a traceroute. Otherwise correct the route that sends the packet in a circle.",
			},
			tooBig,
			tooBigUnknown,
			duplicate,
		},
	},
	{
		// net/ipv6/ip6_input.c
		Name: "ip6_rcv_core", Kind: Function, Module: "ipv6", Class: Error, Severity: Maybe,
		Counters: []string{"Ip6InDiscards", "Ip6InHdrErrors", "Ip6InTruncatedPkts"},
		Settings: []string{"net.ipv6.conf.{ifname}.disable_ipv6"},
		Cause: "The IPv6 header is invalid, IPv6 is disabled, or the frame was for another host or in a VLAN that no " +
			"interface here has.",
		Usual: []string{
			"a frame for another host, or in a VLAN that is not configured here",
			"disable_ipv6",
			"a damaged packet",
		},
		Check: []string{
			"nstat -az Ip6InHdrErrors Ip6InDiscards",
			"sysctl net.ipv6.conf.{ifname}.disable_ipv6",
		},
		Fix: "No action needed for frames of other hosts. Otherwise enable IPv6 on the interface, or correct the " +
			"sender.",
		Cases: notForThisHost,
	},
	{
		// net/ipv6/route.c
		Name: "ip6_pkt_drop", Kind: Function, Module: "route", Class: Policy, Severity: Maybe,
		Cause: "There is no route to the destination, or it is a blackhole, prohibit or unreachable route.",
		Usual: []string{"no default route", "a blackhole, prohibit or unreachable route", "forwarding is off"},
		Check: []string{
			"ip -6 route get {addr}" + routeErrors,
			"nstat -az Ip6InNoRoutes Ip6OutNoRoutes",
		},
		Fix:   "Add or change the route if the traffic is wanted.",
		Apply: []string{"ip -6 route add {addr} via GATEWAY"},
		Cases: append(slices.Clone(routeCases), forRouters, withoutGroupRoute),
	},
	{Name: "ip6_pkt_discard", Kind: Function, Module: "route", Class: Policy, Same: "ip6_pkt_drop"},
	{Name: "ip6_pkt_prohibit", Kind: Function, Module: "route", Class: Policy, Same: "ip6_pkt_drop"},
	{
		// net/core/dst.c
		Name: "dst_discard_out", Kind: Function, Module: "route", Class: Policy, Severity: Maybe,
		Cause: "The route to the destination is a blackhole route, or is being removed.",
		Usual: []string{
			"a blackhole route",
			"an interface or route that was just removed",
			"an IPsec policy without a state",
		},
		Check: []string{"ip route get {addr}" + routeErrors},
		Fix:   "Change that route if the traffic is wanted.",
		Cases: routeCases,
	},
	{Name: "dst_discard", Kind: Function, Module: "route", Class: Policy, Same: "dst_discard_out"},
	{
		// net/ipv6/exthdrs.c
		Name: "ip6_tlvopt_unknown", Kind: Function, Module: "ipv6", Class: Error, Severity: Harm,
		Counters: answered("Ip6InHdrErrors"),
		Cause:    "An IPv6 extension header has an option that this host does not know, and that its sender requires.",
		Usual:    []string{"a scan or an attack", "a faulty sender"},
		Check:    []string{"tcpdump -vveni {ifname} ip6", "nstat -az Ip6InHdrErrors"},
		Fix:      "Fix the sender. It may be a scan.",
	},
	{
		// net/ipv6/exthdrs.c: Linux 5.10 drops here what ip6_tlvopt_unknown drops later
		Name: "ip6_parse_tlv", Kind: Function, Module: "ipv6", Class: Error, Severity: Harm,
		Counters: answered("Ip6InHdrErrors"),
		Cause:    "The options of an IPv6 extension header are damaged, too many, or not known to this host though required.",
		Usual:    []string{"a scan or an attack", "a faulty sender"},
		Check:    []string{"tcpdump -vveni {ifname} ip6", "nstat -az Ip6InHdrErrors"},
		Fix:      "Fix the sender. It may be a scan.",
	},
	{
		// net/ipv6/ip6_input.c
		Name: "ip6_mc_input", Kind: Function, Module: "ipv6", Class: Local, Severity: Maybe,
		Cause: "No program on this host has joined the multicast group on the interface where the packet arrived.",
		Usual: []string{"a group that only other hosts want", "a program that joined it on another interface"},
		Check: []string{"ip -6 maddr show dev {ifname}"},
		Fix:   "No action needed if the group is not wanted. Otherwise make the program join it on that interface.",
		Cases: []Case{forRouters, discoveryOfOther},
	},
	{
		// net/ipv4/ip_output.c
		Name: "ip_mc_output", Kind: Function, Module: "ip", Class: Local, Severity: Noise,
		Short: "copy nobody wants",
		Cause: "A copy of an outgoing multicast packet had no receiver on this host.",
		Check: []string{"ip maddr"},
		Fix:   "No action needed.",
	},
	{
		// net/ipv4/ip_fragment.c
		Name: "ip_defrag", Kind: Function, Module: "fragment", Class: NoBuffer, Severity: Harm,
		Counters: []string{"IpReasmFails", "IpExtReasmOverlaps"},
		Settings: []string{"net.ipv4.ipfrag_high_thresh", "net.ipv4.ipfrag_time"},
		Cause: "The fragment was not stored: it overlaps another one of its packet (IpExtReasmOverlaps rises), or the memory for " +
			"reassembly is full.",
		Usual: []string{
			"an attack with overlapping fragments",
			"a sender that reuses IP identifiers too soon",
			"many fragments (large UDP, tunnels), or lost ones that keep the memory for 30 seconds",
		},
		Check: []string{
			"nstat -az IpReasmFails IpExtReasmOverlaps",
			"cat /proc/net/sockstat  # FRAG: memory in use",
			"sysctl net.ipv4.ipfrag_high_thresh",
		},
		Fix: "If IpExtReasmOverlaps rises, fix the sender: overlapping fragments are often an attack. If the memory is near " +
			"ipfrag_high_thresh, raise that, or avoid fragments with a correct MTU.",
		Apply: []string{"sysctl -w net.ipv4.ipfrag_high_thresh=N"},
		Cases: []Case{overlap, noRoom},
	},
	{
		// net/ipv4/ip_fragment.c
		Name: "ip_frag_queue", Kind: Function, Module: "fragment", Class: Error, Severity: Harm,
		Counters: []string{"IpReasmFails", "IpExtReasmOverlaps"},
		Cause:    "The fragment contradicts other fragments of its packet.",
		Usual:    []string{"an attack with overlapping fragments", "a sender that reuses IP identifiers too soon"},
		Check:    []string{"nstat -az IpReasmFails IpExtReasmOverlaps"},
		Fix:      "Fix the sender. Overlapping fragments are often an attack.",
		Cases:    []Case{overlap},
	},
	{
		// net/ipv6/netfilter/nf_conntrack_reasm.c
		Name: "nf_ct_frag6_gather", Kind: Function, Module: "fragment", Class: NoBuffer, Severity: Harm,
		Cause: "Connection tracking could not reassemble an IPv6 packet: its memory is full, or a fragment is invalid or overlaps another.",
		Usual: []string{
			"many fragments (large UDP, tunnels)",
			"lost fragments that keep the memory",
			"an attack with fragments",
		},
		Check: []string{"sysctl net.netfilter.nf_conntrack_frag6_high_thresh"},
		Fix:   "Raise nf_conntrack_frag6_high_thresh, or avoid fragments with a correct MTU.",
		Apply: []string{"sysctl -w net.netfilter.nf_conntrack_frag6_high_thresh=N"},
	},
	{
		// net/ipv6/reassembly.c
		Name: "ipv6_frag_rcv", Kind: Function, Module: "fragment", Class: NoBuffer, Severity: Harm,
		Counters: []string{"Ip6ReasmFails"},
		Settings: []string{"net.ipv6.ip6frag_high_thresh"},
		Cause:    "The fragment was not stored: it overlaps another one of its packet or is invalid, or the memory for reassembly is full.",
		Usual: []string{
			"an attack with overlapping fragments",
			"many fragments (large UDP, tunnels)",
			"lost fragments that keep the memory",
		},
		Check: []string{
			"cat /proc/net/sockstat6  # FRAG6: memory in use",
			"sysctl net.ipv6.ip6frag_high_thresh",
			"nstat -az Ip6ReasmFails",
		},
		Fix: "If the memory is near ip6frag_high_thresh, raise that, or avoid fragments with a correct MTU. Otherwise fix the sender: " +
			"overlapping fragments are often an attack.",
		Apply: []string{"sysctl -w net.ipv6.ip6frag_high_thresh=N"},
		Cases: []Case{contradiction, noRoomIPv6},
	},
	{
		// net/ipv4/icmp.c
		Name: "icmp_rcv", Kind: Function, Module: "icmp", Class: Local, Severity: Maybe,
		Cause: "The ICMP message is invalid, has an unknown type, or is a broadcast ping that hosts ignore.",
		Usual: []string{"a broadcast ping", "a scan", "a type of message that this kernel does not know"},
		Check: []string{
			"nstat -az IcmpInErrors IcmpInCsumErrors",
			"sysctl net.ipv4.icmp_echo_ignore_broadcasts net.ipv4.icmp_echo_ignore_all",
		},
		Fix: "No action needed if it is rare.",
	},
	{
		// net/ipv4/arp.c
		Name: "arp_rcv", Kind: Function, Module: "neighbour", Class: Local, Severity: Noise,
		Cause: "The ARP packet is for another host, or the interface does not use ARP.",
		Check: []string{"ip -d link show dev {ifname}  # NOARP"},
		Fix:   "No action needed.",
	},
	{
		// net/ipv4/arp.c
		Name: "arp_process", Kind: Function, Module: "neighbour", Class: Local, Severity: Noise,
		Cause: "The ARP packet asks for or reports an address that this host does not care about.",
		Check: []string{"ip -br addr"},
		Fix:   "No action needed, unless the address should belong to this host.",
	},
	{Name: "neigh_invalidate", Kind: Function, Same: "NEIGH_FAILED"},
	{Name: "arp_error_report", Kind: Function, Same: "NEIGH_FAILED"},
	{Name: "ndisc_error_report", Kind: Function, Same: "NEIGH_FAILED"},
	{
		// net/core/neighbour.c
		Name: "__neigh_event_send", Kind: Function, Module: "neighbour", Class: NoBuffer, Severity: Harm,
		Counters: []string{"neighbour.unresolved_discards"}, PartOf: noAnswer,
		Settings: []string{"net.ipv4.neigh.{ifname}.unres_qlen_bytes"},
		Cause:    "The next hop does not answer, or too many packets wait for its answer.",
		Usual: []string{
			"the next hop or host is down",
			"a wrong prefix length, so that a distant host seems local",
			"the wrong VLAN",
		},
		Check: []string{
			"ip neigh show dev {ifname} nud incomplete nud failed",
			"sysctl net.ipv4.neigh.{ifname}.unres_qlen_bytes",
		},
		Fix:   "Find out why the neighbour is slow or silent. Raise unres_qlen_bytes for bursts.",
		Apply: []string{"sysctl -w net.ipv4.neigh.{ifname}.unres_qlen_bytes=N"},
	},
	{
		// net/xfrm/xfrm_policy.c
		Name: "xfrm_lookup_with_ifid", Kind: Function, Module: "xfrm", Class: Policy, Severity: Maybe,
		Cause: "An IPsec policy blocks the packet, or its security association is not there yet.",
		Usual: []string{
			"a tunnel that is not up yet",
			"policies that differ at both ends",
			"an IKE daemon that is down",
		},
		Check: []string{
			"ip xfrm policy",
			"cat /proc/net/xfrm_stat",
		},
		Fix: "Make the policies of both ends match.",
	},
	{
		// net/ipv4/ip_output.c
		Name: "ip_queue_xmit", Kind: Function, Module: "route", Class: Error, Severity: Harm,
		Cause: "A TCP connection of this host has no route to its peer.",
		Usual: []string{
			"a route or an interface that went away while the connection was open",
			"a VPN that is down",
		},
		Check: []string{"ip route get {addr}"},
		Fix:   "Add the route.",
		Apply: []string{"ip route add {addr} via GATEWAY"},
	},
}
