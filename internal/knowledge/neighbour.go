package knowledge

// noAnswer are the entries of packets that are dropped once their next hop has not answered. Others wait for the
// same one meanwhile, and are dropped for that.
var noAnswer = []string{"NEIGH_FAILED", "neigh_invalidate", "arp_error_report", "ndisc_error_report"}

// silentIPv6 is the case of a next hop that does not answer neighbour discovery: IPv6 has no ARP.
var silentIPv6 = Case{
	If: IPv6, Cause: "The next hop does not answer neighbour discovery: it is down, absent or in another VLAN, or its firewall drops that.",
	Usual: []string{
		"the next hop or host is down",
		"a wrong prefix length, so that a distant host seems local",
		"the wrong VLAN",
		"a firewall or security group that drops ICMPv6, or the multicast to ff02::1:ff00:0/104",
	},
	Check: []string{
		"ip -6 route get {addr}",
		"ip -6 neigh show dev {ifname} nud failed nud incomplete  # also next hops",
		"tcpdump -c 5 -ni {ifname} 'icmp6[0] = 135 or icmp6[0] = 136'  # solicitations; and does anybody answer?",
	},
	Fix: "Bring the neighbour up, or correct the route, the prefix length or the VLAN. Its firewall must accept ICMPv6 types 135 and 136.",
}

// leftWaiting is the case of packets of the queue of a next hop that the kernel frees together, as their ICMP
// errors made it ask for the next hop again (net/core/neighbour.c neigh_invalidate).
var leftWaiting = Case{
	Via: []string{"neigh_invalidate"}, Class: Error, Severity: Harm, PartOf: noAnswer, Counters: unsent(),
	Cause: "The next hop did not answer ARP or neighbour discovery, so the packets that waited for it were dropped.",
	Check: []string{
		"ip route get {addr}",
		"ip neigh show dev {ifname} nud failed nud incomplete  # also next hops",
	},
	Fix: "Bring the neighbour up, or correct the route, the prefix length or the VLAN.",
}
