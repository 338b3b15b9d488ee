package knowledge

// forRouters is for the places where multicast packets are dropped that no program of this
// host has joined.
var forRouters = Case{
	If: ToRouters, Class: Local, Severity: Noise, Short: "meant for routers",
	Cause: "The packet is for routers, such as a router solicitation or a multicast report, and this host is not a router.",
	Check: []string{"ip maddr show dev {ifname}"},
	Fix:   "No action needed.",
}

// discoveryOfOther is the case of a neighbour solicitation whose group of the solicited address (RFC 4291) this host has no
// address of.
var discoveryOfOther = Case{
	If: Multicast | Discovery, Class: Local, Severity: Noise, Short: "asks for another host",
	Cause: "The message asks for the MAC address of another host, or whether an address is in use that this host does not have.",
	Check: []string{"ip -6 maddr show dev {ifname}"},
	Fix:   "No action needed.",
}

// otherSources and notJoined are the cases of a multicast group of IPv4 by what the interface has joined
// (net/ipv4/igmp.c ip_check_mc_rcu), which tells them apart.
var (
	otherSources = Case{
		If: Multicast | OtherSources, Class: Local, Severity: Maybe,
		Cause: "A program here has joined the multicast group {addr} on this interface, but not for packets from {src}: it filters by " +
			"source (IGMPv3, SSM).",
		Check: []string{"cat /proc/net/mcfilter  # group and source in hexadecimal digits: INC accepted, EXC refused"},
		Fix: "No action needed if packets of that source are not wanted. Otherwise make the program join the group for {src}, too, or " +
			"for any source.",
		Settings: []string{},
	}
	notJoined = Case{
		If: Multicast | NotJoined, Class: Local, Severity: Maybe,
		Cause: "No program on this host has joined the multicast group {addr} on the interface where the packet arrived.",
		Check: []string{"ip maddr show dev {ifname}", "ip maddr show  # joined on another interface?"},
		Fix: "No action needed if the group is not wanted. Otherwise make the program join it on that interface: that fails with " +
			"ENOBUFS beyond igmp_max_memberships groups.",
		Settings: []string{"net.ipv4.igmp_max_memberships"},
	}
)

// otherSourcesIPv6 is the same of IPv6: without a member of the group the packet does not come so far
// (net/ipv6/ip6_input.c ip6_mc_input, ip6_protocol_deliver_rcu).
var otherSourcesIPv6 = Case{
	If: IPv6 | Multicast, Class: Local, Severity: Maybe,
	Cause: "A program here has joined the multicast group {addr} on this interface, but not for packets from {src}: it filters by " +
		"source (MLDv2, SSM).",
	Check: []string{"cat /proc/net/mcfilter6  # sources of each group: INC accepted, EXC refused"},
	Fix:   otherSources.Fix, Settings: []string{}, Counters: []string{"Ip6InDiscards"},
}

// broadcastOfOther is the case of a broadcast that only its frame shows to be one: no interface has an address of that network.
var broadcastOfOther = Case{
	If: Broadcast, Class: Local, Severity: Noise, Short: "broadcasts of another network",
	Cause: "The frame is a broadcast, and the address in it is that of a network in which this interface has no address.",
	Check: []string{"ip addr show dev {ifname}  # address and length of the prefix"},
	Fix:   "No action needed, unless the interface is to have an address there, or its prefix length is wrong.", Settings: []string{},
}
