package knowledge

// A Proof is a reason for which a function drops, where the kernel does not state that: it
// is the reason if a counter of the network namespace rose by as many as were dropped there,
// and no counter of an earlier Proof rose.
type Proof struct{ Counter, Reason string }

// Proofs returns those of a function, the strongest first; nil if it has none.
func (en *Entry) Proofs() []Proof {
	if en.Kind != Function {
		return nil
	}
	return proofs[en.Name]
}

var (
	udpReceived = []Proof{{"UdpInCsumErrors", "UDP_CSUM"}, {"UdpNoPorts", "NO_SOCKET"}}
	udpQueued   = []Proof{
		{"UdpRcvbufErrors", "SOCKET_RCVBUFF"}, {"UdpMemErrors", "PROTO_MEM"}, {"UdpInCsumErrors", "UDP_CSUM"},
		{"xfrm.XfrmInPolBlock", "XFRM_POLICY"}, {"xfrm.XfrmInTmplMismatch", "XFRM_POLICY"}, {"UdpInErrors", "SOCKET_FILTER"},
	}
	udp6Queued = []Proof{
		{"Udp6RcvbufErrors", "SOCKET_RCVBUFF"}, {"Udp6InCsumErrors", "UDP_CSUM"}, {"xfrm.XfrmInPolBlock", "XFRM_POLICY"},
		{"xfrm.XfrmInTmplMismatch", "XFRM_POLICY"}, {"Udp6InErrors", "SOCKET_FILTER"},
	}
	tcpReceived = []Proof{
		{"TcpInCsumErrors", "TCP_CSUM"}, {"TcpExtTCPMD5NotFound", "TCP_MD5NOTFOUND"}, {"TcpExtTCPMD5Unexpected", "TCP_MD5UNEXPECTED"},
		{"TcpExtListenOverflows", "TCP_LISTEN_OVERFLOW"}, {"TcpOutRsts", "NO_SOCKET"},
	}
	tcpDone = []Proof{
		{"TcpExtListenOverflows", "TCP_LISTEN_OVERFLOW"}, // at the end of a handshake with a cookie
		{"TcpExtTCPAbortOnData", "TCP_ABORT_ON_DATA"},
	}
	noRoute = []Proof{{"IpOutNoRoutes", "IP_OUTNOROUTES"}}
	noProto = []Proof{{"IpInUnknownProtos", "IP_NOPROTO"}}
	queued  = []Proof{{"qdisc.dropped", "QDISC_DROP"}}
)

// proofs are by function.
var proofs = map[string][]Proof{
	"__udp4_lib_rcv": udpReceived, "udp_rcv": udpReceived, "udp_queue_rcv_one_skb": udpQueued,
	"__udp6_lib_rcv":          {{"Udp6InCsumErrors", "UDP_CSUM"}, {"Udp6NoPorts", "NO_SOCKET"}},
	"udpv6_queue_rcv_one_skb": udp6Queued,
	"tcp_v4_rcv":              tcpReceived, "tcp_v6_rcv": tcpReceived,
	"tcp_v4_do_rcv": tcpDone, "tcp_v6_do_rcv": tcpDone,
	"icmp_rcv":           {{"IcmpInCsumErrors", "ICMP_CSUM"}},
	"ip_rcv_finish_core": {{"TcpExtIPReversePathFilter", "IP_RPFILTER"}},
	"ip_error":           {{"IpExtInNoRoutes", "IP_INNOROUTES"}, {"IpInAddrErrors", "IP_INADDRERRORS"}},
	"ip6_rcv_core":       {{"Ip6InHdrErrors", "IP_INHDR"}, {"Ip6InDiscards", "IPV6DISABLED"}},
	"ip_queue_xmit":      noRoute, "__ip_queue_xmit": noRoute,
	"ip_local_deliver_finish": noProto, "ip_protocol_deliver_rcu": noProto,
	"__netif_receive_skb_core": {{"qdisc.dropped", "TC_INGRESS"}},
	"kfree_skb_list":           queued, "kfree_skb_list_reason": queued,
	"__dev_queue_xmit": {{"qdisc.dropped", "TC_EGRESS"}}, // what a full queue drops is freed by kfree_skb_list
}
