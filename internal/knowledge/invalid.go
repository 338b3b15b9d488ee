package knowledge

// invalid, invalidWithoutEntry and stray are the cases of packets that a rule dropped because connection
// tracking found them INVALID. Such a rule protects, and to delete it repairs no connection.
var (
	invalid = Case{
		If: Invalid,
		Cause: "A rule dropped the packet because conntrack calls it INVALID: it does not fit the connection that conntrack knows. " +
			"It is beyond the TCP window, has a wrong checksum, or is an ICMP error about nothing known.",
		Check: []string{"conntrack -S  # invalid (of conntrack-tools)"},
		Fix: "The rule is right: keep it. Find which packets this host did not see (asymmetric routing), or set " +
			"nf_conntrack_tcp_be_liberal if only the window is wrong.",
		Counters: ruleCounters,
		Settings: []string{"net.netfilter.nf_conntrack_tcp_be_liberal"},
	}
	invalidWithoutEntry = Case{
		If: NoEntry,
		Cause: "A rule dropped the packet because conntrack calls it INVALID: it has no entry for the flow, and the packet opens none. " +
			"Its entry expired or was deleted, this host sees one direction only (asymmetric routing), or the packet is a stray.",
		Check: []string{
			"conntrack -S  # invalid (of conntrack-tools)",
		},
		Fix: "The rule is right: keep it. Route both directions by this host, keep entries longer (nf_conntrack_*_timeout), or find " +
			"who sends strays. At nf_conntrack_tcp_loose = 0, connections that were open before conntrack are INVALID as well.",
		Counters: ruleCounters,
		Settings: []string{"net.netfilter.nf_conntrack_tcp_loose"},
	}

	// net/netfilter/nf_conntrack_proto_tcp.c tcp_conntracks: of a FIN, a reset or a SYN/ACK none makes an entry
	stray = Case{
		If: Stray,
		Cause: "A rule dropped the segment because conntrack calls it INVALID: a FIN, a reset or a SYN/ACK of no connection that it " +
			"knows. That ended or expired before, one direction does not pass this host (asymmetric routing), or there was no SYN " +
			"(a stray, a scan).",
		Check: []string{
			"conntrack -S  # invalid (of conntrack-tools)",
			"ip route get {src}  # by the interface where the segment arrived?",
		},
		Fix: "The rule is right: keep it. Find why {src} sends segments of connections that this host does not know, and route both " +
			"directions by this host. No setting of conntrack lets them pass.",
		Counters: ruleCounters,
	}
)
