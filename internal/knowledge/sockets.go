package knowledge

// filteredBy are the cases of a packet that a BPF program rejects for its receiver: that of the control group comes before that
// of the socket (net/core/filter.c sk_filter_trim_cap). Who the receiver is, is known after the drops.
var filteredBy = []Case{
	{
		If: AtCgroup, Severity: Maybe,
		Cause: "A BPF program at the control group of the receiver likely rejected the packet, as that of a systemd unit with " +
			"IPAddressDeny= does.",
		Check: []string{"systemctl show -p IPAddressDeny -p IPAddressAllow {unit}"},
		Fix:   "Correct the network policy of the unit or of the container platform, unless it is to reject this packet.",
	},
	{
		If: OwnFilter, Severity: Maybe,
		Cause: "The filter that the program set at its own socket rejected the packet (SO_ATTACH_FILTER, SO_ATTACH_BPF). No BPF " +
			"program is at its control group.",
		Check: []string{"ss -antup 'sport = :{dport}'", "bpftool prog list  # of type socket_filter, unless the filter is a classic one"},
		Fix:   "No action needed if the program is not to get such packets. Otherwise correct its filter, or its configuration.",
	},
	{
		If:    Capture,
		Cause: "The filter of a capture, or of another socket that is not of IP, rejected its copy of the packet. No packet is lost.",
		Check: []string{"ss -0bpe  # packet sockets and their filters"},
		Fix:   "No action needed.",
	},
}

// echoReply is the case of answers to pings. A raw socket gets a copy before the kernel looks for a ping socket, and says
// that there is none (net/ipv4/ping.c ping_rcv).
var echoReply = Case{
	Via: []string{"ping_rcv"}, Severity: Noise, Short: "echo replies",
	Cause: "An echo reply found no ping socket: the ping program has ended, or uses a raw socket, which gets its copy nevertheless.",
	Check: []string{"ss -nwp  # raw sockets"},
	Fix:   "No action needed.",
}

// moreBuffer are the commands that let receive buffers be larger. Which of them helps depends on the program.
var moreBuffer = []string{
	"sysctl -w net.core.rmem_max=N  # only if the program asks for more",
	"sysctl -w net.core.rmem_default=N  # only if it asks for none; it has to open its socket again",
}

// sockets holds the reasons at sockets of any protocol, and those of UDP
// (include/net/dropreason-core.h).
var sockets = []Entry{
	{
		// net/ipv4/tcp_ipv4.c tcp_v4_rcv; net/ipv4/udp.c __udp4_lib_rcv; net/ipv4/ping.c ping_rcv and
		// others
		Name: "NO_SOCKET", Module: "socket", Class: Local, Severity: Maybe,
		Cause: "No socket accepts this address and port: nothing listens there, or the connection is already closed.",
		Usual: []string{
			"a service that is not running or listens on another address",
			"a client that sends to the wrong port",
			"a scan",
			"a late packet",
		},
		Check: []string{"ss -lntup"},
		Fix:   "Start the service, or correct the sender. Port scans and late packets are harmless.",
		Cases: []Case{
			toNoTunnel,
			{
				If: UDP,
				Cause: "No UDP socket accepts this address and port: nothing listens there, or only on another address, interface, IP " +
					"version or network namespace.",
				Check: []string{
					"ss -lnup 'sport = :{dport}'",
					"nstat -az UdpNoPorts Udp6NoPorts",
				},
				Counters: answered("UdpNoPorts", "Udp6NoPorts"),
			},
			cookieWithoutRoom,
			untracked, echoReply,
			{
				If: TCP | Midstream,
				Cause: "No TCP socket accepts this segment of a connection that was open: this host closed it, or never had it. The " +
					"sender gets a reset.",
				Check: []string{
					"ss -ntap 'sport = :{dport}'",
					"nstat -az TcpOutRsts TcpExtTCPAbortOnClose TcpExtTCPAbortOnData",
					"conntrack -S  # invalid (of conntrack-tools)",
				},
				Fix: "No action needed if it is rare. Otherwise find why the program closes its connections, or who sends this host the " +
					"segments of others.",
			},
			resetOfNone, answerToNone,
			{
				If: TCP,
				Cause: "No TCP socket accepts this segment: nothing listens there, or the connection is already closed. The sender " +
					"gets a reset.",
				Check: []string{
					"ss -ntap 'sport = :{dport}'",
					"nstat -az TcpOutRsts",
				},
			},
			elsewhereTCP, elsewhereUDP, otherPeerUDP, onDeviceTCP, onDeviceUDP,
			onlyIPv6TCP, onlyIPv6UDP, loopbackTCP, loopbackUDP, listensTCP, listensUDP,
		},
	},
	{
		// net/unix/af_unix.c unix_release_sock
		Name: "SOCKET_CLOSE", Module: "socket", Class: Local, Severity: Maybe,
		Cause: "A program closed its socket before it had read all data.",
		Usual: []string{"a program that ended or gave up while data was on its way"},
		Check: []string{"ss -ntp 'sport = :{port}'"},
		Fix:   "The log of the program may say why it closed.",
		Cases: []Case{{
			Via: []string{"unix_release_sock"}, Severity: Noise,
			Cause: "A program closed a Unix socket before it had read all data. No packet of a network is lost.",
			Check: []string{"ss -xp"},
			Fix:   "No action needed.",
		}},
	},
	{
		// net/core/sock.c sock_queue_rcv_skb_reason; net/ipv4/tcp_ipv4.c tcp_v4_rcv; net/ipv4/udp.c
		// udp_queue_rcv_one_skb and others
		Name: "SOCKET_FILTER", Module: "socket", Class: Policy, Severity: Noise,
		Counters: []string{"UdpInErrors", "Udp6InErrors", "socket.drops"},
		Cause: "The BPF filter of the receiving socket rejected the packet, as captures usually do. A BPF program at the receiver's " +
			"control group, as of a systemd unit with IPAddressDeny=, drops for the same reason.",
		Usual: []string{
			"the filter of a capture, which is passed copies: no packet is lost",
			"a filter that the program set at its socket",
			"IPAddressDeny= or IPAddressAllow= of the receiver's systemd unit, or the policy of a container platform",
		},
		Check: []string{
			"ss -0bpe  # packet sockets and their filters",
			"bpftool cgroup tree  # cgroup_inet_ingress: a program that may drop what the group receives",
			"systemctl show -p IPAddressDeny -p IPAddressAllow UNIT",
		},
		Fix:   "No action needed, unless the program or the policy of its control group rejects what it should receive: correct that.",
		Cases: filteredBy,
	},
	{
		// net/core/sock.c sock_queue_rcv_skb_reason; net/ipv4/udp.c __udp_queue_rcv_skb; net/ipv6/udp.c
		// __udpv6_queue_rcv_skb
		Name: "SOCKET_RCVBUFF", Module: "socket", Class: NoBuffer, Severity: Harm,
		Steady:   steadyReader,
		Settings: []string{"net.core.rmem_max", "net.core.rmem_default"},
		Cause:    "The receive buffer of the socket is full: the program reads too slowly, or bursts are too big.",
		Usual: []string{
			"a program that is stalled, or too slow for the rate",
			"a burst larger than the buffer (rmem_default is 208 KiB)",
			"a dead reuseport member",
		},
		Check: []string{
			"ss -anmp  # in skmem, rb is the buffer and d the drops",
			"nstat -az UdpRcvbufErrors Udp6RcvbufErrors",
		},
		Fix:   "Make the program read faster, or ask for a larger buffer (SO_RCVBUF), of at most sysctl net.core.rmem_max.",
		Apply: moreBuffer,
		Cases: []Case{
			{
				If: UDP,
				Check: []string{
					"ss -uanmp 'sport = :{port}'  # in skmem, rb is the buffer and d the drops",
					"nstat -az UdpRcvbufErrors Udp6RcvbufErrors",
				},
				Counters: []string{"UdpRcvbufErrors", "Udp6RcvbufErrors", "socket.drops", "socket.receive_buffer"},
			},
			{
				If: TCP,
				Check: []string{
					"ss -tnmp 'sport = :{port}'  # in skmem, rb is the buffer and d the drops",
					"nstat -az TcpExtTCPRcvQDrop TcpExtTCPZeroWindowDrop",
				},
				Fix: "Make the program read faster, or raise sysctl net.ipv4.tcp_rmem.",
			},
		},
	},
	{
		// net/ipv4/tcp_ipv4.c tcp_add_backlog
		Name: "SOCKET_BACKLOG", Module: "socket", Class: NoBuffer, Severity: Harm,
		Counters: []string{"TcpExtTCPBacklogDrop"},
		Settings: []string{"net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"},
		Cause:    "Packets arrived faster than the backlog of the socket holds while a program was using the socket.",
		Usual: []string{
			"a program or thread that holds the socket for long",
			"a single connection faster than one CPU",
			"a stalled disk or memory",
		},
		Check: []string{
			"nstat -az TcpExtTCPBacklogDrop UdpRcvbufErrors",
			"ss -anmp",
		},
		Fix: "Look for a busy or stalled program, or raise net.ipv4.tcp_rmem or SO_RCVBUF.",
	},
	{
		// net/core/sock.c sock_queue_rcv_skb_reason; net/ipv4/udp.c __udp_queue_rcv_skb;
		// net/ipv4/tcp_input.c tcp_data_queue_ofo and others
		Name: "PROTO_MEM", Module: "memory", Class: NoBuffer, Severity: Harm,
		Counters: []string{"UdpMemErrors", "Udp6MemErrors", "TcpExtTCPRcvQDrop", "TcpExtTCPOFODrop"},
		Settings: []string{"net.ipv4.tcp_mem", "net.ipv4.udp_mem"},
		Cause:    "The sockets of this protocol together use all the memory that they may use.",
		Usual: []string{
			"many sockets with unread data",
			"a program that does not read",
			"tcp_mem or udp_mem set low",
		},
		Check: []string{
			"cat /proc/net/sockstat  # compare mem (pages) with the third number of the sysctl",
			"sysctl net.ipv4.tcp_mem net.ipv4.udp_mem",
			"ss -anmp",
		},
		Fix: "Find the sockets with unread data, or raise tcp_mem or udp_mem.",
	},
	{
		Name: "UNIX_DISCONNECT", Module: "socket", Class: Local, Severity: Maybe,
		Cause: "A Unix socket was disconnected or connected again before its data were read.",
		Usual: []string{"a program that was restarted or connected again"},
		Check: []string{"ss -xp"},
		Fix:   "No action needed if it is rare. The log of the program may say why.",
	},
	{
		// net/unix/af_unix.c manage_oob, unix_stream_read_skb
		Name: "UNIX_SKIP_OOB", Module: "socket", Class: Local, Severity: Noise,
		Cause: "A Unix socket skipped out-of-band data that was already read or is not wanted inline.",
		Check: []string{"ss -xp"},
		Fix:   "No action needed.",
	},
	{
		// net/packet/af_packet.c packet_rcv, tpacket_rcv
		Name: "PACKET_SOCK_ERROR", Module: "socket", Class: NoBuffer, Severity: Noise,
		Counters: []string{"socket.capture_drops"},
		Cause: "A capture could not store its copy of the packet: its ring or buffer is full. The traffic itself is " +
			"unharmed.",
		Check: []string{"ss -0pm"},
		Fix:   "No action needed, unless a program works with the copies: enlarge its buffer (tcpdump -B), or narrow its filter.",
	},
	{
		// drivers/net/netdevsim/netdev.c nsim_queue_free
		Name: "QUEUE_PURGE", Module: "socket", Class: Local, Severity: Maybe,
		Cause: "A whole queue was emptied, for example because a socket was closed or an interface went down.",
		Usual: []string{
			"a socket that was closed",
			"an interface that went down",
			"a queueing discipline that was replaced",
		},
		Check: []string{
			"ip -s link show  # interfaces that went down",
			"dmesg | tail",
		},
		Fix: "The stack trace shows which queue (--stack).",
		Cases: []Case{
			leftWaiting,
			{
				Via:      []string{"sk_stream_kill_queues", "inet_csk_destroy_sock", "tcp_done"},
				Severity: Noise,
				Cause:    "A TCP connection was closed. The segments left in its queue, usually the peer's FIN, were freed.",
				Check:    []string{"ss -nta state fin-wait-2"},
				Fix:      "No action needed.",
			},
			{
				Via:      []string{"inet_sock_destruct"},
				Severity: Noise,
				Cause: "A socket was closed with packets in its queues that its program had not read: ICMP errors or " +
					"timestamps, which lose nothing, or data. Only the packets show which.",
				Check: []string{"ss -ntup"},
				Fix:   "No action needed.",
			},
			{
				Via:      []string{"packet_release", "packet_sock_destruct"},
				Severity: Noise,
				Cause:    "A capture ended with unread copies of packets. The traffic itself is unharmed.",
				Check:    []string{"ss -0pm"},
				Fix:      "No action needed.",
			},
			{
				Via:      []string{"dev_deactivate_many", "dev_reset_queue", "pfifo_fast_reset", "qdisc_reset"},
				Severity: Harm,
				Cause:    "The transmit queue of an interface was emptied because it went down or its qdisc was replaced.",
				Check: []string{
					"ip -s link show dev {ifname}",
					"dmesg | tail",
				},
			},
		},
	},
	{
		// net/ipv4/syncookies.c cookie_v4_check; net/ipv6/syncookies.c cookie_v6_check
		Name: "SECURITY_HOOK", Module: "socket", Class: Policy, Severity: Maybe,
		Cause: "A security module, for example SELinux or AppArmor, rejected the packet.",
		Usual: []string{
			"a policy of SELinux, AppArmor or Smack, such as a service in the wrong context",
			"a BPF security program",
		},
		Check: []string{
			"ausearch -m avc -ts recent",
			"dmesg | tail",
		},
		Fix: "Correct the policy or the labels.",
	},
	{
		Name: "PSP_INPUT", Module: "psp", Class: Policy, Severity: Harm,
		Cause: "A received packet does not match the PSP encryption of its connection: it is in clear text, or has a wrong " +
			"key.",
		Usual: []string{"a peer without PSP, or with an old key"},
		Check: []string{"ss -ntp"},
		Fix:   "Check the programs that set up PSP at both ends.",
	},
	{
		Name: "PSP_OUTPUT", Module: "psp", Class: Policy, Severity: Harm,
		Cause: "A packet of a connection with PSP encryption was to leave by an interface that would not encrypt it.",
		Usual: []string{"a route that changed to an interface without PSP"},
		Check: []string{"ip route get {addr}  # has the route changed?"},
		Fix:   "Route it through the interface that encrypts.",
	},
	{
		// net/ipv4/udp.c udp_queue_rcv_one_skb, __udp4_lib_rcv; net/ipv6/udp.c udpv6_queue_rcv_one_skb
		// and others
		Name: "UDP_CSUM", Module: "udp", Class: Error, Severity: Harm,
		Counters: []string{"UdpInCsumErrors", "Udp6InCsumErrors", "UdpInErrors", "Udp6InErrors"},
		Cause:    "The UDP checksum is wrong: the packet was damaged, or the sender never computed its checksum.",
		Usual: []string{
			"a sender whose checksum offload is broken in a tunnel (VXLAN after NAT)",
			"a virtual machine's offload",
			"a faulty cable or switch",
		},
		Check: []string{
			"nstat -az UdpInCsumErrors Udp6InCsumErrors",
			"ethtool -k {ifname} | grep checksum",
		},
		Fix: "If all of them come from one sender, disable checksum offload there (ethtool -K DEV tx off). Otherwise " +
			"check the path.",
		Cases: []Case{noChecksum},
	},
}
