package knowledge

// network holds the reasons of IP, fragments, neighbours and tunnels
// (include/net/dropreason-core.h).
var network = []Entry{
	{
		// net/ipv4/ip_input.c ip_rcv_core
		Name: "IP_CSUM", Module: "ip", Class: Error, Severity: Harm,
		Counters: []string{"IpExtInCsumErrors", "IpInHdrErrors"},
		Cause:    "The checksum of the IPv4 header is wrong: the packet was damaged on its way.",
		Usual: []string{
			"a faulty cable, transceiver or switch",
			"a virtual machine or driver with broken checksum offload",
			"a middlebox that changes headers",
		},
		Check: []string{
			"nstat -az IpExtInCsumErrors",
			"ethtool -S {ifname} | grep -i err",
		},
		Fix: "Check cables, switches and tunnels on the path.",
	},
	{
		// net/ipv4/ip_forward.c ip_forward; net/ipv4/ip_input.c ip_rcv_core; net/ipv4/icmp.c icmp_unreach
		// and others
		Name: "IP_INHDR", Module: "ip", Class: Error, Severity: Harm,
		Counters: answered("IpInHdrErrors", "Ip6InHdrErrors"),
		Cause:    "The IP header is invalid, or the packet may not be forwarded further because its TTL expired.",
		Usual:    []string{"a routing loop", "a traceroute through this host", "a damaged packet or a scan"},
		Check: []string{
			"nstat -az IpInHdrErrors Ip6InHdrErrors",
			"tcpdump -vni {ifname}",
		},
		Fix: "If the TTL is 1 or 0, look for a routing loop with tracepath.",
		Cases: []Case{
			{
				If: Expired,
				Cause: "The packet arrived with TTL {ttl}, too small to be forwarded: a routing loop, or a traceroute through this " +
					"host.",
				Check: []string{
					"tracepath -n {addr}",
					"ip route get {addr}",
				},
				Fix: "No action needed for a traceroute. Otherwise correct the route that sends the packet in a circle.",
			},
			{
				If: IPOptions, Via: []string{"ip_rcv_finish_core"},
				Cause: "The options in the IP header are damaged. The sender gets ICMP \"parameter problem\".",
				Usual: []string{"a scan or an attack", "a faulty sender or middlebox"},
				Check: []string{"nstat -az IpInHdrErrors", "tcpdump -c 5 -vni {ifname} 'ip[0] & 15 > 5 and src {src}'  # options"},
				Fix:   "No action needed if it is a scan. Otherwise fix the sender.",
			},
		},
	},
	{
		Name: "IP_TTL_EXCEEDED", Module: "ip", Class: Error, Severity: Maybe,
		Counters: answered("IpInHdrErrors", "Ip6InHdrErrors"),
		Cause:    "The TTL expired, so the packet was not forwarded: a routing loop, or a traceroute through this host.",
		Usual: []string{
			"a routing loop",
			"a traceroute through this host",
			"a sender with a low TTL (multicast and BGP use 1)",
		},
		Check: []string{
			"tracepath -n {addr}",
			"ip route get {addr}",
		},
		Fix: "No action needed for a traceroute. Otherwise correct the route that sends the packet in a circle.",
	},
	{
		// net/ipv4/ip_input.c ip_rcv_finish_core
		Name: "IP_RPFILTER", Module: "ip", Class: Policy, Severity: Harm,
		Counters: []string{"TcpExtIPReversePathFilter"},
		Settings: []string{"net.ipv4.conf.{ifname}.rp_filter"},
		Cause: "Reverse path filtering: this host would not route a reply to the source through the interface where the " +
			"packet arrived.",
		Usual: []string{
			"asymmetric routing over two interfaces",
			"a VPN, VRF or policy route that the look-up of the reply does not use",
			"a spoofed source",
		},
		Check: []string{
			"sysctl net.ipv4.conf.all.rp_filter net.ipv4.conf.{ifname}.rp_filter  # the greater of the two counts",
			"ip route get {src}",
			"nstat -az TcpExtIPReversePathFilter",
		},
		Fix: "Add the route back to the source. rp_filter 2 (loose) helps only if some route back exists: ip route get {src}.",
		Apply: []string{
			"ip route add {src} via GATEWAY  # if ip route get finds no route",
			"sysctl -w net.ipv4.conf.{ifname}.rp_filter=2  # if it finds one by another interface",
		},
	},
	{
		// net/ipv4/ip_input.c ip_rcv_finish_core; net/ipv6/ip6_input.c ip6_rcv_core
		Name: "UNICAST_IN_L2_MULTICAST", Module: "ip", Class: Policy, Severity: Maybe,
		Cause: "A packet for one host arrived in a broadcast or multicast frame, which a sysctl forbids.",
		Usual: []string{
			"a cluster with a multicast MAC address for one IP address",
			"a wireless access point that converts multicast",
			"an attack",
		},
		Check: []string{"sysctl net.ipv4.conf.all.drop_unicast_in_l2_multicast"},
		Fix:   "Fix the sender, or clear that sysctl.",
		Apply: []string{"sysctl -w net.ipv4.conf.all.drop_unicast_in_l2_multicast=0"},
	},
	{
		// net/ipv4/ip_input.c ip_protocol_deliver_rcu; net/ipv6/ip6_input.c ip6_protocol_deliver_rcu
		Name: "IP_NOPROTO", Module: "ip", Class: Local, Severity: Maybe,
		Counters: answered("IpInUnknownProtos", "Ip6InUnknownProtos"),
		Cause:    "Nothing on this host handles this IP protocol, for example GRE, ESP or SCTP without its module.",
		Usual:    []string{"a tunnel or a daemon that is not set up here (GRE, ESP, VRRP, OSPF)", "a scan"},
		Check: []string{
			"nstat -az IpInUnknownProtos",
			"tcpdump -vni {ifname}",
		},
		Fix:   "Load the module or set up the tunnel, or stop the sender.",
		Apply: []string{"modprobe MODULE"},
	},
	{
		Name: "IP_LOCAL_SOURCE", Module: "ip", Class: Error, Severity: Harm,
		Settings: []string{"net.ipv4.conf.{ifname}.accept_local"},
		Cause: "A packet arrived with this host's own address as its source: a loop, a duplicate address, or a spoofed " +
			"packet.",
		Usual: []string{
			"the same address on another host",
			"a loop that brings packets back",
			"a load balancer or VPN that sends this host its own address",
		},
		Check: []string{
			"ip -br addr",
			"arping -D -I {ifname} {src}",
		},
		Fix:   "Remove the loop or the duplicate address. Set accept_local only where this is intended.",
		Apply: []string{"sysctl -w net.ipv4.conf.{ifname}.accept_local=1"},
		Cases: []Case{hairpin},
	},
	{
		Name: "IP_INVALID_SOURCE", Module: "ip", Class: Error, Severity: Harm,
		Cause: "The source address is one that no host can have: multicast, broadcast or zero.",
		Usual: []string{
			"a faulty program or NAT rule at the sender",
			"a host that has no address yet",
			"an attack",
		},
		Check: []string{"tcpdump -eni {ifname} src {src}"},
		Fix:   "Fix the sender.",
	},
	{
		Name: "IP_LOCALNET", Module: "ip", Class: Error, Severity: Harm,
		Cause: "A loopback address (127.0.0.0/8) arrived on an interface that is not the loopback.",
		Usual: []string{"a NAT rule that sends to 127.0.0.1", "a scan or an attack from the local network"},
		Check: []string{
			"sysctl net.ipv4.conf.{ifname}.route_localnet",
			"nft list ruleset | grep 127.0.0",
		},
		Fix:   "Send to a real address, or set route_localnet if DNAT to the loopback is intended.",
		Apply: []string{"sysctl -w net.ipv4.conf.{ifname}.route_localnet=1"},
		Cases: []Case{{
			If: FromLoopback,
			Cause: "The source of the packet is a loopback address (127.0.0.0/8), and it arrived on an interface that is not the " +
				"loopback. No reply could reach its sender.",
			Usual: []string{"a sender or a NAT rule that lets 127.0.0.1 leave as a source address", "a spoofed source"},
			Check: []string{"tcpdump -c 5 -eni {ifname} src {src}  # the MAC address of the sender"},
			Fix:   "Correct the sender: it needs a source address of its own, by SNAT or by what its program binds to.",
		}},
	},
	{
		Name: "IP_INVALID_DEST", Module: "ip", Class: Error, Severity: Harm,
		Cause: "The destination address is one that no packet may have: zero, or a broadcast where it is not allowed.",
		Usual: []string{"a faulty program at the sender", "a directed broadcast", "a scan"},
		Check: []string{"tcpdump -eni {ifname}"},
		Fix:   "Fix the sender.",
	},
	{
		// net/ipv4/ip_forward.c ip_forward; net/openvswitch/actions.c do_output; net/ipv6/ip6_output.c
		// ip6_forward
		Name: "PKT_TOO_BIG", Module: "ip", Class: Error, Severity: Harm,
		Counters: answered("IpFragFails", "Ip6InTooBigErrors", "Ip6FragFails"),
		Cause:    "The packet exceeds the MTU of its path and may not be fragmented, or exceeds what the protocol allows.",
		Usual: []string{
			"a tunnel, VPN or overlay whose MTU is smaller",
			"a firewall that drops the ICMP message",
			"jumbo frames on one side only",
		},
		Check: []string{
			"tracepath -n {addr}",
			"ip route get {addr}  # a cached mtu",
			"ip link show  # mtu",
		},
		Fix:   "Make the MTUs equal, allow ICMP \"fragmentation needed\" and \"packet too big\", or clamp the MSS on tunnels.",
		Apply: []string{"iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu"},
		Cases: []Case{tooBig, tooBigUnknown},
	},
	{
		// net/ipv4/icmp.c icmp_rcv; net/ipv6/exthdrs.c ipv6_dest_hao
		Name: "INVALID_PROTO", Module: "ip", Class: Local, Severity: Noise,
		Cause: "The packet violates its protocol, for example a broadcast ping that hosts ignore.",
		Check: []string{
			"tcpdump -vveni {ifname}",
			"sysctl net.ipv4.icmp_echo_ignore_broadcasts",
		},
		Fix: "No action needed if it is rare.",
		Cases: []Case{{
			If: Broadcast, Via: []string{"icmp_rcv"}, Short: "broadcast pings ignored, icmp_echo_ignore_broadcasts",
			Cause: "A ping, or another ICMP message, was sent to a broadcast address: hosts ignore that " +
				"(net.ipv4.icmp_echo_ignore_broadcasts).",
			Check: []string{"sysctl net.ipv4.icmp_echo_ignore_broadcasts"},
			Fix:   "No action needed. Ping one address.",
		}},
	},
	{
		// net/ipv4/icmp.c icmp_rcv; net/ipv6/icmp.c icmpv6_rcv
		Name: "ICMP_CSUM", Module: "icmp", Class: Error, Severity: Harm,
		Counters: []string{"IcmpInCsumErrors", "Icmp6InCsumErrors", "IcmpInErrors", "Icmp6InErrors"},
		Cause:    "The checksum of the ICMP message is wrong: it was damaged on its way.",
		Usual: []string{
			"a faulty cable, transceiver or switch",
			"a virtual machine or driver with broken checksum offload",
			"a middlebox that changes messages",
		},
		Check: []string{
			"nstat -az IcmpInCsumErrors Icmp6InCsumErrors",
			"ethtool -k {ifname} | grep checksum",
		},
		Fix:   "Check the path. As a test, let this host compute checksums itself.",
		Apply: []string{"ethtool -K {ifname} rx off"},
	},
	{
		Name: "ARP_PVLAN_DISABLE", Module: "neighbour", Class: Policy, Severity: Noise,
		Cause: "An ARP request asks for a host on the side where it arrived, and this host does not answer for those.",
		Check: []string{"sysctl net.ipv4.conf.{ifname}.proxy_arp_pvlan"},
		Fix:   "No action needed, unless this host should answer in a private VLAN.",
	},
	{
		// net/ipv4/ip_fragment.c ip_frag_queue; net/ipv6/reassembly.c ip6_frag_queue;
		// net/ipv6/netfilter/nf_conntrack_reasm.c nf_ct_frag6_queue
		Name: "DUP_FRAG", Module: "fragment", Class: Local, Severity: Noise,
		Cause: "A fragment of an IP packet arrived twice.",
		Check: []string{"nstat -az IpReasmFails Ip6ReasmFails"},
		Fix:   "No action needed if it is rare. Otherwise look for a loop or a mirror port.",
	},
	{
		// net/ipv4/ip_fragment.c ip_expire; net/ipv4/inet_fragment.c inet_frag_queue_flush,
		// inet_frag_destroy and others
		Name: "FRAG_REASM_TIMEOUT", Module: "fragment", Class: Error, Severity: Harm,
		Counters: answered("IpReasmTimeout", "IpReasmFails", "Ip6ReasmTimeout", "Ip6ReasmFails"),
		Settings: []string{"net.ipv4.ipfrag_time"},
		Cause: "Some fragments of a packet never arrived, so the others were dropped. One lost fragment costs the whole " +
			"packet.",
		Usual: []string{
			"loss on the path",
			"a firewall or load balancer that drops later fragments, which have no ports",
			"an attack with fragments",
		},
		Check: []string{
			"nstat -az IpReasmTimeout IpReasmFails Ip6ReasmTimeout",
			"sysctl net.ipv4.ipfrag_time",
		},
		Fix: "Find the loss, or avoid fragments with a correct MTU.",
	},
	{
		// net/ipv4/ip_fragment.c ip_frag_reinit
		Name: "FRAG_TOO_FAR", Module: "fragment", Class: Error, Severity: Harm,
		Counters: []string{"IpReasmFails", "Ip6ReasmFails"},
		Settings: []string{"net.ipv4.ipfrag_max_dist"},
		Cause:    "Too many fragments of other packets of the same host arrived between the fragments of one packet.",
		Usual: []string{
			"a sender with many large datagrams at a high rate",
			"several paths that reorder fragments",
		},
		Check: []string{
			"sysctl net.ipv4.ipfrag_max_dist",
			"nstat -az IpReasmFails",
		},
		Fix:   "Avoid fragments, or raise ipfrag_max_dist if packets take several paths.",
		Apply: []string{"sysctl -w net.ipv4.ipfrag_max_dist=N"},
	},
	{
		// net/ipv6/ip6_output.c ip6_output; net/ipv6/ip6_input.c ip6_rcv_core; net/ipv6/exthdrs.c
		// ipv6_rthdr_rcv and others
		Name: "IPV6DISABLED", Module: "ipv6", Class: Policy, Severity: Maybe,
		Counters: []string{"Ip6InDiscards", "Ip6OutDiscards"},
		Settings: []string{"net.ipv6.conf.{ifname}.disable_ipv6"},
		Cause:    "IPv6 is disabled on the interface.",
		Usual: []string{
			"disable_ipv6 set on purpose, by sysctl.d, a container platform or a network manager",
			"router advertisements and neighbours' multicast",
		},
		Check: []string{"sysctl net.ipv6.conf.{ifname}.disable_ipv6"},
		Fix:   "Enable it if IPv6 is wanted. Otherwise no action needed.",
		Apply: []string{"sysctl -w net.ipv6.conf.{ifname}.disable_ipv6=0"},
	},
	{
		// net/ipv6/icmp.c icmpv6_notify
		Name: "IPV6_BAD_EXTHDR", Module: "ipv6", Class: Error, Severity: Harm,
		Cause: "An IPv6 extension header is malformed.",
		Usual: []string{"a scan or an attack", "a faulty sender"},
		Check: []string{"tcpdump -vveni {ifname} ip6"},
		Fix:   "Fix the sender. It may be a scan.",
	},
	{
		Name: "IPV6_TOO_MANY_EXTHDRS", Module: "ipv6", Class: Error, Severity: Harm,
		Cause: "The packet has more IPv6 extension headers than this host accepts.",
		Usual: []string{"a scan or an attack", "limits that are set low"},
		Check: []string{"tcpdump -vveni {ifname} ip6"},
		Fix:   "Fix the sender. It may be a scan.",
	},
	{
		// net/ipv6/ndisc.c ndisc_rcv
		Name: "IPV6_NDISC_FRAG", Module: "ipv6", Class: Error, Severity: Harm,
		Cause: "A neighbour discovery message arrived in fragments, which is forbidden because attacks use it.",
		Usual: []string{"an attack", "a faulty sender"},
		Check: []string{"sysctl net.ipv6.conf.{ifname}.suppress_frag_ndisc"},
		Fix:   "Find the sender in the local network.",
	},
	{
		// net/ipv6/ndisc.c ndisc_rcv
		Name: "IPV6_NDISC_HOP_LIMIT", Module: "ipv6", Class: Error, Severity: Harm,
		Cause: "A neighbour discovery message has a hop limit other than 255, so it may come from outside the local network.",
		Usual: []string{"an attack from another network", "a router or tunnel that forwards what it must not"},
		Check: []string{"tcpdump -vveni {ifname} icmp6"},
		Fix:   "Find the sender: it is faulty, or an attacker.",
	},
	{
		// net/ipv6/ndisc.c ndisc_rcv
		Name: "IPV6_NDISC_BAD_CODE", Module: "ipv6", Class: Error, Severity: Harm,
		Cause: "A neighbour discovery message has an ICMP code other than 0.",
		Usual: []string{"a faulty sender", "a scan"},
		Check: []string{"tcpdump -vveni {ifname} icmp6"},
		Fix:   "Fix the sender.",
	},
	{
		// net/ipv6/ndisc.c ndisc_recv_ns, ndisc_recv_na, ndisc_recv_rs and others
		Name: "IPV6_NDISC_BAD_OPTIONS", Module: "ipv6", Class: Error, Severity: Harm,
		Cause: "The options of a neighbour discovery message are malformed.",
		Usual: []string{"a faulty sender", "an attack"},
		Check: []string{"tcpdump -vveni {ifname} icmp6"},
		Fix:   "Fix the sender.",
	},
	{
		// net/ipv6/ndisc.c ndisc_recv_ns
		Name: "IPV6_NDISC_NS_OTHERHOST", Module: "ipv6", Class: Local, Severity: Noise,
		Short: "asks for others' addresses",
		Cause: "A neighbour solicitation asks for an address of another host.",
		Check: []string{
			"ip -6 addr",
			"ip -6 neigh show proxy",
		},
		Fix: "No action needed, unless the address should belong to this host.",
	},
	{
		// net/ipv4/ip_output.c ip_finish_output2; net/ipv6/ip6_output.c ip6_finish_output2
		Name: "NEIGH_CREATEFAIL", Module: "neighbour", Class: NoBuffer, Severity: Harm,
		Counters: unsent("neighbour.table_fulls"),
		Settings: []string{
			"net.ipv4.neigh.default.gc_thresh1", "net.ipv4.neigh.default.gc_thresh2", "net.ipv4.neigh.default.gc_thresh3",
			"net.ipv6.neigh.default.gc_thresh3",
		},
		Cause: "There was no room for another neighbour entry: the table, which all network namespaces share, is full.",
		Usual: []string{
			"many containers or pods, whose entries fill one table",
			"a large flat network",
			"a scan of a directly connected prefix",
		},
		Check: []string{
			"ip -4 neigh | wc -l  # of this namespace only",
			"sysctl net.ipv4.neigh.default.gc_thresh3",
			"sysctl net.ipv6.neigh.default.gc_thresh3",
			"dmesg | grep -i 'table overflow'",
		},
		Fix: "Raise gc_thresh1 to gc_thresh3 in the initial namespace.",
		Apply: []string{
			"sysctl -w net.ipv4.neigh.default.gc_thresh3=N",
			"sysctl -w net.ipv4.neigh.default.gc_thresh2=N",
			"sysctl -w net.ipv4.neigh.default.gc_thresh1=N",
		},
	},
	{
		// net/core/neighbour.c __neigh_event_send; net/ipv4/arp.c arp_error_report
		Name: "NEIGH_FAILED", Module: "neighbour", Class: Error, Severity: Harm,
		Counters: answered(unsent("neighbour.res_failed")...), PartOf: noAnswer,
		Settings: []string{"net.ipv4.conf.{ifname}.arp_ignore"},
		Cause:    "The next hop does not answer ARP or neighbour discovery: it is down, absent or in another VLAN.",
		Usual: []string{
			"the next hop or host is down",
			"a wrong prefix length, so that a distant host seems local",
			"the wrong VLAN",
			"a security group",
			"the next hop's rp_filter, if it has no route back to the sender address of the ARP request",
		},
		Check: []string{
			"ip route get {addr}",
			"ip neigh show dev {ifname} nud failed nud incomplete  # also next hops",
			"tcpdump -c 5 -ni {ifname} arp  # who asks from which address, and is it answered?",
		},
		Fix: "Bring the neighbour up, or correct the route, the prefix length or the VLAN. If it does not answer for the sender " +
			"address of the ARP request, set arp_announce to 2 here.",
		Cases: []Case{withoutCarrier, silentIPv6},
	},
	{
		// net/core/neighbour.c __neigh_event_send
		Name: "NEIGH_QUEUEFULL", Module: "neighbour", Class: NoBuffer, Severity: Harm,
		Counters: unsent("neighbour.unresolved_discards"), PartOf: noAnswer,
		Settings: []string{"net.ipv4.neigh.{ifname}.unres_qlen_bytes"},
		Cause:    "Too many packets wait for a next hop that has not answered ARP or neighbour discovery yet.",
		Usual: []string{
			"a next hop that is down or slow to answer",
			"a burst to a host that is not known yet",
			"many hosts behind one silent next hop",
		},
		Check: []string{
			"ip neigh show nud incomplete",
			"sysctl net.ipv4.neigh.default.unres_qlen_bytes",
		},
		Fix:   "Find out why the neighbour is slow or silent. Raise unres_qlen_bytes for bursts.",
		Apply: []string{"sysctl -w net.ipv4.neigh.{ifname}.unres_qlen_bytes=N"},
		Cases: []Case{withoutCarrier},
	},
	{
		// net/core/neighbour.c __neigh_event_send
		Name: "NEIGH_DEAD", Module: "neighbour", Class: Error, Severity: Maybe,
		Cause: "The neighbour entry was removed while a packet waited for it, for example because an interface went down.",
		Usual: []string{"an interface that went down or was removed", "ip neigh flush, or a full neighbour table"},
		Check: []string{"ip monitor neigh link"},
		Fix:   "No action needed if it is rare. Otherwise find out what removes neighbours: ip monitor neigh shows it.",
	},
	{
		Name: "NEIGH_HH_FILLFAIL", Module: "neighbour", Class: Error, Severity: Harm,
		Cause: "The link header for the next hop could not be built.",
		Usual: []string{"an interface that is being removed", "a faulty driver"},
		Check: []string{
			"ip neigh",
			"ip -d link show dev {ifname}",
		},
		Fix: "No action needed if the interface was being removed. Otherwise update its driver.",
	},
	{
		// drivers/net/vxlan/vxlan_core.c vxlan_rcv
		Name: "IP_TUNNEL_ECN", Module: "tunnel", Class: Error, Severity: Harm,
		Cause: "The ECN marks inside and outside a tunnel contradict each other.",
		Usual: []string{"a router or peer on the path that marks or clears ECN against the standard"},
		Check: []string{"tcpdump -vni {ifname}"},
		Fix:   "Make the peer and the routers between handle ECN by RFC 6040.",
	},
	{
		// drivers/net/vxlan/vxlan_core.c vxlan_xmit
		Name: "TUNNEL_TXINFO", Module: "tunnel", Class: Error, Severity: Harm,
		Cause: "A tunnel in external mode received a packet without the metadata that says where to send it.",
		Usual: []string{
			"a route without encap to a tunnel in external mode",
			"a tc or Open vSwitch rule that is missing",
		},
		Check: []string{
			"ip -d link show dev {ifname}",
			"tc filter show dev {ifname} egress  # tunnel_key",
		},
		Fix: "Route to it with encap, or set the metadata with tc, BPF or Open vSwitch.",
	},
	{
		Name: "TNL_OPT_MISMATCH", Module: "tunnel", Class: Error, Severity: Harm,
		Cause: "The tunnel header has a checksum, key or sequence number where the tunnel has none configured, or the " +
			"reverse.",
		Usual: []string{"key, csum or seq set at one end only"},
		Check: []string{"ip -d link show type gre  # csum, seq, key, as at the peer?"},
		Fix:   "Configure both ends alike.",
	},
	{
		Name: "TNL_OLD_SEQ", Module: "tunnel", Class: Error, Severity: Harm,
		Cause: "A tunnel packet arrived after a later one, and the tunnel is configured to drop those (seq).",
		Usual: []string{"several paths that reorder packets", "a peer that restarted and counts from 0 again"},
		Check: []string{"ip -d link show type gre  # iseq, oseq"},
		Fix:   "Remove seq at both ends, or find what reorders the packets.",
	},
	{
		Name: "GRE_INVALID_HDR", Module: "tunnel", Class: Error, Severity: Harm,
		Cause: "The GRE header is invalid.",
		Usual: []string{"another version of GRE (PPTP) without its module", "a scan", "a faulty peer"},
		Check: []string{"tcpdump -vni {ifname} proto gre"},
		Fix:   "Fix the peer.",
	},
	{
		Name: "GRE_CSUM", Module: "tunnel", Class: Error, Severity: Harm,
		Cause: "The checksum of the GRE packet is wrong: it was damaged on its way.",
		Usual: []string{"a faulty cable, transceiver or switch", "a peer with broken checksum offload"},
		Check: []string{"tcpdump -vni {ifname} proto gre"},
		Fix:   "Check the path.",
	},
	{
		Name: "GRE_TUNNEL_NOT_FOUND", Module: "tunnel", Class: Error, Severity: Harm,
		Cause: "No GRE tunnel of this host has these addresses and this key.",
		Usual: []string{
			"a peer with another key or address (after NAT)",
			"a tunnel that was removed here",
			"a scan",
		},
		Check: []string{
			"ip -d link show type gre",
			"ip -d link show type gretap",
		},
		Fix:   "Add the tunnel, or correct its local and remote addresses and its key.",
		Apply: []string{"ip link add NAME type gre local {addr} remote {src}"},
	},
}
