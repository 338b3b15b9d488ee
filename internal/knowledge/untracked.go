package knowledge

// untracked is the case of segments that connection tracking found INVALID, and that then
// came to no socket: had they been of a connection of this host, a socket would have got
// them. Each, and the reset that answers it, raises the counter.
var untracked = Case{
	If: Untracked, Severity: Harm,
	Cause: "Likely conntrack found these segments INVALID (beyond its window), so NAT was not undone: they came to this host " +
		"itself. Its reset ended the connection.",
	Check: []string{
		"conntrack -S  # invalid (of conntrack-tools)",
		"conntrack -L -p tcp  # of conntrack-tools",
	},
	Fix: "Drop INVALID packets before this host answers them, or set nf_conntrack_tcp_be_liberal to have them translated.",
	Apply: []string{
		"iptables -I INPUT -m conntrack --ctstate INVALID -j DROP",
		"sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1",
	},
	Counters: []string{"conntrack.invalid"},
	Settings: []string{"net.netfilter.nf_conntrack_tcp_be_liberal"},
}

// noFreePort is the case of connections of TCP that connection tracking could not enter. Their first segments are alone, unlike
// two datagrams of one socket, so that only NAT makes two of them alike (net/netfilter/nf_nat_core.c get_unique_tuple).
var noFreePort = Case{
	If: TCP,
	Cause: "A new TCP connection was lost, as conntrack has another one with its addresses and ports. Source NAT found no free port, " +
		"or gave one to two connections at the same moment.",
	Check: []string{
		"conntrack -L -p tcp -d {addr} | wc -l  # of conntrack-tools; each needs a port of its own",
		"iptables-save -t nat | grep -E 'MASQUERADE|SNAT'  # --to-ports",
		"nft list ruleset | grep -E 'masquerade|snat'",
	},
	Fix: "Give source NAT more ports or addresses for {addr}:{dport}, or let connections end sooner. If ports are left, have NAT choose " +
		"them at random: --random-fully of iptables, fully-random of nft.",
}
