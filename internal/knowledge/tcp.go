package knowledge

// tcp holds the reasons of TCP (include/net/dropreason-core.h).
var tcp = []Entry{
	{
		// net/ipv4/tcp_ipv4.c tcp_v4_do_rcv, tcp_add_backlog, tcp_v4_rcv and others
		Name: "TCP_CSUM", Module: "tcp", Class: Error, Severity: Harm,
		Counters: []string{"TcpInCsumErrors", "TcpInErrs"},
		Cause:    "The TCP checksum is wrong: the packet was damaged, or the sender never computed its checksum.",
		Usual: []string{
			"a sender whose checksum offload is broken in a tunnel (VXLAN after NAT)",
			"a virtual machine's offload",
			"a faulty cable or switch",
		},
		Check: []string{
			"nstat -az TcpInCsumErrors",
			"ethtool -k {ifname} | grep checksum",
		},
		Fix: "If all of them come from one sender, disable checksum offload there (ethtool -K DEV tx off). Otherwise " +
			"check the path.",
	},
	{
		// net/ipv4/tcp.c tcp_inbound_hash
		Name: "TCP_AUTH_HDR", Module: "tcp", Class: Error, Severity: Harm,
		Cause: "The authentication options (MD5 or AO) of a segment are duplicated or malformed.",
		Usual: []string{"a faulty BGP daemon", "a middlebox that copies options"},
		Check: []string{"tcpdump -vvni {ifname} tcp port {port}"},
		Fix:   "Fix the peer. A connection uses MD5 or AO, never both.",
	},
	{
		// net/ipv4/tcp.c tcp_inbound_hash
		Name: "TCP_MD5NOTFOUND", Module: "tcp", Class: Error, Severity: Harm,
		Counters: []string{"TcpExtTCPMD5NotFound"},
		Cause:    "A key is set for this peer, but its segment has no MD5 signature.",
		Usual:    []string{"a BGP peer without a password", "a scan of port 179", "a middlebox that strips options"},
		Check:    []string{"nstat -az TcpExtTCPMD5NotFound"},
		Fix:      "Set the same (BGP) password at both ends.",
	},
	{
		// net/ipv4/tcp.c tcp_inbound_md5_hash
		Name: "TCP_MD5UNEXPECTED", Module: "tcp", Class: Error, Severity: Harm,
		Counters: []string{"TcpExtTCPMD5Unexpected"},
		Cause:    "A segment has an MD5 signature, but no key is set here for this peer.",
		Usual: []string{
			"a BGP peer with a password that is not set here",
			"a peer that connects from another address",
		},
		Check: []string{"nstat -az TcpExtTCPMD5Unexpected"},
		Fix:   "Set the same (BGP) password at both ends.",
	},
	{
		// net/ipv4/tcp.c tcp_inbound_md5_hash
		Name: "TCP_MD5FAILURE", Module: "tcp", Class: Error, Severity: Harm,
		Counters: []string{"TcpExtTCPMD5Failure"},
		Cause:    "The MD5 signature of a segment is wrong: the keys differ, or NAT changed the addresses.",
		Usual:    []string{"different passwords", "NAT between the peers"},
		Check:    []string{"nstat -az TcpExtTCPMD5Failure"},
		Fix:      "Set the same (BGP) password at both ends.",
	},
	{
		// net/ipv4/tcp.c tcp_inbound_hash
		Name: "TCP_AONOTFOUND", Module: "tcp", Class: Error, Severity: Harm,
		Counters: []string{"TcpExtTCPAORequired"},
		Cause:    "Authentication (TCP-AO) is required for this peer, but its segment has none.",
		Usual:    []string{"a BGP peer without TCP-AO", "a middlebox that strips options"},
		Check:    []string{"nstat -az TcpExtTCPAORequired"},
		Fix:      "Set the same keys at both ends.",
	},
	{
		// net/ipv4/tcp_ao.c tcp_inbound_ao_hash
		Name: "TCP_AOUNEXPECTED", Module: "tcp", Class: Error, Severity: Harm,
		Counters: []string{"TcpExtTCPAOKeyNotFound"},
		Cause:    "A segment is signed by TCP-AO, which this connection does not use.",
		Usual:    []string{"a BGP peer with TCP-AO that is not set here"},
		Check:    []string{"nstat -az TcpExtTCPAOKeyNotFound"},
		Fix:      "Set the same keys at both ends.",
	},
	{
		// net/ipv4/tcp_ao.c tcp_inbound_ao_hash
		Name: "TCP_AOKEYNOTFOUND", Module: "tcp", Class: Error, Severity: Harm,
		Counters: []string{"TcpExtTCPAOKeyNotFound"},
		Cause:    "A segment is signed by a TCP-AO key that is not configured here.",
		Usual:    []string{"a key rollover that was done at one end only", "other key identifiers at the peer"},
		Check:    []string{"nstat -az TcpExtTCPAOKeyNotFound"},
		Fix:      "Add that key. A key rollover needs the new key at both ends first.",
	},
	{
		// net/ipv4/tcp.c tcp_inbound_hash; net/ipv4/tcp_ao.c tcp_ao_verify_hash, tcp_inbound_ao_hash
		Name: "TCP_AOFAILURE", Module: "tcp", Class: Error, Severity: Harm,
		Counters: []string{"TcpExtTCPAOBad"},
		Cause:    "The TCP-AO signature of a segment is wrong: the keys differ, or NAT changed the addresses.",
		Usual:    []string{"different keys", "NAT between the peers"},
		Check:    []string{"nstat -az TcpExtTCPAOBad"},
		Fix:      "Set the same keys at both ends.",
	},
	{
		// net/ipv4/tcp_input.c tcp_rcv_established, tcp_rcv_synsent_state_process, tcp_rcv_state_process
		// and others
		Name: "TCP_FLAGS", Module: "tcp", Class: Error, Severity: Noise,
		Cause: "The flags of the segment make no sense in this state, for example SYN with FIN. Scanners send such segments.",
		Check: []string{"tcpdump -ni {ifname} tcp port {port}"},
		Fix:   "No action needed.",
	},
	{
		// net/ipv4/tcp_input.c tcp_rcv_state_process
		Name: "TCP_ABORT_ON_DATA", Module: "tcp", Class: Local, Severity: Maybe,
		Counters: []string{"TcpExtTCPAbortOnData"},
		Cause:    "The peer sent data after the program had closed the socket, so the connection was reset.",
		Usual: []string{
			"a server that closes after an error without reading the request",
			"a client that goes away while it is sent a reply",
			"a timeout",
		},
		Check: []string{"nstat -az TcpExtTCPAbortOnData"},
		Fix:   "Make the program read to the end, or shut down before it closes.",
	},
	{
		// net/ipv4/tcp_input.c tcp_data_queue
		Name: "TCP_ZEROWINDOW", Module: "tcp", Class: NoBuffer, Severity: Harm,
		Counters: []string{"TcpExtTCPZeroWindowDrop"},
		Cause:    "The peer sent data although the window was closed: the program does not read.",
		Usual:    []string{"a program that is stalled or too slow", "a peer that probes a closed window, as it may"},
		Check: []string{
			"ss -ntmp 'sport = :{port}'  # Recv-Q",
			"nstat -az TcpExtTCPZeroWindowDrop",
		},
		Fix: "Find out why the program does not read.",
	},
	{
		// net/ipv4/tcp_input.c tcp_data_queue
		Name: "TCP_OLD_DATA", Module: "tcp", Class: Local, Severity: Noise,
		Cause: "The peer sent data again that had already arrived: an acknowledgement was lost or late.",
		Check: []string{"ss -nti 'sport = :{port}'  # retrans"},
		Fix:   "No action needed if it is rare. Otherwise look for loss or delay on the path.",
	},
	{
		// net/ipv4/tcp_input.c tcp_data_queue
		Name: "TCP_OVERWINDOW", Module: "tcp", Class: Error, Severity: Harm,
		Counters: []string{"TcpExtBeyondWindow"},
		Cause:    "The data lie beyond the window that this host offered.",
		Usual: []string{
			"a program that reads slowly",
			"a middlebox that changes windows or drops the window scale option",
		},
		Check: []string{
			"ss -ntmi 'sport = :{port}'",
			"nstat -az TcpExtBeyondWindow",
		},
		Fix: "Look for a program that reads slowly, or a middlebox that changes windows.",
	},
	{
		// net/ipv4/tcp_input.c tcp_data_queue_ofo
		Name: "TCP_OFOMERGE", Module: "tcp", Class: Local, Severity: Noise,
		Cause: "Data that arrived out of order were already in the queue of such data.",
		Check: []string{"nstat -az TcpExtTCPOFOMerge TcpExtTCPOFOQueue"},
		Fix:   "No action needed. Many of them are a sign of loss or reordering on the path.",
	},
	{
		// net/ipv4/tcp_input.c tcp_validate_incoming, tcp_rcv_synsent_state_process
		Name: "TCP_RFC7323_PAWS", Module: "tcp", Class: Error, Severity: Maybe,
		Counters: []string{"TcpExtPAWSEstab"},
		Cause:    "The timestamp of the segment is older than the last one: a late copy, or NAT that mixes hosts.",
		Usual: []string{
			"a late copy of a segment",
			"NAT or a load balancer that mixes the clocks of several hosts",
		},
		Check: []string{"nstat -az TcpExtPAWSEstab"},
		Fix:   "If connections stall, look for NAT or load balancers that mix timestamps.",
	},
	{
		Name: "TCP_RFC7323_PAWS_ACK", Module: "tcp", Class: Local, Severity: Noise,
		Cause: "An acknowledgement without data arrived after later segments: harmless reordering.",
		Check: []string{"nstat -az TcpExtPAWSOldAck"},
		Fix:   "No action needed.",
	},
	{
		Name: "TCP_RFC7323_TW_PAWS", Module: "tcp", Class: Error, Severity: Maybe,
		Cause: "A segment for a connection in TIME-WAIT has an old timestamp.",
		Usual: []string{"clients behind one NAT that use a port again", "a client that restarted"},
		Check: []string{
			"nstat -az TcpExtPAWSTimewait",
			"ss -nt state time-wait",
		},
		Fix: "If new connections fail, look for NAT that mixes hosts with different clocks.",
	},
	{
		Name: "TCP_RFC7323_TSECR", Module: "tcp", Class: Error, Severity: Noise,
		Cause: "The segment echoes a timestamp that this host never sent.",
		Check: []string{"nstat -az TcpExtTSEcrRejected"},
		Fix:   "No action needed if it is rare. Otherwise a faulty middlebox or an attack.",
	},
	{
		Name: "TCP_LISTEN_OVERFLOW", Module: "tcp", Class: NoBuffer, Severity: Harm,
		Counters: []string{"TcpExtListenOverflows", "TcpExtListenDrops", "socket.accept_queue"},
		Settings: []string{"net.core.somaxconn", "net.ipv4.tcp_abort_on_overflow"},
		Cause:    "The accept queue of a listening socket is full: the server accepts too slowly, or set a short queue.",
		Usual: []string{
			"a server that is stalled or has too few threads",
			"a backlog that the program asked for (511, 128, 50)",
			"a burst of connections",
		},
		Check: []string{
			"ss -lnt 'sport = :{dport}'  # Recv-Q is the queue, Send-Q its limit",
			"sysctl net.core.somaxconn",
			"nstat -az TcpExtListenOverflows",
		},
		Fix: "Make the server accept faster, or raise its listen backlog. somaxconn helps only if it is the smaller of " +
			"the two.",
		Apply: []string{"sysctl -w net.core.somaxconn=N"},
	},
	{
		// net/ipv4/tcp_input.c tcp_sequence
		Name: "TCP_OLD_SEQUENCE", Module: "tcp", Class: Local, Severity: Noise,
		Cause: "The segment lies before the window: a copy of data that had already arrived.",
		Check: []string{"ss -nti 'sport = :{port}'  # retrans"},
		Fix:   "No action needed if it is rare.",
	},
	{
		// net/ipv4/tcp_input.c tcp_sequence
		Name: "TCP_INVALID_SEQUENCE", Module: "tcp", Class: Error, Severity: Maybe,
		Counters: []string{"TcpExtBeyondWindow"},
		Cause:    "The segment lies outside the window: it belongs to an old connection, or is spoofed.",
		Usual: []string{
			"a peer or middlebox that lost the state of the connection",
			"an old connection with the same ports",
			"a spoofed segment",
		},
		Check: []string{"tcpdump -Sni {ifname} tcp port {port}"},
		Fix:   "No action needed if it is rare. Otherwise look for a middlebox that changes sequence numbers.",
	},
	{
		Name: "TCP_INVALID_END_SEQUENCE", Module: "tcp", Class: NoBuffer, Severity: Harm,
		Counters: []string{"TcpExtBeyondWindow"},
		Cause: "The segment reaches beyond the window that this host offered, while data wait that the program has not read: " +
			"usually the window was closed.",
		Usual: []string{"a program that is stalled or too slow", "a middlebox that changes windows"},
		Check: []string{
			"ss -ntmi 'sport = :{port}'  # Recv-Q",
			"nstat -az TcpExtBeyondWindow",
		},
		Fix: "Find out why the program does not read. If it does, look for a middlebox that changes windows.",
	},
	{
		// net/ipv4/tcp_input.c tcp_rcv_synsent_state_process
		Name: "TCP_INVALID_ACK_SEQUENCE", Module: "tcp", Class: Error, Severity: Maybe,
		Cause: "The segment acknowledges data that do not fit the connection.",
		Usual: []string{
			"an old connection with the same ports",
			"a middlebox that changes sequence numbers",
			"a spoofed segment",
		},
		Check: []string{"tcpdump -Sni {ifname} tcp port {port}"},
		Fix:   "No action needed if it is rare.",
	},
	{
		// net/ipv4/tcp_input.c tcp_validate_incoming, tcp_rcv_synsent_state_process,
		// tcp_rcv_state_process
		Name: "TCP_RESET", Module: "tcp", Class: Local, Severity: Maybe,
		Cause: "The peer reset the connection. The RST was obeyed and freed.",
		Usual: []string{
			"a peer program that ended or crashed",
			"a client that gave up",
			"a firewall, load balancer or NAT whose entry timed out",
		},
		Check: []string{"nstat -az TcpEstabResets"},
		Fix:   "The log of the peer may say why. Otherwise look for firewalls that send resets.",
	},
	{
		// net/ipv4/tcp_input.c tcp_validate_incoming
		Name: "TCP_INVALID_SYN", Module: "tcp", Class: Error, Severity: Noise,
		Cause:    "A SYN arrived within a connection: the peer restarted and reuses the port, or it is spoofed.",
		Counters: []string{"TcpInErrs"},
		Check:    []string{"nstat -az TcpExtTCPSYNChallenge TcpExtTCPChallengeACK"},
		Fix:      "No action needed: the answer makes a real peer reset the old connection.",
	},
	{
		// net/ipv4/tcp_input.c tcp_rcv_state_process; net/ipv4/tcp_ao.c tcp_inbound_ao_hash
		Name: "TCP_CLOSE", Module: "tcp", Class: Local, Severity: Noise,
		Cause: "The segment arrived for a socket that is already closed.",
		Check: []string{"ss -nta"},
		Fix:   "No action needed.",
	},
	{
		// net/ipv4/tcp_input.c tcp_rcv_state_process
		Name: "TCP_FASTOPEN", Module: "tcp", Class: Local, Severity: Noise,
		Cause: "The segment arrived while a Fast Open connection could not accept it. The peer sends it again.",
		Check: []string{"nstat -az TcpExtTCPFastOpenPassive TcpExtTCPFastOpenPassiveFail"},
		Fix:   "No action needed if it is rare.",
	},
	{
		// net/ipv4/tcp_input.c tcp_rcv_state_process
		Name: "TCP_OLD_ACK", Module: "tcp", Class: Local, Severity: Noise,
		Cause: "An acknowledgement arrived after a later one: harmless reordering.",
		Check: []string{"ss -nti  # reordering"},
		Fix:   "No action needed.",
	},
	{
		// net/ipv4/tcp_input.c tcp_ack
		Name: "TCP_TOO_OLD_ACK", Module: "tcp", Class: Local, Severity: Noise,
		Cause: "An acknowledgement is so old that it may be spoofed.",
		Check: []string{"nstat -az TcpExtTCPChallengeACK"},
		Fix:   "No action needed if it is rare.",
	},
	{
		// net/ipv4/tcp_input.c tcp_ack
		Name: "TCP_ACK_UNSENT_DATA", Module: "tcp", Class: Error, Severity: Maybe,
		Cause: "The peer acknowledges data that this host never sent: the segment belongs to an old connection, or is " +
			"spoofed.",
		Usual: []string{
			"an old connection with the same ports",
			"a middlebox that answers for the peer",
			"a spoofed segment",
		},
		Check: []string{
			"tcpdump -Sni {ifname} tcp port {port}",
			"nstat -az TcpExtTCPChallengeACK",
		},
		Fix: "Look for a middlebox that changes sequence numbers.",
	},
	{
		// net/ipv4/tcp_input.c tcp_prune_ofo_queue
		Name: "TCP_OFO_QUEUE_PRUNE", Module: "tcp", Class: NoBuffer, Severity: Harm,
		Counters: []string{"TcpExtOfoPruned"},
		Settings: []string{"net.ipv4.tcp_rmem", "net.ipv4.tcp_mem"},
		Cause:    "Data that arrived out of order were dropped to save memory, and must be sent again.",
		Usual: []string{
			"loss on the path of a fast connection",
			"a receive buffer that is small for it",
			"TCP memory that is short",
		},
		Check: []string{
			"nstat -az TcpExtOfoPruned TcpExtRcvPruned",
			"ss -ntmp 'sport = :{port}'",
		},
		Fix: "Find the loss on the path, or raise net.ipv4.tcp_rmem and tcp_mem.",
	},
	{
		// net/ipv4/tcp_input.c tcp_ofo_queue
		Name: "TCP_OFO_DROP", Module: "tcp", Class: NoBuffer, Severity: Harm,
		Counters: []string{"TcpExtTCPOFODrop"},
		Settings: []string{"net.ipv4.tcp_rmem", "net.ipv4.tcp_mem"},
		Cause:    "There was no memory for data that arrived out of order.",
		Usual: []string{
			"loss on the path of a fast connection",
			"a receive buffer that is small for it",
			"TCP memory that is short",
		},
		Check: []string{
			"nstat -az TcpExtTCPOFODrop",
			"ss -ntmp 'sport = :{port}'",
		},
		Fix: "Raise net.ipv4.tcp_rmem and tcp_mem, and find the loss on the path.",
	},
	{
		// net/ipv4/tcp_ipv4.c tcp_v4_rcv; net/ipv6/tcp_ipv6.c tcp_v6_rcv
		Name: "TCP_MINTTL", Module: "tcp", Class: Policy, Severity: Maybe,
		Counters: []string{"TcpExtTCPMinTTLDrop"},
		Cause:    "The TTL is below what the socket requires (IP_MINTTL). BGP uses it to reject distant peers.",
		Usual:    []string{"a BGP peer that is further away than ttl-security allows", "a scan or an attack"},
		Check:    []string{"nstat -az TcpExtTCPMinTTLDrop"},
		Fix:      "Correct the number of hops in ttl-security of the BGP daemon.",
	},
}
