package knowledge

import "slices"

// networkCounters are those of IP, ICMP, IPsec, conntrack and neighbours
// (net/ipv4/proc.c, net/ipv6/proc.c, net/xfrm/xfrm_proc.c, net/core/neighbour.c,
// net/netfilter/nf_conntrack_standalone.c).
var networkCounters = slices.Concat(ipCounters, icmpCounters, conntrackCounters, firewallCounters, neighbourCounters,
	xfrmCounters,
	same("IpInHdrErrors", "Ip6InHdrErrors"), same("IpInAddrErrors", "Ip6InAddrErrors"), same("IpInDiscards", "Ip6InDiscards"),
	same("IpInUnknownProtos", "Ip6InUnknownProtos"), same("IpOutDiscards", "Ip6OutDiscards"), same("IpOutNoRoutes", "Ip6OutNoRoutes"),
	same("IpExtInNoRoutes", "Ip6InNoRoutes"), same("IpExtInTruncatedPkts", "Ip6InTruncatedPkts"),
	same("IpReasmTimeout", "Ip6ReasmTimeout"),
	same("IcmpInErrors", "Icmp6InErrors"), same("IcmpInCsumErrors", "Icmp6InCsumErrors"), same("IcmpOutErrors", "Icmp6OutErrors"),
	same("IcmpOutRateLimitHost", "Icmp6OutRateLimitHost"),
)

// ipCounters are those of /proc/net/snmp and snmp6, group Ip, and of netstat, group IpExt (net/ipv4/proc.c,
// net/ipv6/proc.c).
var ipCounters = []Entry{
	counted("IpInHdrErrors", "ip", Error, Harm, Always, SKBs, "A packet had a damaged IP header, or its TTL expired here.").
		like("IP_INHDR"),
	counted("IpInAddrErrors", "ip", Error, Maybe, Always, SKBs,
		"A packet was for an address that is not of this host, which does not forward it.", "sysctl net.ipv4.ip_forward").
		like("IP_INADDRERRORS").
		decided("net.ipv4.ip_forward"),
	counted("IpInUnknownProtos", "ip", Local, Maybe, Always, SKBs, "A packet was of a protocol that this host does not take.").
		like("IP_NOPROTO"),
	counted("IpInDiscards", "ip", NoBuffer, Harm, Sometimes, SKBs,
		"A packet that had no error was dropped on its way in: no memory, or a policy.").
		usually("an IPsec policy", "the host is short of memory", "disable_ipv6 (Ip6InDiscards)").
		fixed("dropwatch diagnose shows the drops behind it."),
	counted("IpOutDiscards", "ip", NoBuffer, Harm, Sometimes, SKBs,
		"A packet was dropped on its way out: a full queue or send buffer, no memory, no neighbour, or a policy.").
		including("UdpSndbufErrors", "Udp6SndbufErrors").
		usually("a full queue of an interface", "a full send buffer of a socket",
			"a next hop that does not answer", "a firewall rule in OUTPUT").
		fixed("dropwatch diagnose shows the drops behind it."),
	counted("IpOutNoRoutes", "fib", Error, Harm, Always, SKBs,
		"A packet was dropped because there is no route to its destination.", "ip route get ADDR").
		like("IP_OUTNOROUTES"),
	counted("IpExtInNoRoutes", "fib", Error, Harm, Always, SKBs,
		"A packet that was to be forwarded was dropped because there is no route to its destination.",
		"ip route get ADDR from SRC iif DEV").
		like("IP_INNOROUTES"),
	counted("IpExtInTruncatedPkts", "ip", Error, Harm, Always, SKBs, "A packet was shorter than its IP header says.").
		like("PKT_TOO_SMALL"),
	counted("IpExtInCsumErrors", "ip", Error, Harm, Always, SKBs, "A packet had a wrong IP header checksum.").
		like("IP_CSUM"),
	counted("Ip6InTooBigErrors", "ip", Error, Harm, Always, SKBs,
		"A packet was larger than the MTU of the link by which it had to leave.", "ip -6 route get ADDR").
		like("PKT_TOO_BIG"),
	counted("IpReasmTimeout", "fragment", Error, Harm, Sometimes, Calls, "The other fragments of a packet did not come in time.").
		like("FRAG_REASM_TIMEOUT").
		fixed("Find the loss, or avoid fragments with a correct MTU.").
		decided("net.ipv4.ipfrag_time"),
	counted("IpReasmFails", "fragment", Error, Harm, Sometimes, SKBs,
		"A packet could not be put together of its fragments: one is missing, they overlap, or their memory is used up.").
		like("ip_defrag").
		including("IpExtReasmOverlaps").
		decided("net.ipv4.ipfrag_high_thresh", "net.ipv4.ipfrag_max_dist"),
	counted("IpExtReasmOverlaps", "fragment", Error, Harm, Always, SKBs,
		"A fragment overlapped another one of its packet, so the packet was dropped.").
		like("ip_frag_queue"),
	counted("Ip6ReasmFails", "fragment", Error, Harm, Sometimes, SKBs,
		"A packet could not be put together of its fragments: one is missing, they overlap, or their memory is used up.").
		like("ipv6_frag_rcv"),
	counted("IpFragFails", "fragment", Error, Harm, Always, SKBs,
		"A packet was too large for its link and must not be fragmented (DF). Its sender should learn that by ICMP.",
		"ip route get ADDR").
		like("PKT_TOO_BIG"),
	counted("Ip6FragFails", "fragment", Error, Harm, Always, SKBs,
		"A packet was too large for its link, and routers do not fragment IPv6. Its sender should learn that by ICMP.",
		"ip -6 route get ADDR").
		like("PKT_TOO_BIG"),
	counted("fragment.memory", "fragment", NoBuffer, Harm, Sometimes, Octets,
		"The memory of fragments that wait for the rest of their packet, of as much as there may be.", "cat /proc/net/sockstat").
		like("ip_defrag").
		decided("net.ipv4.ipfrag_high_thresh"),
}

// ignored returns the Entry of pings with the case of a host that is set to answer none.
func (en Entry) ignored(setting string) Entry {
	en.Cases = []Case{{
		If: EchoIgnored, Class: Policy, Severity: Maybe,
		Cause: "This host is set to answer no ping: " + setting + " is 1. The pings arrived.",
		Check: []string{"sysctl " + setting, "nstat -az " + en.Name},
		Fix:   "Set it to 0 if this host may be pinged. Its other traffic is not affected.",
		Apply: []string{"sysctl -w " + setting + "=0"}, Settings: []string{setting},
	}}
	return en
}

// icmpCounters are those of the groups Icmp and Icmp6.
var icmpCounters = []Entry{
	counted("IcmpInErrors", "icmp", Error, Noise, Sometimes, SKBs,
		"An ICMP message was damaged, or about nothing that this host has sent."),
	counted("IcmpInCsumErrors", "icmp", Error, Harm, Always, SKBs, "An ICMP message had a wrong checksum.").
		like("ICMP_CSUM"),
	counted("IcmpInEchos", "icmp", Local, Noise, Never, SKBs, "A ping (ICMP echo request) arrived.").
		ignored("net.ipv4.icmp_echo_ignore_all"),
	counted("Icmp6InEchos", "icmp", Local, Noise, Never, SKBs, "A ping (ICMPv6 echo request) arrived.").
		ignored("net.ipv6.icmp.echo_ignore_all"),
	counted("IcmpOutErrors", "icmp", NoBuffer, Maybe, Sometimes, SKBs, "An ICMP message could not be sent.").
		usually("no route back", "a full queue", "the host is short of memory").
		fixed("No action needed if it is rare."),
	counted("IcmpOutRateLimitGlobal", "icmp", Policy, Maybe, Sometimes, SKBs, "An ICMP error was not sent: this host had sent too many.").
		usually("a flood or a scan that this host answers with ICMP errors", "many senders to closed ports").
		fixed("No action needed: the limit protects this host. Find who sends what it answers.").
		decided("net.ipv4.icmp_msgs_per_sec", "net.ipv4.icmp_msgs_burst"),
	counted("IcmpOutRateLimitHost", "icmp", Policy, Maybe, Sometimes, SKBs, "An ICMP error was not sent: its receiver had got too many.").
		usually("one sender that sends much to a closed port, a dead route or beyond the MTU").
		fixed("No action needed: the limit protects this host. Find who sends what it answers.").
		decided("net.ipv4.icmp_ratelimit"),
}

// conntrackCounters are those of /proc/net/stat/nf_conntrack, and how full its table is.
var conntrackCounters = []Entry{
	counted("conntrack.entries", "conntrack", NoBuffer, Harm, Sometimes, Calls,
		"The connections that are tracked, of as many as there may be.", "sysctl net.netfilter.nf_conntrack_count").
		like("conntrack.drop").decided("net.netfilter.nf_conntrack_max"),
	counted("conntrack.insert_failed", "conntrack", Error, Harm, Always, SKBs,
		"A packet was dropped because its new connection could not be entered. Usually two packets of one flow came at the "+
			"same time, such as two DNS queries of one socket.", "conntrack -S  # of conntrack-tools").
		usually("two DNS queries of one socket (A and AAAA) at once",
			"SNAT that has few free ports",
			"two packets of one flow on two CPUs").
		fixed("For DNS: options single-request-reopen in resolv.conf, or a local cache.").
		including("conntrack.chaintoolong").
		narrowed(noFreePort),
	counted("conntrack.drop", "conntrack", NoBuffer, Harm, Always, SKBs,
		"A packet of a new connection was dropped because the table of tracked connections is full.",
		"sysctl net.netfilter.nf_conntrack_count", "conntrack -S  # of conntrack-tools").
		usually("many short connections, or a flood",
			"a long timeout (nf_conntrack_tcp_timeout_established is five days)",
			"a table that is small for the load").
		applied("sysctl -w net.netfilter.nf_conntrack_max=N").
		including("conntrack.insert_failed").
		shownBy("conntrack.entries", "conntrack.early_drop").
		decided("net.netfilter.nf_conntrack_max", "net.netfilter.nf_conntrack_buckets").
		fixed("Raise nf_conntrack_max, or do not track what needs none."),
	counted("conntrack.early_drop", "conntrack", NoBuffer, Maybe, Sometimes, Calls,
		"A tracked connection was removed to make room for a new one, as the table is full.", "sysctl net.netfilter.nf_conntrack_count").
		like("conntrack.drop").
		decided("net.netfilter.nf_conntrack_max"),
	counted("conntrack.invalid", "conntrack", Error, Maybe, Sometimes, SKBs,
		"A packet could not be tracked. It is dropped only if a rule drops what is INVALID; NAT does not translate it.",
		"conntrack -S  # of conntrack-tools").
		usually("segments out of the window that conntrack knows", "a late packet of a closed connection", "asymmetric routing").
		fixed("Set nf_conntrack_tcp_be_liberal, or drop INVALID packets so that this host does not answer them " +
			"with a RST.").
		applied("sysctl -w net.netfilter.nf_conntrack_tcp_be_liberal=1").
		decided("net.netfilter.nf_conntrack_tcp_be_liberal"),
	counted("conntrack.chaintoolong", "conntrack", NoBuffer, Harm, Always, SKBs,
		"A packet of a new connection was dropped because its hash chain was too long.", "conntrack -S  # of conntrack-tools").
		usually("too few buckets for the entries", "an attack with chosen ports").
		fixed("Raise nf_conntrack_buckets.").
		applied("sysctl -w net.netfilter.nf_conntrack_buckets=N").
		decided("net.netfilter.nf_conntrack_buckets"),
	counted("conntrack.search_restart", "conntrack", Local, Noise, Never, Calls,
		"A search in the table began again. Nothing was lost.", "conntrack -S  # of conntrack-tools"),
	counted("nfqueue.queue_dropped", "netfilter", NoBuffer, Harm, Always, SKBs,
		"A packet for a program behind NFQUEUE was dropped because the queue was full.", "cat /proc/net/netfilter/nfnetlink_queue").
		like("nf_queue").
		fixed("Give the program more CPU or more queues, or use the rule's bypass option."),
	counted("nfqueue.queue_user_dropped", "netfilter", NoBuffer, Harm, Always, SKBs,
		"A packet for a program behind NFQUEUE was dropped because the program's socket was full.",
		"cat /proc/net/netfilter/nfnetlink_queue").
		like("nf_queue").decided("net.core.rmem_max"),
}

// firewallCounters are those of rules, of chains' policies and of named counters.
var firewallCounters = []Entry{
	counted("nftables.drop_packets", "netfilter", Policy, Maybe, Always, SKBs,
		"An nftables rule, or the policy of a chain, dropped or rejected a packet.", "nft -a list ruleset").
		like("NETFILTER_DROP").
		fixed("Allow the traffic if it is wanted."),
	counted("nftables.packets", "netfilter", Policy, Noise, Never, SKBs,
		"A packet matched an nftables rule that does not drop it, or not each one that it counts.", "nft -a list ruleset"),
	counted("iptables.drop_packets", "netfilter", Policy, Maybe, Always, SKBs,
		"An iptables rule, or the policy of a chain, dropped or rejected a packet.",
		"iptables-legacy-save -c", "ip6tables-legacy-save -c").
		like("NETFILTER_DROP").
		fixed("Allow the traffic if it is wanted."),
	counted("iptables.packets", "netfilter", Policy, Noise, Never, SKBs,
		"A packet matched an iptables rule that does not drop it.", "iptables-legacy-save -c", "ip6tables-legacy-save -c"),
}

// neighbourCounters are those of /proc/net/stat/arp_cache and ndisc_cache, and how full the tables are.
var neighbourCounters = []Entry{
	counted("neighbour.entries", "neighbour", NoBuffer, Harm, Sometimes, Calls,
		"The neighbours of all network namespaces together, of as many as there may be.", "ip -s -s neigh show").
		like("NEIGH_CREATEFAIL").
		decided("net.ipv4.neigh.default.gc_thresh3", "net.ipv6.neigh.default.gc_thresh3"),
	counted("neighbour.table_fulls", "neighbour", NoBuffer, Harm, Always, Calls,
		"A neighbour could not be entered because the table, one for all network namespaces, is full.", "ip -s -s neigh show").
		like("NEIGH_CREATEFAIL").
		fixed("Raise gc_thresh3 in the initial network namespace.").
		decided("net.ipv4.neigh.default.gc_thresh3", "net.ipv6.neigh.default.gc_thresh3"),
	counted("neighbour.unresolved_discards", "neighbour", NoBuffer, Harm, Always, SKBs,
		"A packet was dropped because too many waited for the MAC address of its next hop.", "ip neigh show nud incomplete").
		like("NEIGH_QUEUEFULL"),
	counted("neighbour.res_failed", "neighbour", Error, Maybe, Sometimes, Calls,
		"The MAC address of a next hop could not be found: nobody answered.", "ip neigh show nud failed").
		like("NEIGH_FAILED"),
}

// xfrmCounters have the names of Documentation/networking/xfrm_proc.rst.
var xfrmCounters = slices.Concat([]Entry{
	counted("xfrm.XfrmInError", "xfrm", Error, Harm, Always, SKBs,
		"An IPsec packet was dropped on its way in, for none of the other causes.", xfrmStat).
		usually("a damaged or malformed packet", "a state that has expired or does not fit", "a faulty peer").
		fixed("Establish the tunnel again. The log of the IKE daemon may say more."),
	counted("xfrm.XfrmInNoStates", "xfrm", Error, Harm, Always, SKBs,
		"An IPsec packet arrived for which this host has no state (SA): wrong SPI, address or protocol.", "ip xfrm state", xfrmStat).
		usually("this host restarted and the peer still uses the old state", "a tunnel that was not renewed in time", "a scan").
		fixed("Establish the tunnel again, and let dead peer detection find lost states."),
	counted("xfrm.XfrmInTmplMismatch", "xfrm", Policy, Harm, Always, SKBs,
		"A packet was protected in another way than the policy asks for.", "ip xfrm policy", xfrmStat).
		like("XFRM_POLICY"),
	counted("xfrm.XfrmInNoPols", "xfrm", Policy, Harm, Always, SKBs,
		"A packet was protected, but no policy asks for that.", "ip xfrm policy", xfrmStat).
		like("XFRM_POLICY"),
	counted("xfrm.XfrmInPolBlock", "xfrm", Policy, Maybe, Always, SKBs,
		"An IPsec policy blocks packets of this kind.", "ip xfrm policy", xfrmStat).
		like("XFRM_POLICY"),
	counted("xfrm.XfrmOutPolBlock", "xfrm", Policy, Maybe, Always, SKBs,
		"An IPsec policy blocks packets of this kind.", "ip xfrm policy", xfrmStat).
		like("XFRM_POLICY"),
	counted("xfrm.XfrmOutNoStates", "xfrm", Error, Harm, Always, SKBs,
		"A packet had to be protected, but there is no state (SA) for that.", "ip xfrm state", xfrmStat).
		usually("a tunnel that is not up", "an IKE daemon that is down", "a peer that does not answer").
		fixed("Establish the tunnel. The log of the IKE daemon says why it is down."),
	counted("xfrm.XfrmInStateProtoError", "xfrm", Error, Harm, Always, SKBs,
		"An IPsec packet could not be decrypted or authenticated: the keys differ.", "ip xfrm state", xfrmStat).
		usually("keys that differ, as when the ends renewed them at different times", "a damaged packet", "another algorithm").
		fixed("Establish the tunnel again, so that both ends agree on the keys."),
	counted("xfrm.XfrmInStateSeqError", "xfrm", Error, Harm, Always, SKBs,
		"An IPsec packet was outside the replay window: it was repeated, or reordered by more than the window.",
		"ip -s xfrm state", xfrmStat).
		usually("several queues or paths that reorder packets", "QoS inside the tunnel", "a replayed packet").
		fixed("Raise the replay window (ip xfrm state shows it; strongSwan: replay_window)."),
	counted("xfrm.XfrmInBufferError", "xfrm", NoBuffer, Harm, Always, SKBs, "An IPsec packet was dropped for lack of memory.", xfrmStat).
		like("NOMEM"),
},
	same("xfrm.XfrmInError", "xfrm.XfrmInHdrError", "xfrm.XfrmInStateModeError", "xfrm.XfrmInStateExpired", "xfrm.XfrmInStateMismatch",
		"xfrm.XfrmInStateInvalid", "xfrm.XfrmInPolError", "xfrm.XfrmFwdHdrError", "xfrm.XfrmInStateDirError"),
	same("xfrm.XfrmOutNoStates", "xfrm.XfrmOutError", "xfrm.XfrmOutBundleGenError", "xfrm.XfrmOutBundleCheckError",
		"xfrm.XfrmOutStateProtoError", "xfrm.XfrmOutStateModeError", "xfrm.XfrmOutStateSeqError", "xfrm.XfrmOutStateExpired",
		"xfrm.XfrmOutPolDead", "xfrm.XfrmOutPolError", "xfrm.XfrmOutStateInvalid", "xfrm.XfrmAcquireError", "xfrm.XfrmOutStateDirError"),
)

const xfrmStat = "cat /proc/net/xfrm_stat"
