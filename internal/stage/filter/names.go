package filter

import (
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// origins are the words of [event.Origin], first the one that is printed.
var origins = []named{
	{"sw", uint64(event.Software)}, {"hw", uint64(event.Hardware)}, {"unknown", uint64(event.Unknown)},
	{"software", uint64(event.Software)}, {"hardware", uint64(event.Hardware)},
}

// eventKinds are what an event may be that a filter sees.
var eventKinds = []named{
	{"drop", uint64(event.Drop)}, {"retransmit", uint64(event.Retransmit)}, {"reset", uint64(event.Reset)},
	{"tcp", uint64(event.TCPEvent)}, {"point", uint64(event.Point)},
}

// tcpTypes are the names of the types of TCP segments.
var tcpTypes = func() (all []named) {
	for t := event.Retransmission; t <= event.PortReuse; t++ {
		all = append(all, named{t.String(), uint64(t)})
	}
	return all
}()

// tcpFates are what may have become of a segment that TCP sends again.
var tcpFates = []named{
	{event.LostHere.String(), uint64(event.LostHere)}, {event.NotLostHere.String(), uint64(event.NotLostHere)},
	{event.FateUnknown.String(), uint64(event.FateUnknown)},
}

// stackLayers are the layers of package knowledge, from the wire up.
var stackLayers = []named{
	{"hardware", uint64(knowledge.Hardware)}, {"link", uint64(knowledge.Link)},
	{"network", uint64(knowledge.Network)}, {"transport", uint64(knowledge.Transport)},
}

// stops are the values of decoded: whether the headers were decoded, or why not all.
var stops = []named{
	{"complete", uint64(event.Complete)}, {"truncated", uint64(event.Truncated)},
	{"unknown", uint64(event.UnknownProtocol)}, {"malformed", uint64(event.Malformed)},
}

// tunnels are the kinds of tunnels that are decoded.
var tunnels = []named{
	{"gre", uint64(event.GRE)}, {"vxlan", uint64(event.VXLAN)}, {"geneve", uint64(event.Geneve)}, {"ipip", uint64(event.IPinIP)},
}

// socketStates are those of include/net/tcp_states.h, also as ss(8) takes them.
var socketStates = []named{
	{"established", 1}, {"syn-sent", 2}, {"syn-recv", 3}, {"fin-wait-1", 4}, {"fin-wait-2", 5}, {"time-wait", 6}, {"close", 7},
	{"close-wait", 8}, {"last-ack", 9}, {"listen", 10}, {"closing", 11}, {"new-syn-recv", 12}, {"bound", 13},
	{"listening", 10}, {"closed", 7},
}

// ethertypes are those of linux/if_ether.h.
var ethertypes = []named{
	{"ipv4", 0x0800}, {"ipv6", 0x86dd}, {"arp", 0x0806}, {"ip", 0x0800}, {"ip6", 0x86dd}, {"rarp", 0x8035},
	{"vlan", 0x8100}, {"qinq", 0x88a8}, {"mpls", 0x8847}, {"pppoe", 0x8864}, {"lldp", 0x88cc}, {"lacp", 0x8809},
	{"eapol", 0x888e}, {"macsec", 0x88e5}, {"ptp", 0x88f7}, {"batman", 0x4305},
}

// arpOps are those of linux/if_arp.h.
var arpOps = []named{{"request", 1}, {"reply", 2}}

// ipProtos are those of linux/in.h and linux/in6.h.
var ipProtos = []named{
	{"tcp", 6}, {"udp", 17}, {"icmp", 1}, {"icmpv6", 58}, {"icmp6", 58}, {"igmp", 2}, {"ipip", 4}, {"ipv6", 41},
	{"gre", 47}, {"esp", 50}, {"ah", 51}, {"ospf", 89}, {"pim", 103}, {"vrrp", 112}, {"l2tp", 115}, {"sctp", 132}, {"udplite", 136},
}

// dscps are those of RFC 2474, 2597, 3246, 5865 and 8622.
var dscps = []named{
	{"ef", 46}, {"cs0", 0}, {"cs1", 8}, {"cs2", 16}, {"cs3", 24}, {"cs4", 32}, {"cs5", 40}, {"cs6", 48}, {"cs7", 56},
	{"af11", 10}, {"af12", 12}, {"af13", 14}, {"af21", 18}, {"af22", 20}, {"af23", 22}, {"af31", 26}, {"af32", 28}, {"af33", 30},
	{"af41", 34}, {"af42", 36}, {"af43", 38}, {"va", 44}, {"le", 1},
}

// ecns are those of RFC 3168.
var ecns = []named{{"not-ect", 0}, {"ect1", 1}, {"ect0", 2}, {"ce", 3}}

// tcpFlags are the flags of RFC 9293 and RFC 3168.
var tcpFlags = []named{
	{"fin", uint64(event.FIN)}, {"syn", uint64(event.SYN)}, {"rst", uint64(event.RST)}, {"psh", uint64(event.PSH)},
	{"ack", uint64(event.ACK)}, {"urg", uint64(event.URG)}, {"ece", uint64(event.ECE)}, {"cwr", uint64(event.CWR)},
	{"push", uint64(event.PSH)},
}

// sctpChunks are those of RFC 9260.
var sctpChunks = []named{
	{"data", 0}, {"init", 1}, {"init-ack", 2}, {"sack", 3}, {"heartbeat", 4}, {"heartbeat-ack", 5}, {"abort", 6},
	{"shutdown", 7}, {"shutdown-ack", 8}, {"error", 9}, {"cookie-echo", 10}, {"cookie-ack", 11}, {"shutdown-complete", 14},
}

// icmpTypes are those of linux/icmp.h, also as pcap-filter(7) names them.
var icmpTypes = []named{
	{"echo-request", 8}, {"echo-reply", 0}, {"unreachable", 3}, {"source-quench", 4}, {"redirect", 5},
	{"router-advertisement", 9}, {"router-solicitation", 10}, {"time-exceeded", 11}, {"parameter-problem", 12},
	{"timestamp", 13}, {"timestamp-reply", 14},
	{"icmp-echo", 8}, {"icmp-echoreply", 0}, {"icmp-unreach", 3}, {"icmp-sourcequench", 4}, {"icmp-redirect", 5},
	{"icmp-routeradvert", 9}, {"icmp-routersolicit", 10}, {"icmp-timxceed", 11}, {"icmp-paramprob", 12},
	{"icmp-tstamp", 13}, {"icmp-tstampreply", 14},
}

// icmpv6Types are those of linux/icmpv6.h, also as pcap-filter(7) names them.
var icmpv6Types = []named{
	{"echo-request", 128}, {"echo-reply", 129}, {"unreachable", 1}, {"too-big", 2}, {"time-exceeded", 3}, {"parameter-problem", 4},
	{"listener-query", 130}, {"listener-report", 131}, {"listener-done", 132},
	{"router-solicitation", 133}, {"router-advertisement", 134},
	{"neighbor-solicitation", 135}, {"neighbor-advertisement", 136}, {"redirect", 137}, {"listener-report-v2", 143},
	{"icmp6-echo", 128}, {"icmp6-echoreply", 129}, {"icmp6-destinationrunreach", 1}, {"icmp6-packettoobig", 2},
	{"icmp6-timeexceeded", 3}, {"icmp6-parameterproblem", 4}, {"icmp6-routersolicit", 133}, {"icmp6-routeradvert", 134},
	{"icmp6-neighborsolicit", 135}, {"icmp6-neighboradvert", 136}, {"icmp6-redirect", 137},
}
