package point

import "slices"

// What several points read of a socket.
const (
	port   = "sk->sk_num"
	rmem   = "sk->sk_backlog.rmem_alloc.counter" // sk_rmem_alloc, a macro
	synLen = "((struct inet_connection_sock *)sk)->icsk_accept_queue.qlen.counter"
	cookie = "sk->sk_net.net->ipv4.sysctl_tcp_syncookies"
)

// What TCP lets a socket have in its backlog and its receive queue together. It has changed twice, which no type shows, but a
// refused segment does: the limit is the newest of these that the queues exceed, or else the old one, or else the least.
const (
	backlogQueued = "((long)sk->sk_backlog.len + " + rmem + ")"
	backlogLeast  = "((long)sk->sk_rcvbuf + (sk->sk_sndbuf >> 1) + 65536)"     // from October 2022 on
	backlogOld    = "((long)sk->sk_rcvbuf + sk->sk_sndbuf + 65536)"            // before that
	backlogNew    = "(2 * (long)sk->sk_rcvbuf + (sk->sk_sndbuf >> 1) + 65536)" // since April 2024, Linux 6.10
	isNewBacklog  = "(" + backlogQueued + " > " + backlogNew + ")"
	isOldBacklog  = "(!" + isNewBacklog + " && " + backlogQueued + " > " + backlogOld + ")"
	backlogLimit  = backlogLeast + " + " + isNewBacklog + " * sk->sk_rcvbuf + " +
		isOldBacklog + " * (sk->sk_sndbuf - (sk->sk_sndbuf >> 1))"
)

var (
	synArgs    = args("qlen", synLen, "limit", "sk->sk_max_ack_backlog", "port", port)
	acceptArgs = args("qlen", "sk->sk_ack_backlog", "limit", "sk->sk_max_ack_backlog", "port", port)
	bufferArgs = args("rmem", rmem, "rcvbuf", "sk->sk_rcvbuf", "len", "skb->len", "truesize", "skb->truesize",
		"port", port)
)

// transportPoints are those of TCP, UDP and sockets.
var transportPoints = []Point{
	{
		Name: "tcp_syn_queue", Module: "tcp",
		// It is asked whether to answer with a cookie when inet_csk_reqsk_queue_is_full.
		Form: Form{
			Functions: []string{"tcp_syn_flood_action"}, At: Return, Values: Return, When: "!$retval", Args: synArgs,
		},
		// Where it is inlined, the same test. Releases since January 2025 have > for >=, which no type shows: that a SYN was
		// refused is certain only beyond the limit.
		Or: []Form{{
			Functions: []string{"tcp_conn_request"}, When: "!" + cookie + " && " + synLen + " >= sk->sk_max_ack_backlog",
			Args: append(slices.Clip(synArgs), Arg{Certain, synLen + " > sk->sk_max_ack_backlog"}),
		}},
		Says:     "SYN refused on port {port}: SYN queue {qlen} of {limit}, and net.ipv4.tcp_syncookies is 0",
		Doubt:    "; at the limit it may have been accepted, as kernels since January 2025 do with one more SYN",
		Counters: []string{"TcpExtTCPReqQFullDrop", "TcpExtListenDrops"},
	},
	{
		Name: "tcp_syn_reserve", Module: "tcp",
		// The last quarter is for peers with metrics (tcp_peer_is_proven), which is known later.
		Form: Form{
			Functions: []string{"tcp_conn_request"},
			When: "!" + cookie + " && " + synLen + " < sk->sk_max_ack_backlog && sk->sk_ack_backlog <= sk->sk_max_ack_backlog && " +
				"sk->sk_net.net->ipv4.sysctl_max_syn_backlog - " + synLen + " < sk->sk_net.net->ipv4.sysctl_max_syn_backlog >> 2",
			Args: args("qlen", synLen, "limit", "sk->sk_net.net->ipv4.sysctl_max_syn_backlog", "port", port),
		},
		Says: "SYN on port {port}: SYN queue {qlen}, more than 3/4 of net.ipv4.tcp_max_syn_backlog {limit}, so peers that are not " +
			"known are refused",
		Counters: []string{"TcpExtListenDrops"},
	},
	{
		Name: "tcp_accept_queue", Module: "tcp",
		// sk_acceptq_is_full, unless the SYN queue is the reason already.
		Form: Form{
			Functions: []string{"tcp_conn_request"},
			When:      "sk->sk_ack_backlog > sk->sk_max_ack_backlog && (" + cookie + " || " + synLen + " <= sk->sk_max_ack_backlog)",
			Args:      acceptArgs,
		},
		Says:     "SYN refused on port {port}: accept queue {qlen} of {limit}",
		Counters: []string{"TcpExtListenOverflows", "TcpExtListenDrops"},
	},
	{
		Name: "tcp_accept_queue_ack", Module: "tcp",
		Form: Form{
			Functions: []string{"tcp_v4_syn_recv_sock"}, When: "sk->sk_ack_backlog > sk->sk_max_ack_backlog", Args: acceptArgs,
		},
		Says:     "last ACK of a handshake ignored on port {port}: accept queue {qlen} of {limit}",
		Counters: []string{"TcpExtListenOverflows", "TcpExtListenDrops"},
	},
	{
		Name: "tcp_accept_queue_ack6", Module: "tcp",
		Form: Form{ // it hands packets of IPv4 to tcp_v4_syn_recv_sock
			Functions: []string{"tcp_v6_syn_recv_sock"},
			When:      "ntohs(skb->protocol) == 0x86dd && sk->sk_ack_backlog > sk->sk_max_ack_backlog",
			Args:      acceptArgs,
		},
		Says:     "last ACK of an IPv6 handshake ignored on port {port}: accept queue {qlen} of {limit}",
		Counters: []string{"TcpExtListenOverflows", "TcpExtListenDrops"},
	},
	{
		Name: "tcp_backlog", Module: "tcp",
		// It refuses wrong checksums, too, which the least limit tells apart.
		Form: Form{
			Functions: []string{"tcp_add_backlog"}, At: Return, When: "$retval != 0 && " + backlogQueued + " > " + backlogLeast,
			Args: args("backlog", "sk->sk_backlog.len", "rmem", rmem, "rcvbuf", "sk->sk_rcvbuf", "sndbuf", "sk->sk_sndbuf",
				"headroom", "65536", "queued", backlogQueued, "limit", backlogLimit,
				"len", "skb->len", "port", port, "peer_port", "ntohs(sk->sk_dport)"),
		},
		Says: "socket backlog full on port {port} while its process held the socket: {backlog} bytes in it and {rmem} in the " +
			"receive queue, of {limit}",
		Counters: []string{"TcpExtTCPBacklogDrop"},
		Drops:    []string{"SOCKET_BACKLOG"},
	},
	{
		Name: "tcp_receive_buffer", Module: "tcp",
		Form: Form{ // with what still waits after it has tried to make room; its callers free the segment
			Functions: []string{"tcp_try_rmem_schedule"}, At: Return, Values: Return, When: "$retval < 0", Args: bufferArgs,
		},
		Says:     "no room for a segment of {len} bytes on port {port}: {rmem} bytes are waiting, the receive buffer is {rcvbuf}",
		Counters: []string{"TcpExtTCPRcvQDrop", "TcpExtTCPOFODrop", "TcpExtRcvPruned"},
		Drops:    []string{"PROTO_MEM", "tcp_data_queue"},
	},
	{
		Name: "tcp_out_of_order", Module: "tcp",
		Form: Form{
			Functions: []string{"tcp_prune_ofo_queue"}, At: Return, When: "$retval",
			Args: args("rmem", rmem, "rcvbuf", "sk->sk_rcvbuf", "port", port, "peer_port", "ntohs(sk->sk_dport)"),
		},
		Says: "out-of-order segments on port {port} were dropped to make room: {rmem} bytes are waiting, the receive buffer " +
			"is {rcvbuf}",
		Counters: []string{"TcpExtOfoPruned"},
	},
	{
		Name: "checksum", Module: "ip",
		Form: Form{
			Functions: []string{"__skb_checksum_complete", "__skb_checksum_complete_head"}, At: Return, When: "$retval != 0",
			Args: args("len", "skb->len", "ifindex", "skb->skb_iif", "checked", "skb->ip_summed", "sum", "$retval"),
		},
		Says:     "wrong checksum of a packet of {len} bytes that came in on interface {ifindex}",
		Counters: []string{"TcpInCsumErrors", "UdpInCsumErrors", "Udp6InCsumErrors"},
	},
	{
		Name: "udp_queue", Module: "udp",
		Form: Form{ // with the truesize that did not fit, which it may have lowered before; its caller frees the datagram
			Functions: []string{"__udp_enqueue_schedule_skb"}, At: Return, Values: Return, When: "$retval < 0", Args: bufferArgs,
		},
		Says:     "receive queue full on UDP port {port}: {rmem} bytes are waiting, and {truesize} more exceed rcvbuf {rcvbuf}",
		Counters: []string{"UdpRcvbufErrors", "UdpMemErrors", "Udp6RcvbufErrors", "Udp6MemErrors"},
		Drops:    []string{"SOCKET_RCVBUFF", "PROTO_MEM", "udp_queue_rcv_one_skb"},
	},
	{
		Name: "socket_queue", Module: "socket",
		// Of sockets of ping, CAN, Bluetooth and others; those of UDP, TCP, netlink and captures have queues of their own.
		Form: Form{ // its caller frees the packet
			Functions: []string{"__sock_queue_rcv_skb"}, At: Return, Values: Return, When: "$retval < 0",
			Args: args("rmem", rmem, "rcvbuf", "sk->sk_rcvbuf", "len", "skb->len", "family", "sk->sk_family",
				"protocol", "sk->sk_protocol"),
		},
		Says:  "receive queue full of a socket of family {family}: {rmem} bytes are waiting, the receive buffer is {rcvbuf}",
		Drops: []string{"SOCKET_RCVBUFF"},
	},
}
