package knowledge

// routeErrors says what ip route get answers for each type of route that leads nowhere.
const routeErrors = "  # Invalid argument: blackhole; Permission denied: prohibit; No route to host: unreachable"

// routeCases are the types of routes that lead nowhere. Source bpf reads which it is
// (dst->error); the kernel gives all of them one location, and most of them no reason.
var routeCases = []Case{
	{
		If: Blackhole, Class: Policy, Severity: Maybe,
		Cause: "The route to the destination is a blackhole route: the packet is dropped without an answer.",
		Check: []string{
			"ip route show type blackhole",
			"ip -6 route show type blackhole",
		},
		Fix: "No action needed if that is intended. Otherwise remove the route.",
	},
	{
		If: Prohibit, Class: Policy, Severity: Maybe, Counters: answered("Ip6InNoRoutes", "Ip6OutNoRoutes"),
		Cause: "The route to the destination is a prohibit route: the sender gets ICMP \"administratively prohibited\".",
		Check: []string{
			"ip route show type prohibit",
			"ip -6 route show type prohibit",
		},
		Fix: "No action needed if that is intended. Otherwise remove the route.",
	},
	{ // packets that IPv6 does not forward have another reason and no such route
		If: Unreachable | IPv6, Class: Policy, Severity: Maybe, Counters: answered("Ip6InNoRoutes", "Ip6OutNoRoutes"),
		Cause: "The route to the destination is an unreachable route. The sender gets ICMP \"no route to destination\".",
		Check: []string{"ip -6 route show type unreachable"},
		Fix:   "No action needed if that is intended. Otherwise remove the route.",
	},
	{
		If: Unreachable, Class: Policy, Severity: Maybe, Counters: answered("Ip6InNoRoutes", "Ip6OutNoRoutes"),
		Cause: "The route to the destination is an unreachable route, or this host does not forward packets from this " +
			"interface. The sender gets ICMP \"host unreachable\".",
		Check: []string{
			"ip route show type unreachable",
			"ip -6 route show type unreachable",
			"sysctl net.ipv4.conf.{ifname}.forwarding",
		},
		Fix: "No action needed if that is intended. Otherwise remove the route, or enable forwarding if this is a router.",
	},
	{
		If: ByRule, Class: Policy, Severity: Maybe,
		Cause: "A rule of policy routing (ip rule) refuses the packet, whatever routes there are.",
		Check: []string{
			"ip rule",
			"ip -6 rule",
		},
		Fix: "No action needed if that is intended. Otherwise remove the rule.",
	},
}

// forwardingIPv6 are the settings that decide whether IPv6 packets are forwarded.
var forwardingIPv6 = []string{"net.ipv6.conf.{ifname}.forwarding"}

// notForwarded, notForwardedIPv6 and fromLinkLocal are the cases of packets for other hosts that this one does not
// forward (net/ipv4/route.c ip_error, net/ipv6/ip6_output.c ip6_forward). Of IPv4 the setting of the interface counts
// alone: net.ipv4.ip_forward only sets that of each.
var (
	notForwarded = Case{
		If: IPv4, Via: []string{"ip_error"},
		Cause: "The packet is for another host, and this one does not forward IPv4 packets that arrive on this interface.",
		Usual: []string{"a host that is no router, and a sender with a wrong gateway", "an address that moved away from this host",
			"forwarding that was turned off on this interface alone"},
		Check: []string{"ip -br addr", "sysctl net.ipv4.ip_forward net.ipv4.conf.{ifname}.forwarding  # the latter counts"},
		Fix:   "Enable forwarding if this is a router, or correct the route at the sender.",
		Apply: []string{
			"sysctl -w net.ipv4.ip_forward=1  # on all interfaces",
			"sysctl -w net.ipv4.conf.{ifname}.forwarding=1  # if the others forward",
		},
		Settings: []string{"net.ipv4.ip_forward", "net.ipv4.conf.{ifname}.forwarding"},
	}
	notForwardedIPv6 = Case{
		If: IPv6, Via: []string{"ip6_forward"},
		Cause: "The packet is for another host, and this one does not forward IPv6 packets.",
		Usual: []string{"a host that is no router, and a sender with a wrong gateway", "an address that moved away from this host"},
		Check: []string{"ip -6 -br addr", "sysctl net.ipv6.conf.all.forwarding"},
		Fix:   "Enable forwarding if this is a router, or correct the route at the sender.",
		Apply: []string{
			"sysctl -w net.ipv6.conf.all.forwarding=1  # router advertisements are then ignored, unless accept_ra is 2",
		},
		Settings: forwardingIPv6,
	}
	fromLinkLocal = Case{
		If: IPv6 | LinkLocal, Via: []string{"ip6_forward"},
		Cause: "The packet is for another host, but its source is a link-local address (fe80::/10): no router forwards such packets.",
		Usual: []string{"a sender that has no global address yet, or lost it", "a program that binds to its link-local address"},
		Check: []string{"ip -6 -br addr", "tcpdump -c 5 -eni {ifname} src {src}  # the MAC address of the sender"},
		Fix:   "Give the sender a global or a unique local address (RA, DHCPv6).",
	}
)

// routeUsual are the usual causes for which the look-up of a route rejects a packet.
var routeUsual = []string{
	"rp_filter with asymmetric routes", "no route back to the source", "a source address of this host itself (martian)",
}

// sourceRouted and withOptions are the cases of packets with IP options, for which the kernel gives no reason
// (net/ipv4/ip_input.c ip_rcv_options). Other packets are never dropped for that.
var (
	sourceRouted = Case{
		If: SourceRoute | IPOptions, Class: Policy, Severity: Maybe, Short: "source-routed packets",
		Cause: "The packet has a source route (IP option LSRR or SSRR), and this host refuses it.",
		Usual: []string{
			"accept_source_route is 0, as it should be: a scan or an attack",
			"a next address in the option to which this host has no route, where accept_source_route is 1",
		},
		Check: []string{
			"sysctl net.ipv4.conf.all.accept_source_route net.ipv4.conf.{ifname}.accept_source_route  # both must be 1",
			"tcpdump -c 5 -vni {ifname} 'ip[0] & 15 > 5 and src {src}'  # options",
		},
		Fix:      "No action needed: hardly anybody needs source routes. If they are wanted, set both to 1.",
		Apply:    []string{"sysctl -w net.ipv4.conf.all.accept_source_route=1", "sysctl -w net.ipv4.conf.{ifname}.accept_source_route=1"},
		Settings: []string{"net.ipv4.conf.{ifname}.accept_source_route"},
	}
	withOptions = Case{
		If: IPOptions,
		Cause: "The route look-up rejected an incoming packet: there is no route, or the source address is not valid there. Or its IP " +
			"options are damaged.",
		Usual: []string{
			"options that are damaged (IpInHdrErrors rises)", "rp_filter with asymmetric routes", "no route back to the source",
		},
		Check: []string{
			"ip route get {addr} from {src} iif {ifname}",
			"nstat -az IpInHdrErrors IpExtInNoRoutes IpInAddrErrors TcpExtIPReversePathFilter",
			"tcpdump -c 5 -vni {ifname} 'ip[0] & 15 > 5 and src {src}'  # options",
		},
		Fix:      "Correct the routes, or the sender if options are damaged.",
		Settings: []string{"net.ipv4.conf.{ifname}.rp_filter", "net.ipv4.conf.{ifname}.accept_local"},
	}
)

// withoutGroupRoute is the case of IPv6 multicast that comes to an interface without the route that each has for it.
var withoutGroupRoute = Case{
	If: IPv6 | Multicast, Class: Local, Severity: Maybe,
	Cause: "The interface has no route for IPv6 multicast (ff00::/8): IPv6 is not set up on it, or was not yet when the packet came.",
	Usual: []string{"an interface that just came up", "an interface without IPv6 addresses"},
	Check: []string{"ip -6 route show table local type multicast dev {ifname}", "ip -6 addr show dev {ifname}"},
	Fix:   "No action needed if the interface just came up, or needs no IPv6.",
}

// withoutOuterRoute is the case of packets that a tunnel has wrapped, or is about to: the route that lacks is that
// to its other end, or it leads back into the tunnel (drivers/net/vxlan/vxlan_core.c vxlan_xmit_one).
var withoutOuterRoute = Case{
	Via: []string{
		"vxlan_xmit_one", "geneve_xmit", "ip_tunnel_xmit", "ip_md_tunnel_xmit", "ip6_tnl_xmit", "ip6_tnl_start_xmit", "bareudp_xmit",
	},
	Counters: unsent("interface.tx_errors", "interface.tx_carrier_errors", "interface.collisions"),
	Cause: "The interface is a tunnel, and there is no route to its other end (remote), or that route leads into the tunnel itself. " +
		"The packet inside has its route.",
	Check: []string{
		"ip -d link show dev {ifname}  # remote",
		"bridge fdb show dev {ifname}  # dst, of a VXLAN",
		"ip route get REMOTE  # must not leave by {ifname}",
	},
	Fix: "Add a route to the other end of the tunnel by the interface below it. A default route through the tunnel needs such a " +
		"route beside it.",
	Apply: []string{"ip route add REMOTE via GATEWAY"},
}

// tooBig is for packets that the router itself finds too big. Source bpf reads which MTU
// they exceed.
var tooBig = Case{
	If: TooBig, Via: []string{"ip_forward", "ip6_forward"},
	Counters: answered("IpFragFails", "Ip6InTooBigErrors", "Ip6FragFails"),
	Cause:    "The packet exceeds the MTU of the link that it has to leave by and may not be fragmented. The sender gets ICMP \"too big\".",
	Check: []string{
		"tracepath -n {addr}",
		"ip route get {addr}  # a cached mtu",
		"ip link show  # mtu",
	},
	Fix: "Make the MTUs equal, allow that ICMP message all the way to the sender, or clamp the MSS on tunnels.",
}

// tooBigUnknown is tooBig where the ICMP error was dropped as well, on this host.
var tooBigUnknown = Case{
	If: ErrorLost, Counters: answered("IpFragFails", "Ip6InTooBigErrors", "Ip6FragFails"),
	Cause: "The packet exceeds the MTU of the link that it has to leave by and may not be fragmented. The firewall of this host " +
		"dropped the ICMP \"too big\" that answers it, so its sender sends it again and again.",
	Check: []string{
		"tracepath -n {addr}",
		"ip route get {addr}  # a cached mtu",
		"ip link show  # mtu",
	},
	Fix: "Let that ICMP message pass. Also make the MTUs equal or clamp the MSS on tunnels.",
}
