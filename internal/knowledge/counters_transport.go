package knowledge

import "slices"

// transportCounters are those of TCP, UDP and sockets in /proc/net/snmp, snmp6 and
// netstat (net/ipv4/proc.c, net/ipv6/proc.c), by the names of nstat, and those that
// sock_diag has of each socket.
var transportCounters = slices.Concat(udpCounters, tcpCounters, socketCounters,
	same("UdpNoPorts", "Udp6NoPorts", "UdpLiteNoPorts", "UdpLite6NoPorts"),
	same("UdpRcvbufErrors", "Udp6RcvbufErrors", "UdpLiteRcvbufErrors", "UdpLite6RcvbufErrors"),
	same("UdpSndbufErrors", "Udp6SndbufErrors", "UdpLiteSndbufErrors", "UdpLite6SndbufErrors"),
	same("UdpInCsumErrors", "Udp6InCsumErrors", "UdpLiteInCsumErrors", "UdpLite6InCsumErrors"),
	[]Entry{udpErrors("Udp"), udpErrors("Udp6"), udpErrors("UdpLite"), udpErrors("UdpLite6")},
	same("UdpMemErrors", "Udp6MemErrors", "UdpLiteMemErrors", "UdpLite6MemErrors"),
	same("UdpIgnoredMulti", "Udp6IgnoredMulti", "UdpLiteIgnoredMulti"),
)

// udpCounters are those of /proc/net/snmp and snmp6, groups Udp and UdpLite.
var udpCounters = []Entry{
	counted("UdpNoPorts", "udp", Local, Maybe, Always, SKBs,
		"A datagram arrived for a port on which no socket listens.", "ss -lnup").
		like("NO_SOCKET").
		fixed("Start the service, or stop its clients. dropwatch watch reason NO_SOCKET shows who sends."),
	counted("UdpRcvbufErrors", "udp", NoBuffer, Harm, Always, SKBs,
		"A datagram found its socket's receive buffer full: the process reads too slowly, or not at all.", "ss -uanmp").
		like("SOCKET_RCVBUFF").
		fixed("Find why the process does not read. A larger buffer helps only against bursts.").
		decided("net.core.rmem_max", "net.core.rmem_default").shownBy("socket.drops", "socket.receive_buffer"),
	counted("UdpMemErrors", "udp", NoBuffer, Harm, Always, SKBs,
		"A datagram was dropped because all UDP sockets together use too much memory.", "ss -uanmp", "cat /proc/net/sockstat").
		usually("many sockets with unread data", "a program that does not read", "udp_mem set low").
		fixed("Find the sockets that hold the memory before raising net.ipv4.udp_mem.").decided("net.ipv4.udp_mem"),
	counted("UdpSndbufErrors", "udp", NoBuffer, Maybe, Sometimes, SKBs,
		"A datagram could not be sent: the send buffer of the socket, or the queue of the interface, was full. The program got an error "+
			"(EAGAIN, ENOBUFS).", "ss -uanmp  # in skmem, tb is the send buffer and t what it holds", "tc -s qdisc").
		usually("a program that sends faster than the link, without waiting", "a full queue of an interface",
			"a next hop that does not answer").
		fault().
		fixed("Make the program wait when it cannot send. If the interface's queue is full, check its qdisc.").
		decided("net.core.wmem_max").narrowed(sendBuffer),
	counted("UdpInCsumErrors", "udp", Error, Harm, Always, SKBs, "A datagram arrived with a wrong checksum.").
		like("UDP_CSUM"),
	counted("UdpIgnoredMulti", "udp", Local, Noise, Never, SKBs, "A multicast or broadcast datagram was for no socket of this host."),
}

// sendBuffer is the case of datagrams that were not sent although no queue of an interface was full.
var sendBuffer = Case{
	If: SendBuffer,
	Cause: "A datagram could not be sent: the send buffer of its socket was full, and the program does not wait for room. It got an " +
		"error (EAGAIN).",
	Usual: []string{
		"a program that sends faster than the link, without waiting", "a small send buffer (SO_SNDBUF)",
		"a next hop that does not answer, for which the datagrams wait",
	},
	Check: []string{"ss -uanmp  # in skmem, tb is the send buffer and t what it holds"},
	Fix:   "Make the program wait until it can send (poll for POLLOUT), or ask for a larger send buffer (SO_SNDBUF).",
}

// udpErrors is the sum of the errors of a protocol.
func udpErrors(protocol string) Entry {
	return counted(protocol+"InErrors", "udp", Error, Harm, Sometimes, SKBs,
		"A datagram was dropped on its way to a socket. The sum of RcvbufErrors, InCsumErrors, MemErrors and others.").
		usually("a receive buffer that is full", "a wrong checksum", "an IPsec policy").
		fixed("The other counters of the protocol say which: RcvbufErrors, InCsumErrors or MemErrors.").
		including(protocol+"RcvbufErrors", protocol+"InCsumErrors", protocol+"MemErrors")
}

// tcpCounters are those of /proc/net/snmp, group Tcp, and of /proc/net/netstat, group TcpExt.
var tcpCounters = []Entry{
	counted("TcpExtListenOverflows", "tcp", NoBuffer, Harm, Always, SKBs,
		"A connection could not be completed because the accept queue of its listening socket was full.", "ss -lnt  # Recv-Q of Send-Q").
		like("TCP_LISTEN_OVERFLOW").
		fixed("Make the program accept faster, or have it ask for a longer backlog. somaxconn helps only if it is the smaller of the two.").
		decided("net.core.somaxconn").shownBy("socket.accept_queue"),
	counted("TcpExtListenDrops", "tcp", NoBuffer, Harm, Always, SKBs,
		"A listening socket dropped a SYN or the end of a handshake. If TcpExtListenOverflows does not count it as well, its SYN "+
			"queue was full without SYN cookies, or there was no memory, or no route back.",
		"ss -nt state syn-recv | wc -l", "nstat -az TcpExtListenOverflows TcpExtListenDrops TcpExtTCPReqQFullDrop").
		usually("a SYN queue that is full without cookies", "no route back to the client", "the host is short of memory").
		applied("sysctl -w net.ipv4.tcp_syncookies=1").
		fixed("Enable SYN cookies if SYN-RECV connections are near tcp_max_syn_backlog. Otherwise check the route back.").
		decided("net.ipv4.tcp_syncookies", "net.ipv4.tcp_max_syn_backlog").
		including("TcpExtListenOverflows", "TcpExtTCPReqQFullDrop"),
	counted("TcpExtTCPReqQFullDrop", "tcp", NoBuffer, Harm, Always, SKBs,
		"A SYN was dropped because the SYN queue of its socket was full, and SYN cookies are off.", "ss -nt state syn-recv").
		usually("a SYN flood", "clients whose ACK does not arrive", "a short backlog").
		applied("sysctl -w net.ipv4.tcp_syncookies=1").
		fixed("Enable SYN cookies.").decided("net.ipv4.tcp_syncookies", "net.ipv4.tcp_max_syn_backlog"),
	counted("TcpExtTCPReqQFullDoCookies", "tcp", NoBuffer, Maybe, Never, SKBs,
		"The SYN queue of a socket was full, so a SYN was answered with a cookie. Nothing was lost.", "ss -nt state syn-recv").
		usually("a SYN flood", "a burst of connections", "a short backlog").
		fixed("No action needed. Connections made by a cookie lack some options, so raise the backlog if they are many.").
		decided("net.ipv4.tcp_max_syn_backlog", "net.core.somaxconn"),
	counted("TcpExtSyncookiesFailed", "tcp", Error, Maybe, Sometimes, SKBs, "An ACK had a SYN cookie that is wrong or too old.").
		usually("a scan or a flood of ACKs", "a late ACK of a closed connection").
		fixed("No action needed if it is rare."),
	counted("TcpExtPruneCalled", "tcp", NoBuffer, Maybe, Never, Calls,
		"A connection had to shrink its receive queue to stay within its buffer.").
		usually("a program that reads slowly", "a receive buffer that is small for the connection").
		fixed("No action needed unless segments are dropped (RcvPruned, OfoPruned)."),
	counted("TcpExtRcvPruned", "tcp", NoBuffer, Harm, Sometimes, Calls,
		"A connection dropped segments because its receive buffer was over its limit.", "ss -tnmp").
		like("SOCKET_RCVBUFF").
		usually("a program that is stalled, or too slow for the rate", "TCP memory that is short").
		fixed("Make the program read faster, or raise net.ipv4.tcp_rmem.").
		decided("net.ipv4.tcp_rmem", "net.ipv4.tcp_mem"),
	counted("TcpExtOfoPruned", "tcp", NoBuffer, Harm, Always, Calls,
		"A connection threw away segments that had arrived out of order, because its receive buffer was full.", "ss -tnmp").
		like("TCP_OFO_QUEUE_PRUNE"),
	counted("TcpExtTCPRcvQDrop", "tcp", NoBuffer, Harm, Always, SKBs,
		"A segment was dropped because the receive queue of its connection was full, or TCP had no memory.", "ss -tnmp").
		usually("a program that is stalled, or too slow for the rate", "TCP memory that is short").
		fixed("Make the program read faster, or raise net.ipv4.tcp_rmem.").
		decided("net.ipv4.tcp_rmem", "net.ipv4.tcp_mem"),
	counted("TcpExtTCPOFODrop", "tcp", NoBuffer, Harm, Always, SKBs,
		"A segment that arrived out of order was dropped for lack of receive buffer.", "ss -tnmp").
		like("TCP_OFO_DROP"),
	counted("TcpExtTCPOFOMerge", "tcp", Local, Noise, Never, SKBs, "A segment that arrived out of order was there already."),
	counted("TcpExtTCPBacklogDrop", "tcp", NoBuffer, Harm, Always, SKBs,
		"A segment was dropped because the backlog of a socket that was in use was full.", "ss -tnmp").
		like("SOCKET_BACKLOG"),
	counted("TcpExtTCPZeroWindowDrop", "tcp", NoBuffer, Harm, Always, SKBs,
		"A segment arrived although the connection had closed its window: the process does not read.", "ss -tnmp").
		like("TCP_ZEROWINDOW"),
	counted("TcpExtPFMemallocDrop", "tcp", NoBuffer, Harm, Always, SKBs,
		"A segment was dropped because the host was out of memory.", "free -m").
		like("PFMEMALLOC"),
	counted("TcpExtTCPMinTTLDrop", "tcp", Policy, Maybe, Always, SKBs,
		"A segment's TTL was below the minimum that the program asked for.").
		like("TCP_MINTTL"),
	counted("TcpExtTCPDeferAcceptDrop", "tcp", Policy, Noise, Never, SKBs,
		"The end of a handshake was ignored because the program wants to accept with the first data only."),
	counted("TcpExtIPReversePathFilter", "ip", Policy, Harm, Always, SKBs,
		"A packet was dropped because no reply to its source would leave by the interface where it arrived.",
		"ip route get ADDR", "sysctl -a -r 'net.ipv4.conf.*.rp_filter'").
		like("IP_RPFILTER").
		decided("net.ipv4.conf.{ifname}.rp_filter").
		fixed("Correct the route back. rp_filter 2 (loose) helps only if some route back exists. The greater of all's and the " +
			"interface's counts."),
	counted("TcpExtArpFilter", "neighbour", Policy, Maybe, Sometimes, SKBs, "An ARP request was not answered because of arp_filter.").
		usually("arp_filter set on a host with several interfaces in one network, as intended").
		fixed("No action needed if another interface answers."),
	counted("TcpExtPAWSActive", "tcp", Error, Maybe, Always, SKBs,
		"A segment was dropped in SYN-SENT because its timestamp was too old.").
		like("TCP_RFC7323_PAWS"),
	counted("TcpExtPAWSPassive", "tcp", Error, Harm, Always, SKBs,
		"A SYN was dropped because its timestamp was older than the host's last: clients behind one NAT, with tcp_tw_recycle.").
		usually("clients behind one NAT while tcp_tw_recycle is on").
		fixed("Turn tcp_tw_recycle off.").
		applied("sysctl -w net.ipv4.tcp_tw_recycle=0").
		decided("net.ipv4.tcp_tw_recycle"),
	counted("TcpExtPAWSEstab", "tcp", Error, Maybe, Always, SKBs, "A segment was dropped because its timestamp was too old (PAWS).").
		like("TCP_RFC7323_PAWS"),
	counted("TcpExtBeyondWindow", "tcp", Error, Harm, Always, SKBs, "A segment was beyond the receive window.").
		like("TCP_OVERWINDOW"),
	counted("TcpExtTCPMD5NotFound", "tcp", Error, Harm, Always, SKBs, "A segment had no MD5 signature, which this host expects.").
		like("TCP_MD5NOTFOUND"),
	counted("TcpExtTCPMD5Unexpected", "tcp", Error, Harm, Always, SKBs,
		"A segment had an MD5 signature, for which there is no key here.").
		like("TCP_MD5UNEXPECTED"),
	counted("TcpExtTCPMD5Failure", "tcp", Error, Harm, Always, SKBs, "A segment had a wrong MD5 signature.").
		like("TCP_MD5FAILURE"),
	counted("TcpExtTCPAORequired", "tcp", Error, Harm, Always, SKBs, "A segment had no TCP-AO signature, which this host expects.").
		like("TCP_AONOTFOUND"),
	counted("TcpExtTCPAOBad", "tcp", Error, Harm, Always, SKBs, "A segment had a wrong TCP-AO signature.").
		like("TCP_AOFAILURE"),
	counted("TcpExtTCPAOKeyNotFound", "tcp", Error, Harm, Always, SKBs,
		"A segment had a TCP-AO signature, for which there is no key here.").
		like("TCP_AOKEYNOTFOUND"),
	counted("TcpExtTCPMemoryPressures", "tcp", NoBuffer, Maybe, Never, Calls,
		"TCP's memory was short, so that connections get smaller windows.", "cat /proc/net/sockstat").
		like("PROTO_MEM").
		decided("net.ipv4.tcp_mem"),
	counted("TcpExtTCPAbortOnMemory", "tcp", NoBuffer, Harm, Always, Calls,
		"A connection was ended because there was no memory, or there were too many orphaned sockets.", "cat /proc/net/sockstat").
		usually("many orphaned sockets (FIN-WAIT-1), as in a flood",
			"sockets with unread data",
			"tcp_mem or tcp_max_orphans set low").
		fixed("Find the sockets that hold the memory before raising tcp_mem or tcp_max_orphans.").
		decided("net.ipv4.tcp_mem"),
	counted("TcpExtTCPAbortOnClose", "tcp", Local, Maybe, Sometimes, Calls,
		"A program closed a connection with data that it had not read: the data is lost, and the peer got a RST. That may cost it "+
			"the answer as well.",
		"dropwatch retrans --resets  # which connections, and of which program",
		"nstat -az TcpExtTCPAbortOnClose").
		usually("a server that refuses a request (413, 401) without reading its body",
			"a proxy or a client that gives up on an answer",
			"a health check that closes at once").
		fixed("No action needed for health checks. Otherwise have the program read to the end, or shut down its side before it closes: " +
			"peers report connection reset by peer.").
		fault(),
	counted("TcpExtTCPTimeWaitOverflow", "tcp", NoBuffer, Maybe, Sometimes, Calls,
		"A closed connection was not kept in TIME-WAIT, as there are tcp_max_tw_buckets of those. Late segments of it get a RST.",
		"ss -s  # timewait", "sysctl net.ipv4.tcp_max_tw_buckets", "nstat -az TcpExtTCPTimeWaitOverflow").
		usually("very many short connections that this host closes first", "tcp_max_tw_buckets set low").
		fixed("Keep connections open (keep-alive), or raise tcp_max_tw_buckets: each takes about 250 bytes.").
		applied("sysctl -w net.ipv4.tcp_max_tw_buckets=N").
		fault().
		decided("net.ipv4.tcp_max_tw_buckets"),
	counted("TcpExtTCPAbortOnData", "tcp", Local, Maybe, Sometimes, Calls,
		"Data arrived for a connection that its program had closed: the peer got a RST.").
		like("TCP_ABORT_ON_DATA"),
	counted("TcpExtTCPAbortOnTimeout", "tcp", Error, Harm, Sometimes, Calls,
		"A connection was given up because its peer did not answer any more.").
		usually("a peer that is down or unreachable", "loss on the path", "a firewall or NAT that forgot the connection").
		fixed("Nothing to fix on this host unless drops are found beside it. Check the path to the peer."),
	counted("TcpExtTCPTimeouts", "tcp", Error, Maybe, Sometimes, Calls,
		"A retransmission timer expired: data, or its acknowledgment, was lost on the way or very late.", "ss -nti  # retrans").
		usually("loss or delay on the path", "a peer that is down or overloaded", "drops on this host").
		fixed("Nothing to fix on this host unless drops are found beside it. Check the path to the peer."),
	counted("TcpExtTCPSynRetrans", "tcp", Error, Maybe, Sometimes, SKBs, "A SYN or SYN/ACK was sent again: the first had no answer.").
		usually("a server that is down or does not accept", "a firewall that drops SYNs", "loss on the path").
		fixed("Nothing to fix on this host unless drops are found beside it. Check the server and the path."),
	counted("TcpExtTCPRetransFail", "tcp", Error, Maybe, Sometimes, SKBs,
		"A segment could not be sent again: it was dropped on this host.").
		usually("a full queue of an interface", "a next hop that does not answer", "a route that went away").
		fixed("dropwatch diagnose shows the drops behind it."),
	counted("TcpExtTCPWqueueTooBig", "tcp", NoBuffer, Maybe, Sometimes, Calls,
		"A segment could not be split because the send queue was too long.").
		usually("a peer that forces many small segments, as in an attack", "a very small send buffer").
		fixed("No action needed if it is rare."),
	counted("TcpRetransSegs", "tcp", Error, Maybe, Sometimes, Segments,
		"Segments were sent again: they, or their acknowledgments, were lost on the way or late.", "ss -nti  # retrans").
		usually("loss or delay on the path", "a peer that is down or overloaded", "drops on this host").
		fixed("Nothing to fix on this host unless drops are found beside it. Check the path to the peer.").
		including("TcpExtTCPSynRetrans"),
	counted("TcpInCsumErrors", "tcp", Error, Harm, Always, SKBs, "A segment arrived with a wrong checksum.").
		like("TCP_CSUM"),
	counted("TcpInErrs", "tcp", Error, Maybe, Sometimes, SKBs, "A segment was damaged, or not acceptable. It includes TcpInCsumErrors.").
		like("TCP_CSUM").
		including("TcpInCsumErrors"),
	counted("TcpAttemptFails", "tcp", Error, Maybe, Never, Calls, "A connection could not be made.").
		usually("a server that is not running", "a firewall that answers with a RST", "a peer that does not answer").
		fixed("Start the server, or correct the client."),
	counted("TcpEstabResets", "tcp", Local, Maybe, Never, Calls, "An established connection ended with a RST, of either side.").
		like("TCP_RESET"),
	counted("TcpOutRsts", "tcp", Local, Maybe, Never, SKBs, "This host sent a RST.").
		usually("a connection to a port on which nothing listens", "a program that closed with unread data", "a late segment").
		fixed("No action needed for scans. Otherwise start the service, or make the program read to the end."),
}

// socketCounters are those of single sockets, that sock_diag has (SK_MEMINFO_DROPS), and how full their queues are.
var socketCounters = []Entry{
	counted("socket.drops", "socket", NoBuffer, Harm, Sometimes, SKBs,
		"A socket dropped packets, mostly because its receive buffer was full. Of one that listens it counts refused connections too.",
		"ss -anmp  # d in skmem").
		like("SOCKET_RCVBUFF").
		fixed("Make the program read faster, or accept faster if it listens. A larger buffer helps only against bursts."),
	counted("socket.capture_drops", "socket", NoBuffer, Noise, Always, SKBs,
		"A capture could not store its copies of packets: its ring or buffer is full. The traffic itself is unharmed.",
		"ss -0pm  # d in skmem").
		fixed("No action needed, unless a program works with the copies: enlarge its buffer (tcpdump -B), or narrow its filter."),
	counted("socket.netlink_drops", "socket", NoBuffer, Noise, Never, Calls,
		"A program did not read fast enough what the kernel reports to it (netlink): it missed messages, not packets.",
		"cat /proc/net/netlink  # Drops").
		fixed("No action needed, unless a routing daemon or an agent misses changes: enlarge its buffer."),
	counted("socket.accept_queue", "tcp", NoBuffer, Harm, Sometimes, Calls,
		"The connections that wait for the program to accept them, of as many as there may be: one more than its backlog.",
		"ss -lnt  # Recv-Q, and Send-Q, the backlog").
		like("TCP_LISTEN_OVERFLOW").
		fixed("Make the program accept faster. The limit is the smaller of somaxconn and the backlog that the program asked for.").
		decided("net.core.somaxconn"),
	counted("socket.local_ports", "tcp", NoBuffer, Harm, Sometimes, Calls,
		"The TCP connections from one address to one peer use nearly all local ports that there are, 95 % or more. "+
			"Without a free one a program cannot connect (EADDRNOTAVAIL). No packet is dropped.",
		"ss -s  # TCP: estab, timewait", "ss -tan  # State, Peer Address:Port", "sysctl net.ipv4.ip_local_port_range").
		usually("a client that makes a new connection for each request, which stays in TIME-WAIT for a minute",
			"a proxy with one address and one backend", "connections that a program does not close").
		fixed("Have the program keep its connections and use them again, or give it several addresses. Or widen the range of ports.").
		decided("net.ipv4.ip_local_port_range"),
	counted("socket.receive_buffer", "socket", NoBuffer, Maybe, Sometimes, Octets,
		"The bytes that wait in the receive buffer of a socket, of as many as it can hold: the process does not read.",
		"ss -anmp  # r of rb in skmem").
		like("SOCKET_RCVBUFF").
		decided("net.core.rmem_max"),
}
