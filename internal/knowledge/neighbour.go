package knowledge

// noAnswer are the entries of packets that are dropped once their next hop has not answered. Others wait for the
// same one meanwhile, and are dropped for that.
var noAnswer = []string{"NEIGH_FAILED", "neigh_invalidate", "arp_error_report", "ndisc_error_report"}

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
