package knowledge

import "slices"

// ruleCounters are those of the rules and policies that drop, and of packets for which
// there often is such a rule; which one it was is found by package diagnose.
var ruleCounters = answered("nftables.drop_packets", "iptables.drop_packets", "conntrack.invalid")

// hangs is what happens without the ICMP error by which a sender learns the MTU of its path.
const hangs = "Without it path MTU discovery fails: the sender of large packets sends them again and again, and transfers hang " +
	"while pings work."

// tooBigError is for that ICMP error, tooBigErrorOut if this host was to send it.
var (
	tooBigError = Case{
		If: TooBigError, Severity: Harm,
		Cause: "The firewall dropped ICMP \"too big\". " + hangs,
		Check: []string{
			"nft list ruleset",
			"iptables-save -c",
		},
		Fix: "Accept ICMP \"fragmentation needed\" (type 3, code 4) and ICMPv6 \"packet too big\" (type 2).",
	}
	tooBigErrorOut = Case{
		If: TooBigError, Via: append(slices.Clone(localOut), "ip_output", "ip6_output"), Severity: Harm,
		Cause: "The firewall dropped ICMP \"too big\" that this host sent. " + hangs,
		Check: tooBigError.Check, Fix: tooBigError.Fix, Counters: unsent(ruleCounters...),
	}
)

// unreachableIPv6 is what happens without neighbour discovery.
const unreachableIPv6 = "IPv6 has no ARP: without these messages no neighbour finds the MAC address of another, and none reaches it."

// discovery is for neighbour discovery, discoveryOut if this host was to send it.
var (
	discovery = Case{
		If: Discovery, Severity: Harm,
		Cause: "The firewall dropped a message of IPv6 neighbour discovery. " + unreachableIPv6,
		Check: []string{"nft list ruleset", "ip6tables-save -c", "ip -6 neigh show nud failed nud incomplete"},
		Fix: "Accept ICMPv6 nd-neighbor-solicit and nd-neighbor-advert (types 135 and 136), and " +
			"nd-router-advert (134) where there are routers.",
	}
	discoveryOut = Case{
		If: Discovery, Via: localOut, Severity: Harm,
		Cause: "The firewall dropped a message of IPv6 neighbour discovery that this host sent. " + unreachableIPv6,
		Check: discovery.Check, Fix: discovery.Fix, Counters: unsent(ruleCounters...),
	}
)

// localOut are the functions that pass packets of this host to the hook OUTPUT.
var localOut = []string{
	"__ip_local_out", "__ip6_local_out", "ip_local_out", "ip6_local_out", "ip6_xmit", "raw_send_hdrinc", "rawv6_send_hdrinc",
}

// bridgeCalls are the settings that send bridged packets through the firewall of IP.
var bridgeCalls = []string{"net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables"}

// firewall holds the reasons of netfilter, IPsec and BPF, and of the routes that refuse.
var firewall = []Entry{
	{
		// net/netfilter/nfnetlink_queue.c nf_reinject; net/netfilter/core.c nf_hook_slow;
		// net/netfilter/nf_synproxy_core.c ipv4_synproxy_hook and others
		Name: "NETFILTER_DROP", Module: "netfilter", Class: Policy, Severity: Maybe,
		Counters: ruleCounters,
		Cause:    "A firewall rule, a chain's policy or connection tracking dropped the packet.",
		Usual: []string{
			"a rule or a policy that drops on purpose",
			"a new service whose port no rule accepts",
			"container or VM traffic and FORWARD policy drop",
		},
		Check: []string{
			"nft list ruleset",
			"iptables-save -c",
			"conntrack -S  # drop, insert_failed (of conntrack-tools)",
		},
		Fix: "Allow the traffic if it is wanted. nft monitor trace shows the rule.",
		Cases: []Case{
			tooBigErrorOut,
			tooBigError,
			discoveryOut,
			discovery,
			invalid,
			invalidWithoutEntry,
			stray,
			{
				Via: []string{"br_nf_forward_ip", "br_nf_forward", "br_nf_forward_ipv6"},
				Cause: "An IP firewall chain (FORWARD) dropped a bridged packet: br_netfilter sends bridged packets through the IP " +
					"firewall.",
				Check: []string{
					"sysctl net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables",
					"iptables-save -c -t filter | grep -E 'FORWARD|DROP'",
					"nft list ruleset | grep -A20 'hook forward'",
				},
				Fix:      "Allow the traffic in FORWARD, or set bridge-nf-call-iptables to 0 if bridged traffic is not to be filtered.",
				Settings: bridgeCalls,
			},
			{
				Via: []string{"br_nf_pre_routing", "br_nf_pre_routing_ipv6"},
				Cause: "An IP firewall chain (PREROUTING) or connection tracking dropped a bridged packet: br_netfilter sends " +
					"bridged packets there.",
				Ruled: "A PREROUTING chain of the IP firewall dropped a bridged packet: br_netfilter sends it there.",
				Check: []string{
					"sysctl net.bridge.bridge-nf-call-iptables net.bridge.bridge-nf-call-ip6tables",
					"iptables-save -c | grep PREROUTING",
					"conntrack -S  # drop, insert_failed (of conntrack-tools)",
				},
				Fix:      "Allow the traffic, or set bridge-nf-call-iptables to 0 if bridged traffic is not to be filtered.",
				Settings: bridgeCalls,
			},
			{
				Via:   []string{"ip_forward", "ip6_forward"},
				Cause: "A rule or the policy of a FORWARD chain dropped a routed packet.",
				Check: []string{
					"nft list ruleset | grep -A20 'hook forward'",
					"iptables-save -c -t filter | grep -E 'FORWARD|DROP'",
				},
				Fix: "Allow the traffic if it is wanted. nft monitor trace shows the rule.",
			},
			{
				Via:   []string{"ip_local_deliver", "ip6_input"},
				Cause: "An INPUT chain dropped the packet, or connection tracking could not confirm its connection (insert_failed).",
				Ruled: "A rule or the policy of an INPUT chain dropped the packet.",
				Check: []string{
					"nft list ruleset | grep -A20 'hook input'",
					"iptables-save -c | grep -E 'INPUT|DROP'",
					"conntrack -S  # insert_failed (of conntrack-tools)",
				},
				Fix: "Allow the traffic if it is wanted. nft monitor trace shows the rule.",
			},
			{
				Via:   localOut,
				Cause: "An OUTPUT chain dropped a packet of this host, or the connection tracking table is full.",
				Ruled: "A rule or the policy of an OUTPUT chain dropped a packet of this host.",
				Check: []string{
					"nft list ruleset | grep -A20 'hook output'",
					"iptables-save -c | grep -E 'OUTPUT|DROP'",
					"sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
				},
				Fix:      "Allow the traffic if it is wanted. If the table is full, raise nf_conntrack_max.",
				Counters: unsent(ruleCounters...),
			},
			{
				Via: []string{"ip_output", "ip6_output", "ip_mc_output"},
				Cause: "A POSTROUTING chain dropped the packet, or connection tracking could not confirm its connection " +
					"(insert_failed).",
				Ruled: "A rule or the policy of a POSTROUTING chain dropped the packet.",
				Check: []string{
					"nft list ruleset | grep -A20 'hook postrouting'",
					"conntrack -S  # insert_failed (of conntrack-tools)",
				},
				Fix:      "With insert_failed and two DNS queries of one socket, use single-request-reopen or a local cache.",
				Counters: unsent(ruleCounters...),
			},
			{
				Via:   []string{"ip_rcv", "ipv6_rcv", "ip_sublist_rcv", "ipv6_list_rcv", "ip6_sublist_rcv"},
				Cause: "A PREROUTING chain dropped the packet, or the connection tracking table is full.",
				Ruled: "A rule or the policy of a PREROUTING chain dropped the packet.",
				Check: []string{
					"sysctl net.netfilter.nf_conntrack_count net.netfilter.nf_conntrack_max",
					"nft list ruleset | grep -A20 'hook prerouting'",
					"iptables-save -c | grep PREROUTING",
				},
				Fix: "If the table is full, raise nf_conntrack_max or track less. Otherwise allow the traffic if it is wanted.",
			},
			{
				Via:   []string{"__netif_receive_skb_core"},
				Cause: "An nftables chain at the interface's ingress hook dropped the packet.",
				Check: []string{"nft list ruleset | grep -A20 'hook ingress'"},
				Fix:   "Allow the traffic if it is wanted.",
			},
			{
				Via:   []string{"__dev_queue_xmit"},
				Cause: "An nftables chain at the interface's egress hook dropped the packet.",
				Check: []string{"nft list ruleset | grep -A20 'hook egress'"},
				Fix:   "Allow the traffic if it is wanted.", Counters: unsent(ruleCounters...),
			},
			{
				Via:   []string{"__br_forward", "br_handle_frame", "br_pass_frame_up"},
				Cause: "A rule or policy of the bridge firewall dropped the frame.",
				Check: []string{
					"nft list ruleset bridge",
					"ebtables-save -c",
				},
				Fix: "Allow the traffic if it is wanted.",
			},
			{
				Via:   []string{"arp_rcv", "arp_xmit", "arp_send_dst"},
				Cause: "A rule of the ARP firewall dropped the packet.",
				Check: []string{
					"nft list ruleset arp",
					"arptables-save -c",
				},
				Fix: "Allow the traffic if it is wanted.",
			},
		},
	},
	{
		// net/ipv4/tcp_ipv4.c tcp_v4_rcv; net/ipv4/udp.c udp_queue_rcv_one_skb; net/ipv4/raw.c raw_rcv
		// and others
		Name: "XFRM_POLICY", Module: "xfrm", Class: Policy, Severity: Maybe,
		Counters: []string{"xfrm.XfrmInNoPols", "xfrm.XfrmInPolBlock", "xfrm.XfrmInTmplMismatch", "UdpInErrors", "Udp6InErrors"},
		Cause:    "An IPsec policy rejected the packet, for example one that arrived in clear text and had to be encrypted.",
		Usual: []string{
			"a peer that sends in clear text",
			"policies that differ at both ends",
			"a tunnel that is not up",
		},
		Check: []string{
			"ip xfrm policy",
			"ip xfrm state",
			"cat /proc/net/xfrm_stat",
		},
		Fix: "Make the policies of both ends match.",
	},
	{
		// net/ipv4/ip_output.c ip_finish_output, ip_mc_finish_output; net/ipv6/ip6_output.c
		// ip6_finish_output
		Name: "BPF_CGROUP_EGRESS", Module: "bpf", Class: Policy, Severity: Maybe,
		Counters: unsent(),
		Cause:    "A BPF program at the sender's control group rejected the packet.",
		Usual: []string{
			"IPAddressDeny= or IPAddressAllow= of a systemd unit",
			"the policy of a container platform or security agent",
		},
		Check: []string{"bpftool cgroup tree  # systemd attaches such programs for IPAddressDeny="},
		Fix:   "Correct the network policy of the unit or of the container platform.",
		Cases: []Case{{
			If:    AtCgroup,
			Check: []string{"systemctl show -p IPAddressDeny -p IPAddressAllow {unit}"},
		}},
	},
	{
		// net/ipv4/syncookies.c cookie_v4_check; net/ipv4/ip_output.c __ip_queue_xmit;
		// net/ipv6/syncookies.c cookie_v6_check and others
		Name: "IP_OUTNOROUTES", Module: "route", Class: Error, Severity: Harm,
		Counters: []string{"IpOutNoRoutes", "Ip6OutNoRoutes"},
		Cause:    "There is no route to the destination of an outgoing packet.",
		Usual: []string{
			"no default route",
			"an interface or VPN that is down",
			"a policy route to a table without the destination",
		},
		Check: []string{
			"ip route get {addr}",
			"ip rule",
		},
		Fix:   "Add the route.",
		Apply: []string{"ip route add {addr} via GATEWAY"},
		Cases: []Case{withoutOuterRoute},
	},
	{
		// net/ipv4/route.c ip_error; net/ipv6/route.c ip6_pkt_drop
		Name: "IP_INNOROUTES", Module: "route", Class: Error, Severity: Harm,
		Counters: answered("IpExtInNoRoutes", "Ip6InNoRoutes"),
		Cause:    "There is no route to the destination of an incoming packet.",
		Usual:    []string{"no default route", "a route that was withdrawn", "a sender with a wrong gateway"},
		Check:    []string{"ip route get {addr} from {src} iif {ifname}" + routeErrors},
		Fix:      "Add the route, or find out why the packet is sent to this host.",
		Apply:    []string{"ip route add {addr} via GATEWAY"},
		Cases: append(append(slices.Clone(routeCases), forRouters, withoutGroupRoute), Case{
			If: IPv6, Fix: "Add the route, or find out why the packet is sent to this host.", Settings: forwardingIPv6,
			Check: []string{"ip -6 route get {addr} from {src} iif {ifname}" + routeErrors, "sysctl net.ipv6.conf.all.forwarding"},
			Apply: []string{"ip -6 route add {addr} via GATEWAY"},
		}),
	},
	{
		// net/ipv4/route.c ip_error; net/ipv6/ip6_output.c ip6_forward; net/ipv6/ip6_input.c
		// ip6_protocol_deliver_rcu and others
		Name: "IP_INADDRERRORS", Module: "route", Class: Error, Severity: Maybe,
		Counters: []string{"IpInAddrErrors", "Ip6InAddrErrors"},
		Settings: []string{"net.ipv4.ip_forward"},
		Cause:    "The packet is for an address of another host and this host does not forward, or the address is invalid.",
		Usual: []string{
			"forwarding is off",
			"a sender with a wrong gateway",
			"an address that moved away from this host",
		},
		Check: []string{
			"ip -br addr",
			"sysctl net.ipv4.ip_forward",
			"sysctl net.ipv6.conf.all.forwarding",
		},
		Fix:   "Enable forwarding if this is a router, or correct the route at the sender.",
		Apply: []string{"sysctl -w net.ipv4.ip_forward=1"},
		Cases: []Case{duplicate, otherSourcesIPv6, broadcastOfOther, notForwarded, fromLinkLocal, notForwardedIPv6},
	},
	{
		Name: "BLACKHOLE", Module: "route", Class: Policy, Severity: Maybe,
		Cause: "The packet was sent to the blackhole interface: its route or its interface is being removed.",
		Usual: []string{"a route or an interface that was just removed", "a connection whose route changed"},
		Check: []string{
			"ip route get {addr}",
			"ip monitor link route",
		},
		Fix: "No action needed if it is rare.",
	},
}
