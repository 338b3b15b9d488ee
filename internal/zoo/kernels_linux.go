package zoo

import (
	"slices"

	"dropwatch/internal/vmtest/guest"
)

// functions are the IDs of findings on kernels without reasons (before 5.17), by scenario.
// One that is not here has the same ID on all, unless netfilter drops: see functionsOf.
var functions = map[string][]string{
	"UDP to a closed port":                                             id("__udp4_lib_rcv"),
	"UDP to a closed port, IPv6":                                       id("__udp6_lib_rcv"),
	"UDP to a socket that is connected to another peer":                id("__udp4_lib_rcv"),
	"filter of a UDP socket":                                           id("udp_queue_rcv_one_skb"),
	"UDP receive buffer full, its reader is asleep":                    id("udp_queue_rcv_one_skb"),
	"UDP receive buffer full, a dead member of a reuseport group":      id("udp_queue_rcv_one_skb"),
	"UDP with a wrong checksum":                                        id("__udp4_lib_rcv"),
	"ICMP with a wrong checksum":                                       id("icmp_rcv"),
	"TCP SYN to a closed port":                                         id("tcp_v4_rcv"),
	"TCP SYN to a service that listens on the loopback only":           id("tcp_v4_rcv"),
	"TCP reset of no connection":                                       id("tcp_v4_rcv"),
	"TCP data after the program closed its socket":                     id("tcp_v4_do_rcv"),
	"TCP answer to a SYN that nobody sent":                             id("tcp_v4_rcv"),
	"TCP with a wrong checksum":                                        id("tcp_v4_rcv"),
	"TCP MD5 signature missing":                                        id("tcp_v4_rcv"),
	"TCP MD5 signature unexpected":                                     id("tcp_v4_rcv"),
	"XFRM policy that blocks what arrives":                             id("udp_queue_rcv_one_skb"),
	"XFRM policy that asks for IPsec, and clear text":                  id("udp_queue_rcv_one_skb"),
	"VXLAN with a wrong outer checksum":                                id("__udp4_lib_rcv"),
	"neighbour table full":                                             id("ip_finish_output2"),
	"segment out of conntrack's window, answered by our own RST":       id("tcp_v4_rcv"),
	"XDP program, generic":                                             id("netif_receive_generic_xdp"),
	"XDP program, in the driver":                                       id("veth_poll"),
	"BPF program at the control group of the sender":                   id("ip_finish_output"),
	"BPF program at the control group of the receiver":                 id("udp_queue_rcv_one_skb"),
	"tc filter at egress":                                              id("__dev_queue_xmit"),
	"tc filter at ingress":                                             id("__netif_receive_skb_core"),
	"rp_filter":                                                        id("ip_rcv_finish_core"),
	"no route in":                                                      id("ip_error"),
	"rule of policy routing that is unreachable":                       id("ip_error"),
	"no route out":                                                     id("__ip_queue_xmit"),
	"not forwarding":                                                   id("ip_error"),
	"TTL expired":                                                      id("ip_forward"),
	"too big, and a rule drops the ICMP error":                         id("ip_forward"),
	"IPv6 extension header with an unknown option":                     id("ip6_parse_tlv"),
	"too big, and DF is set":                                           id("ip_forward"),
	"IP protocol that nobody handles":                                  id("ip_local_deliver_finish"),
	"IPv6 disabled":                                                    id("ip6_rcv_core"),
	"neighbour that does not answer":                                   id("neigh_invalidate"),
	"neighbour queue full, until it is known that nobody answers":      id("neigh_invalidate"),
	"TCP accept queue full, at the end of handshakes with cookies":     id("tcp_v4_do_rcv"),
	"neighbour queue full":                                             id("__neigh_event_send"),
	"ethertype that nobody takes (LLDP)":                               id("__netif_receive_skb_core"),
	"VLAN tag without an interface":                                    id("ip_rcv_core"),
	"another host's frames":                                            id("ip_rcv_core"),
	"frames with a packet for this host and the MAC address of nobody": id("ip_rcv_core"),
	"tbf limit":                 id("kfree_skb_list"),
	"pfifo limit below tbf":     id("kfree_skb_list"),
	"fq_codel limit below tbf":  id("kfree_skb_list"),
	"class of htb, its rate":    id("kfree_skb_list"),
	"fq, the limit of one flow": id("kfree_skb_list"),
	"netem loss":                id("kfree_skb_list"),
	"netem limit":               id("kfree_skb_list"),
	"tc police action":          id("__netif_receive_skb_core"),
	"inactive member of a bond": id("__netif_receive_skb_core"),
	"backlog of a CPU full":     id("enqueue_to_backlog"),
	"joined packets (GRO) that are too big to forward": id("ip_forward"),
}

// functionsOf returns the functions by which a finding is named where the kernel gives no reasons (before Linux 5.17).
func functionsOf(s *Scenario) []string {
	if slices.Contains(s.Want.IDs, "NETFILTER_DROP") {
		return id("nf_hook_slow")
	}
	return functions[s.Name]
}

// A change is what is wanted of a scenario on kernels before a version, which tell less.
type change struct {
	major, minor int
	scenario     string
	change       func(*Want)
}

// changes are in no order: all that are for the running kernel apply.
var changes = []change{
	{6, 15, "TCP accept queue full at the end of a handshake", func(w *Want) { w.IDs = id("tcp_v4_rcv") }},
	{6, 9, "TCP accept queue full, at the end of handshakes with cookies", func(w *Want) { w.IDs = id("tcp_v4_do_rcv") }},
	{6, 9, "TCP data after the program closed its socket", func(w *Want) { w.IDs = id("tcp_v4_do_rcv") }},
	{6, 2, "fragment timeout", func(w *Want) { w.IDs = id("ip_expire") }},
	{6, 2, "VXLAN with an unknown VNI", func(w *Want) { w.IDs = id("vxlan_rcv") }},
	{6, 12, "VXLAN frame from this host's own MAC address", func(w *Want) { w.IDs, w.Fix = id("vxlan_rcv"), "loop" }},

	// When these are dropped, the packet has neither its device nor its route.
	{6, 2, "TCP zero window", func(w *Want) { *w = Want{Nowhere: w.IDs, Elsewhere: id("TcpExtTCPZeroWindowDrop")} }},
	{6, 2, "TCP data that had arrived", func(w *Want) { *w = Want{Nowhere: w.IDs} }},
	{6, 2, "TCP socket backlog full", func(w *Want) { *w = Want{Nowhere: w.IDs} }},
	{6, 2, "TCP memory of the host exhausted", func(w *Want) { *w = Want{Nowhere: w.IDs} }},

	// These are freed without an event (tcp_drop), so that a counter tells of them, if there is one.
	{5, 17, "TCP zero window", func(w *Want) {
		*w = Want{IDs: id("TcpExtTCPZeroWindowDrop"), Class: "no_buffer", Severity: "harm", Cause: "window"}
	}},
	{5, 17, "TCP timestamp too old (PAWS)", func(w *Want) { w.IDs, w.IfName, w.Fix = id("TcpExtPAWSEstab"), "", "" }},
	{5, 17, "TCP data that had arrived", func(w *Want) { *w = Want{} }},
	{5, 17, "TCP far out of window", func(w *Want) { *w = Want{} }},
	{5, 17, "TCP socket backlog full", func(w *Want) {
		*w = Want{IDs: id("TcpExtTCPBacklogDrop"), Class: "no_buffer", Severity: "harm", Fix: "stalled program"}
	}},
	{5, 17, "joined packets (GRO) that are too big to forward", func(w *Want) { w.Fix = "tracepath" }},
	{5, 15, "BPF program at the control group of the sender", func(w *Want) { w.Rule, w.Confidence = "", "" }}, // its group is not known
	// The receiver is that of the counter that rose, and its group only known to be that of its process, which is another here.
	{6, 11, "BPF program at the control group of the receiver", func(w *Want) {
		w.Severity, w.Rule, w.Confidence, w.Fix = "noise", "", "", ""
	}},
	{6, 11, "filter of a UDP socket", func(w *Want) { w.Severity, w.Cause, w.Fix = "noise", "", "No action needed" }},
	{6, 13, "bridge that gets its own frames back", func(w *Want) { w.Severity, w.Fix = "maybe", "remove the loop" }},
	{5, 17, "TCP out-of-order queue pruned", func(w *Want) { w.IDs, w.IfName, w.Process = id("TcpExtOfoPruned"), "", "" }},
	{5, 17, "TCP memory of the host exhausted", func(w *Want) {
		*w = Want{IDs: id("TcpExtTCPOFODrop"), Class: "no_buffer", Severity: "harm", Setting: "net.ipv4.tcp_mem", Fix: "tcp_mem"}
	}},
}

// wanted returns the scenarios with what is wanted on this kernel.
func wanted() []Scenario {
	all := slices.Clone(Scenarios)
	for i := range all {
		s := &all[i]
		if ids := functionsOf(s); ids != nil && !guest.AtLeast(5, 17) {
			s.Want.IDs = ids
		}
		for _, c := range changes {
			if c.scenario == s.Name && !guest.AtLeast(c.major, c.minor) {
				c.change(&s.Want)
			}
		}
	}
	return all
}
