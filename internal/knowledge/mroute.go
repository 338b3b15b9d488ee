package knowledge

// multicastRouting are the functions that forward multicast packets.
var multicastRouting = []Entry{
	{
		// net/ipv4/ipmr.c, with ip_mr_forward
		Name: "ip_mr_input", Kind: Function, Module: "route", Class: Policy, Severity: Maybe,
		Cause: "This host routes multicast, and did not forward the packet. No multicast route takes it from this interface, or its TTL " +
			"is too low for each interface where it would leave.",
		Usual: []string{
			"no route for the group and source, as no receiver asked for it or the daemon has none (smcroute, pimd)",
			"a route that expects the source at another interface",
			"a sender with a low TTL",
		},
		Check: []string{
			"ip mroute show  # Iif, Oifs; State: unresolved",
			"cat /proc/net/ip_mr_cache  # Wrong: came by another interface",
		},
		Fix: "No action needed if the group is not to be forwarded. Otherwise have the daemon add the route, or correct it.",
		Cases: []Case{{
			If: Expired,
			Cause: "The multicast packet has TTL {ttl}, so it may not be forwarded: the sender means the local network only. mDNS, SSDP " +
				"and LLMNR do so on purpose, and 1 is the default of sockets.",
			Check: []string{"tcpdump -c 5 -vni {ifname} dst {addr}  # ttl"},
			Fix: "No action needed if the group is not to be forwarded. Otherwise raise the TTL at the sender (IP_MULTICAST_TTL), or use " +
				"a program that passes on its protocol, such as avahi with enable-reflector. As a last resort raise it here.",
			Apply: []string{"iptables -t mangle -A PREROUTING -i {ifname} -d {addr} -j TTL --ttl-inc 1"},
		}},
	},
	{Name: "ip6_mr_input", Kind: Function, Same: "ip_mr_input"},
	{Name: "ip6_mr_forward", Kind: Function, Same: "ip_mr_input"},
}
