package knowledge

// elsewhereTCP and those behind it are the cases of packets to a port for which the host has a
// socket, whatever address that has. Its sockets are read after the drops.
var (
	elsewhereTCP = Case{
		If:    Elsewhere | TCP,
		Cause: "A program listens on this TCP port, but not on the address to which the segment was sent. The sender gets a reset.",
		Check: []string{
			"ss -lntp 'sport = :{dport}'",
			"nstat -az TcpOutRsts",
		},
		Fix: "Make the program listen on {addr} or on all addresses (0.0.0.0, [::]), or correct the sender.",
	}
	elsewhereUDP = Case{
		If:    Elsewhere | UDP,
		Cause: "A program uses this UDP port, but not with the address to which the datagram was sent.",
		Check: []string{
			"ss -lnup 'sport = :{dport}'",
			"nstat -az UdpNoPorts Udp6NoPorts",
		},
		Fix:      "Make the program bind to {addr} or to all addresses (0.0.0.0, [::]), or correct the sender.",
		Counters: answered("UdpNoPorts", "Udp6NoPorts"),
	}
	onDeviceTCP = Case{
		If: OnDevice | TCP,
		Cause: "A program listens on this TCP port and address, but takes packets of other interfaces only (SO_BINDTODEVICE), or " +
			"is outside of the VRF.",
		Check: []string{"ss -lntp 'sport = :{dport}'  # the interface stands after %", "ip route get {src}"},
		Fix: "Have the program listen on {ifname}, too, or without an interface, or correct the sender. In a VRF, start it there (ip vrf " +
			"exec VRF ...), bind it to the VRF, or set tcp_l3mdev_accept.",
	}
	onDeviceUDP = Case{
		If: OnDevice | UDP,
		Cause: "A program uses this UDP port and address, but takes packets of other interfaces only (SO_BINDTODEVICE), or is " +
			"outside of the VRF.",
		Check: []string{"ss -lnup 'sport = :{dport}'  # the interface stands after %", "ip route get {src}"},
		Fix: "Have the program bind to {ifname}, too, or to no interface, or correct the sender. In a VRF, start it there (ip vrf exec " +
			"VRF ...), bind it to the VRF, or set udp_l3mdev_accept.",
		Counters: answered("UdpNoPorts", "Udp6NoPorts"),
	}
	otherPeerUDP = Case{
		If: OtherPeer | UDP,
		Cause: "A program has this UDP address and port, but its socket is connected to another peer: it gets what that one sends, " +
			"and nothing of others.",
		Check: []string{"ss -nup 'sport = :{dport}'  # Peer Address:Port"},
		Fix: "If {src} answers for that peer, have it answer from the address and port that were asked (several addresses, NAT). A " +
			"program that is to serve others must not connect its socket.",
		Counters: answered("UdpNoPorts", "Udp6NoPorts"),
	}
	onlyIPv6TCP = Case{
		If:    OnlyIPv6 | TCP,
		Cause: "The service on this TCP port listens for IPv6 only ([::] with IPV6_V6ONLY), and the segment is of IPv4.",
		Check: []string{"ss -lnetp 'sport = :{dport}'  # v6only:1", "sysctl net.ipv6.bindv6only"},
		Fix:   "Make the service listen on 0.0.0.0 as well, or turn IPV6_V6ONLY off in its configuration. Or connect by IPv6.",
	}
	onlyIPv6UDP = Case{
		If:       OnlyIPv6 | UDP,
		Cause:    "The program at this UDP port takes IPv6 only ([::] with IPV6_V6ONLY), and the datagram is of IPv4.",
		Check:    []string{"ss -lneup 'sport = :{dport}'  # v6only:1", "sysctl net.ipv6.bindv6only"},
		Fix:      "Make the program bind to 0.0.0.0 as well, or turn IPV6_V6ONLY off in its configuration. Or send by IPv6.",
		Counters: answered("UdpNoPorts", "Udp6NoPorts"),
	}
	loopbackTCP = Case{
		If: OnLoopback | TCP,
		Cause: "The service on this TCP port listens on the loopback only (127.0.0.1, [::1]): programs of this host alone reach it. " +
			"The sender gets a reset.",
		Check: elsewhereTCP.Check,
		Fix:   "Make the service listen on {addr} or on all addresses (0.0.0.0, [::]) if others are to reach it.",
	}
	loopbackUDP = Case{
		If:       OnLoopback | UDP,
		Cause:    "The service on this UDP port is bound to the loopback only (127.0.0.1, [::1]): programs of this host alone reach it.",
		Check:    elsewhereUDP.Check,
		Fix:      "Make the service bind to {addr} or to all addresses (0.0.0.0, [::]) if others are to reach it.",
		Counters: answered("UdpNoPorts", "Udp6NoPorts"),
	}
	listensTCP = Case{
		If: Listens | TCP,
		Cause: "A program listens on this TCP address and port now. These segments are late ones of connections that are closed, " +
			"or came before it listened. The sender gets a reset.",
		Check: []string{
			"ss -ntap 'sport = :{dport}'",
			"nstat -az TcpOutRsts TcpExtTCPAbortOnClose TcpExtTCPAbortOnData",
		},
		Fix: "No action needed if it is rare. Otherwise find why the program closes its connections, as with unread data, or was " +
			"started again.",
	}
	listensUDP = Case{
		If:    Listens | UDP,
		Cause: "A program uses this UDP address and port now. The datagrams came before it did.",
		Check: []string{
			"ss -lnup 'sport = :{dport}'",
			"nstat -az UdpNoPorts Udp6NoPorts",
		},
		Fix:      "No action needed if the program was started a moment ago. Otherwise find why it closes its socket at times.",
		Counters: answered("UdpNoPorts", "Udp6NoPorts"),
	}
)

// toNoTunnel is the case of packets of a tunnel that no tunnel here takes: the kernel has a socket for each UDP port of its
// tunnels, which belongs to no program.
var toNoTunnel = Case{
	If: UDP | ToTunnel, Severity: Harm,
	Cause: "The datagram is for a UDP port of tunnels (VXLAN 4789 or 8472, GENEVE 6081), but no tunnel here uses that port. All that is " +
		"inside is lost.",
	Check: []string{
		"ip -d link show type vxlan  # dstport: 8472 is the default of Linux, 4789 that of others",
		"ip -d link show type geneve",
		"ss -lnu 'sport = :{dport}'",
	},
	Fix: "Give the tunnels at both ends the same UDP port (dstport), create the tunnel here, or remove this host at {src}. The port of " +
		"a VXLAN is set when it is made.",
	Counters: answered("UdpNoPorts", "Udp6NoPorts"),
}

// resetOfNone and answerToNone are the cases of segments that no service would accept, whatever listens.
var (
	resetOfNone = Case{
		If: TCP | Reset, Severity: Noise, Short: "resets of closed connections",
		Cause: "No TCP socket accepts this reset: this host closed the connection before it came, or never had it.",
		Check: []string{"ss -ntap 'sport = :{dport}'"},
		Fix:   "No action needed.",
	}
	answerToNone = Case{
		If: TCP | Answer,
		Cause: "No TCP socket accepts this answer to a SYN: the program stopped connecting before it came, or this host sent no SYN. " +
			"The sender gets a reset.",
		Check: []string{
			"ss -ntap 'sport = :{dport}'",
			"nstat -az TcpOutRsts TcpExtTCPTimeouts",
		},
		Fix: "No action needed if it is rare. Otherwise find what delays the answers of {src}, or who sends SYNs with the address {addr}.",
	}
)

// cookieWithoutRoom is the case of the last segment of a handshake with a SYN cookie, of which the
// kernel makes no socket as the accept queue is full: it then says that there is none
// (net/ipv4/syncookies.c cookie_v4_check, net/ipv4/tcp_ipv4.c tcp_v4_syn_recv_sock).
var cookieWithoutRoom = Case{
	If: TCP, Via: []string{"cookie_v4_check", "cookie_v6_check"}, Class: NoBuffer, Severity: Harm, PartOf: []string{"TCP_LISTEN_OVERFLOW"},
	Cause: "The end of a handshake with a SYN cookie found no room: the accept queue of the listening socket is full.",
	Check: []string{
		"ss -lnt 'sport = :{dport}'  # Recv-Q is the queue, Send-Q its limit",
		"nstat -az TcpExtListenOverflows TcpExtSyncookiesRecv",
	},
	Fix:      "Make the server accept faster, or raise its listen backlog.",
	Counters: []string{"TcpExtListenOverflows", "TcpExtListenDrops", "socket.accept_queue"},
	Settings: []string{"net.core.somaxconn", "net.ipv4.tcp_abort_on_overflow"},
}

// noChecksum is the case of datagrams without a checksum over IPv6, which only sockets take that ask for it (RFC 6935;
// net/ipv6/ip6_checksum.c udp6_csum_init). Over IPv4 they are fine, so that only those over IPv6 are dropped.
var noChecksum = Case{
	If: NoChecksum,
	Cause: "The UDP datagram has no checksum (0), which IPv6 does not allow, unless the receiver asks for it. Nothing was damaged: " +
		"tunnels send so on purpose (udp6zerocsumtx).",
	Check: []string{
		"ip -d link show type vxlan  # udp6zerocsumrx; geneve and fou have it, too",
		"nstat -az Udp6InCsumErrors",
		"tcpdump -c 5 -vvni {ifname} udp port {dport}",
	},
	Fix: "Have the tunnel here take them (udp6zerocsumrx), or the sender compute checksums (noudp6zerocsumtx). It is set when a VXLAN is " +
		"made, and for GENEVE when it is external or has a remote address of IPv6.",
}
