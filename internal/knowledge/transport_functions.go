package knowledge

import "slices"

// toNobody are datagrams to many hosts, which this one need not want.
var toNobody = []Case{toNobodyAs(Multicast, "multicast"), toNobodyAs(Broadcast, "broadcast")}

// toNobodyAs is the case of a datagram to many that no socket here has asked for; name is what it is sent to, as
// "multicast".
func toNobodyAs(to Evidence, name string) Case {
	return Case{
		If: to, Severity: Noise,
		Cause:    "A " + name + " datagram was for no socket of this host. Its sender sends to many.",
		Check:    []string{"ss -lnup 'sport = :{dport}'"},
		Fix:      "No action needed, unless a program here should receive it.",
		Counters: []string{"UdpIgnoredMulti", "Udp6IgnoredMulti"},
	}
}

// transportFunctions are those of sockets and transport protocols that drop without a
// reason.
var transportFunctions = []Entry{
	{Name: "udp_rcv", Kind: Function, Same: "__udp4_lib_rcv"},
	{
		// net/ipv4/udp.c
		Name: "__udp4_lib_rcv", Kind: Function, Module: "udp", Class: Local, Severity: Maybe,
		Counters: answered("UdpNoPorts", "UdpInCsumErrors"),
		Cause:    "No socket accepts this UDP port, the checksum is wrong, or a policy forbids the packet.",
		Usual: []string{
			"a service that is not running or listens on another address",
			"a client that sends to the wrong port",
			"a scan",
		},
		Check: []string{
			"ss -lnup 'sport = :{dport}'",
			"nstat -az UdpNoPorts UdpInCsumErrors",
		},
		Fix:   "Start the service or correct the sender.",
		Cases: append(slices.Clone(toNobody), toNoTunnel),
	},
	{
		// net/ipv6/udp.c
		Name: "__udp6_lib_rcv", Kind: Function, Module: "udp", Class: Local, Severity: Maybe,
		Counters: answered("Udp6NoPorts", "Udp6InCsumErrors"),
		Cause:    "No socket accepts this UDP port, the checksum is wrong, or a policy forbids the packet.",
		Usual: []string{
			"a service that is not running or listens on another address",
			"a client that sends to the wrong port",
			"a scan",
		},
		Check: []string{
			"ss -6lnup 'sport = :{dport}'",
			"nstat -az Udp6NoPorts Udp6InCsumErrors",
		},
		Fix:   "Start the service or correct the sender.",
		Cases: append(slices.Clone(toNobody), toNoTunnel),
	},
	{
		// net/ipv4/udp.c
		Name: "__udp4_lib_mcast_deliver", Kind: Function, Module: "udp", Class: Local, Severity: Noise,
		Cause: "A copy of a multicast or broadcast datagram had no further receiver.",
		Check: []string{"ss -lnup 'sport = :{dport}'"},
		Fix:   "No action needed.",
	},
	{
		// net/ipv4/udp.c
		Name: "udp_queue_rcv_one_skb", Kind: Function, Module: "udp", Class: NoBuffer, Severity: Harm,
		Steady:   steadyReader,
		Counters: []string{"UdpRcvbufErrors", "UdpMemErrors", "UdpInErrors"},
		Settings: []string{"net.core.rmem_max", "net.core.rmem_default"},
		Cause:    "The socket rejected the packet: usually its receive buffer is full.",
		Usual: []string{
			"a program that is stalled, or too slow for the rate",
			"a burst larger than the buffer (rmem_default is 208 KiB)",
			"a dead reuseport member",
		},
		Check: []string{
			"ss -uanmp 'sport = :{port}'  # in skmem, rb is the buffer and d the drops",
			"nstat -az UdpRcvbufErrors UdpInErrors",
		},
		Fix:   "Make the program read faster, or ask for a larger buffer (SO_RCVBUF), of at most sysctl net.core.rmem_max.",
		Apply: moreBuffer,
	},
	{
		// net/ipv6/udp.c
		Name: "udpv6_queue_rcv_one_skb", Kind: Function, Module: "udp", Class: NoBuffer, Severity: Harm,
		Steady:   steadyReader,
		Counters: []string{"Udp6RcvbufErrors", "Udp6MemErrors", "Udp6InErrors"},
		Settings: []string{"net.core.rmem_max", "net.core.rmem_default"},
		Cause:    "The socket rejected the packet: usually its receive buffer is full.",
		Usual: []string{
			"a program that is stalled, or too slow for the rate",
			"a burst larger than the buffer (rmem_default is 208 KiB)",
			"a dead reuseport member",
		},
		Check: []string{
			"ss -6uanmp 'sport = :{port}'  # in skmem, rb is the buffer and d the drops",
			"nstat -az Udp6RcvbufErrors Udp6InErrors",
		},
		Fix:   "Make the program read faster, or ask for a larger buffer (SO_RCVBUF), of at most sysctl net.core.rmem_max.",
		Apply: moreBuffer,
	},
	{
		Name: "tcp_drop", Kind: Function, Module: "tcp", Class: Error, Severity: Maybe,
		Cause: "A connection could not use the segment: it was a copy, too old, or did not fit the state.",
		Usual: []string{
			"a segment sent again that had arrived",
			"a program that does not read",
			"a late or spoofed segment",
		},
		Check: []string{
			"ss -ntmi 'sport = :{port}'",
			"nstat -az TcpInErrs TcpExtPAWSEstab TcpExtTCPZeroWindowDrop",
		},
		Fix: "No action needed if it is rare. Otherwise look for loss on the path, and for a program that does " +
			"not read.",
	},
	{
		// net/ipv4/tcp_ipv4.c
		Name: "tcp_v4_rcv", Kind: Function, Module: "tcp", Class: Local, Severity: Maybe,
		Cause: "No socket accepts this segment, or its socket rejected it, for example because of a full backlog or a bad " +
			"checksum.",
		Usual: []string{
			"a service that is not running",
			"a connection that is already closed",
			"a scan",
			"a program that does not read",
		},
		Check: []string{
			"ss -ntap 'sport = :{dport}'",
			"nstat -az TcpOutRsts TcpInCsumErrors TcpExtTCPBacklogDrop",
		},
		Fix:   "Start the service, or correct the sender. Port scans and late packets are harmless.",
		Cases: []Case{resetOfNone, answerToNone},
	},
	{Name: "tcp_v6_rcv", Kind: Function, Same: "tcp_v4_rcv"},
	{
		// net/ipv4/tcp_ipv4.c
		Name: "tcp_v4_do_rcv", Kind: Function, Module: "tcp", Class: Error, Severity: Maybe,
		Cause: "The segment did not fit the state of its connection, or its checksum is wrong.",
		Usual: []string{"a late segment of a closed connection", "a spoofed segment", "a damaged one"},
		Check: []string{
			"ss -nta",
			"nstat -az TcpInErrs",
		},
		Fix: "No action needed if it is rare.",
	},
	{Name: "tcp_v6_do_rcv", Kind: Function, Same: "tcp_v4_do_rcv"},
	{
		// net/ipv4/tcp_input.c
		Name: "tcp_conn_request", Kind: Function, Module: "tcp", Class: NoBuffer, Severity: Harm,
		Counters: []string{"TcpExtListenOverflows", "TcpExtListenDrops", "TcpExtTCPReqQFullDrop"},
		Settings: []string{"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_syncookies"},
		Cause:    "A connection request was refused: the accept queue or the SYN queue of the listening socket is full.",
		Usual: []string{
			"a server that is stalled or has too few threads",
			"a backlog that the program asked for (511, 128, 50)",
			"a SYN flood",
		},
		Check: []string{
			"ss -lnt 'sport = :{dport}'  # Recv-Q is the accept queue, Send-Q its limit",
			"nstat -az TcpExtListenOverflows TcpExtListenDrops",
			"sysctl net.ipv4.tcp_max_syn_backlog net.ipv4.tcp_syncookies",
		},
		Fix: "Make the server accept faster, or raise its listen backlog. somaxconn helps only if it is the smaller of " +
			"the two. Enable SYN cookies if they are off.",
		Apply: []string{"sysctl -w net.core.somaxconn=N", "sysctl -w net.ipv4.tcp_syncookies=1"},
	},
	{
		// net/ipv4/tcp_input.c
		Name: "tcp_rcv_state_process", Kind: Function, Module: "tcp", Class: Local, Severity: Noise,
		Cause: "The segment did not fit a connection that is being set up or closed. Many of them are the normal end of one.",
		Check: []string{
			"ss -nta",
			"nstat -az TcpExtTCPAbortOnData",
		},
	},
	{
		// net/ipv4/tcp_input.c
		Name: "tcp_rcv_established", Kind: Function, Module: "tcp", Class: Error, Severity: Maybe,
		Cause: "The connection could not use the segment, for example because of a bad checksum or a stray flag.",
		Usual: []string{"a damaged segment", "a scan or a spoofed segment", "a middlebox that changes headers"},
		Check: []string{"nstat -az TcpInErrs TcpInCsumErrors"},
		Fix:   "No action needed if it is rare.",
	},
	{
		// net/ipv4/tcp_input.c
		Name: "tcp_validate_incoming", Kind: Function, Module: "tcp", Class: Error, Severity: Maybe,
		Cause: "The segment lies outside the window, is too old, or carried a reset or SYN that ended here.",
		Usual: []string{
			"a connection that the peer reset",
			"a late or spoofed segment",
			"NAT that mixes the clocks of several hosts",
		},
		Check: []string{"nstat -az TcpExtPAWSEstab TcpExtTCPChallengeACK TcpEstabResets"},
		Fix: "No action needed if it is rare. Otherwise look for a firewall that sends resets, or NAT that mixes " +
			"hosts.",
	},
	{
		// net/ipv4/tcp_input.c
		Name: "tcp_data_queue", Kind: Function, Module: "tcp", Class: Local, Severity: Maybe,
		Settings: []string{"net.ipv4.tcp_mem"},
		Cause:    "The data had already arrived, lie outside the window, or found no memory.",
		Usual: []string{
			"a segment sent again that had arrived",
			"a program that does not read",
			"TCP memory that is short",
		},
		Check: []string{
			"ss -ntmi 'sport = :{port}'",
			"nstat -az TcpExtTCPZeroWindowDrop TcpExtTCPRcvQDrop",
		},
		Fix: "Find out why the program does not read. Copies of what had arrived are harmless.",
	},
	{
		// net/core/stream.c
		Name: "sk_stream_kill_queues", Kind: Function, Module: "tcp", Class: Local, Severity: Noise,
		Cause: "A TCP connection was closed. The segments left in its queue, usually the peer's FIN, were freed.",
		Check: []string{"ss -nta state fin-wait-2"},
		Fix:   "No action needed.",
	},
	{
		// net/ipv4/af_inet.c
		Name: "inet_sock_destruct", Kind: Function, Module: "socket", Class: Local, Severity: Noise,
		Cause: "A socket was closed with packets in its queues that its program had not read: ICMP errors or timestamps, " +
			"which lose nothing, or data. Only the packets show which.",
		Check: []string{"ss -ntup"},
		Fix:   "No action needed.",
	},
	{Name: "udp_destruct_common", Kind: Function, Same: "inet_sock_destruct"}, // net/ipv4/udp.c
	{
		// net/sctp/input.c
		Name: "sctp_rcv", Kind: Function, Module: "sctp", Class: Local, Severity: Maybe,
		Cause: "The SCTP packet is invalid, or no association accepts it.",
		Usual: []string{"a service that is not running", "an association that is already closed", "a scan"},
		Check: []string{
			"ss -naS",
			"cat /proc/net/sctp/snmp",
		},
		Fix: "Start the service, or correct the sender.",
	},
	{
		// net/can/raw.c
		Name: "raw_rcv", Kind: Function, Module: "socket", Class: Local, Severity: Maybe,
		Settings: []string{"net.core.rmem_max"},
		Cause:    "A raw socket rejected its copy of the packet: an IPsec policy, or a full receive buffer.",
		Usual: []string{
			"a program that reads its raw socket too slowly, such as a routing daemon or ping",
			"an IPsec policy",
		},
		Check: []string{"ss -wanmp"},
		Fix:   "Make the program read faster, or raise its SO_RCVBUF.",
	},
	{Name: "raw_rcv_skb", Kind: Function, Same: "raw_rcv"},
	{
		// net/ipv4/ping.c
		Name: "ping_rcv", Kind: Function, Module: "icmp", Class: Local, Severity: Noise,
		Cause: "No ping socket waits for this echo reply, for example because the ping program has ended.",
		Check: []string{"ss -nwp"},
		Fix:   "No action needed.",
	},
	{
		// net/core/sock.c
		Name: "sock_queue_rcv_skb_reason", Kind: Function, Module: "socket", Class: NoBuffer, Severity: Harm,
		Settings: []string{"net.core.rmem_max", "net.core.rmem_default"},
		Cause:    "The receive buffer of the socket is full.",
		Usual:    []string{"a program that is stalled, or too slow for the rate", "a burst larger than the buffer"},
		Check:    []string{"ss -anmp  # in skmem, rb is the buffer and d the drops"},
		Fix:      "Make the program read faster, or raise its SO_RCVBUF.",
		Apply:    moreBuffer,
	},
	{
		// net/vmw_vsock/virtio_transport_common.c
		Name: "virtio_transport_recv_pkt", Kind: Function, Module: "socket", Class: Local, Severity: Noise,
		Cause: "A packet from the hypervisor or from a virtual machine (vsock) found no socket that accepts it.",
		Check: []string{"ss -a --vsock"},
		Fix:   "No action needed, unless a service should listen there.",
	},
	{
		// net/unix/af_unix.c
		Name: "unix_dgram_sendmsg", Kind: Function, Module: "socket", Class: Local, Severity: Maybe,
		Cause: "A datagram of a Unix socket was not delivered: its receiver is gone or does not accept it.",
		Usual: []string{"a log or monitoring daemon that was restarted"},
		Check: []string{"ss -xp"},
		Fix:   "No action needed if it is rare. The log of the receiving program may say why.",
	},
	{
		// net/unix/af_unix.c
		Name: "unix_stream_sendmsg", Kind: Function, Module: "socket", Class: Local, Severity: Noise,
		Cause: "The peer of a Unix socket was gone when data were sent. The sender gets EPIPE.",
		Check: []string{"ss -xp"},
	},
	{
		// net/unix/af_unix.c
		Name: "unix_release_sock", Kind: Function, Module: "socket", Class: Local, Severity: Noise,
		Cause: "A program closed a Unix socket before it had read all data.",
		Check: []string{"ss -xp"},
	},
	{
		// net/unix/af_unix.c
		Name: "unix_stream_connect", Kind: Function, Module: "socket", Class: NoBuffer, Severity: Maybe,
		Settings: []string{"net.core.somaxconn"},
		Cause:    "A connection to a Unix socket failed: nothing listens, or its backlog is full.",
		Usual:    []string{"a server that is stalled, or that accepts too slowly", "a server that was stopped"},
		Check:    []string{"ss -xlp"},
		Fix:      "Make the server accept faster, or raise its listen backlog.",
	},
	{
		// net/netlink/af_netlink.c
		Name: "netlink_broadcast_filtered", Kind: Function, Module: "socket", Class: NoBuffer, Severity: Noise,
		Cause: "A copy of a netlink notification was not delivered to one of its listeners, which filters it or reads too " +
			"slowly.",
		Check: []string{"cat /proc/net/netlink  # Drops"},
	},
	{
		// net/netlink/af_netlink.c
		Name: "netlink_attachskb", Kind: Function, Module: "socket", Class: NoBuffer, Severity: Maybe,
		Settings: []string{"net.core.rmem_max"},
		Cause:    "A netlink message was not delivered: the receiver's buffer is full.",
		Usual:    []string{"a monitoring or routing daemon that reads its netlink socket too slowly"},
		Check:    []string{"cat /proc/net/netlink  # Drops"},
		Fix:      "Make the program read faster, or raise its SO_RCVBUF.",
	},
	{
		// net/packet/af_packet.c
		Name: "packet_rcv", Kind: Function, Module: "socket", Class: NoBuffer, Severity: Noise,
		Counters: []string{"socket.capture_drops"},
		Cause:    "A capture had no room for its copy of the packet. The traffic itself is unharmed.",
		Check:    []string{"ss -0pm  # d in skmem"},
		Fix:      "No action needed, unless a program works with the copies: enlarge its buffer, or narrow its filter.",
	},
	{
		// net/packet/af_packet.c
		Name: "tpacket_rcv", Kind: Function, Module: "socket", Class: NoBuffer, Severity: Noise,
		Counters: []string{"socket.capture_drops"},
		Cause:    "The ring of a capture had no room for its copy of the packet. The traffic itself is unharmed.",
		Check:    []string{"ss -0pm"},
		Fix:      "Enlarge the capture's buffer (tcpdump -B), or narrow its filter.",
	},
	{Name: "packet_rcv_spkt", Kind: Function, Same: "packet_rcv"},
}
