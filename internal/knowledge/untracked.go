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
