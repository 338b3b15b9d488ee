package knowledge

import (
	"net/netip"
	"slices"

	"dropwatch/internal/event"
)

// Evidence is a set of facts about a dropped packet that distinguish causes.
type Evidence uint64

const (
	UDP          Evidence = 1 << iota
	TCP                   // segments
	IPv4                  // by the ethertype
	IPv6                  // by the ethertype
	EtherType             // the ethertype is known, and neither IP nor ARP
	Multicast             // the destination is an IP multicast address
	Broadcast             // the destination is a broadcast address
	Tagged                // the frame has a VLAN tag
	Addressed             // the frame has a destination MAC address of one host
	Expired               // the TTL or hop limit is 0 or 1
	Blackhole             // the route is of that type, by the source
	Prohibit              // the same
	Unreachable           // the same, or this host does not forward
	ToDevice              // the frame is for its interface's own MAC address, and yet not for this host
	NotToDevice           // it is for another MAC address, for certain
	TooBig                // it exceeds an MTU, by the source
	TooBigError           // it is the ICMP error by which a sender learns of an MTU
	ToRouters             // the destination is a multicast group of routers
	Midstream             // the segment is of a connection that was open: not its first, and no reset
	Reset                 // the segment is a reset
	Answer                // it is the answer to a SYN: SYN and ACK
	NoCarrier             // the interface cannot send; no drop carries it, see [Explanation.With]
	Untracked             // connection tracking found the packet INVALID; no drop carries it, as NoCarrier
	ByRule                // a rule of policy routing refuses the packet; no drop carries it, as NoCarrier
	ErrorLost             // the ICMP error that answers the packet was dropped; no drop carries it, as NoCarrier
	FlowLimit             // fq dropped all for the limit of their flow; no drop carries it, as NoCarrier
	Emulated              // netem dropped all to emulate loss; no drop carries it, as NoCarrier
	Duplicate             // this host does not use the destination, as another has it, too; no drop carries it
	Elsewhere             // a socket accepts packets to this port, but not to this address; the same
	OnLoopback            // the same as Elsewhere, and all such sockets have a loopback address
	Listens               // a socket accepts packets to this address and port now; the same
	Invalid               // a rule dropped the packet because connection tracking found it INVALID; the same
	NoEntry               // the same, and connection tracking has no entry for its flow
	Stray                 // the same, and the packet is a segment of TCP that never opens one; no drop carries it
	ToTunnel              // it is of UDP, for a port of VXLAN or GENEVE
	Discovery             // it is a message of IPv6 that asks for a neighbour's MAC address, or answers
	OnDevice              // as Elsewhere, but sockets for this port and address take packets of another interface only; the same
	OnlyIPv6              // as Elsewhere, but sockets for this port would accept packets of IPv6; the same
	AtCgroup              // a BPF program at the owner's control group drops packets, or may; no drop carries it
	OwnFilter             // no such program is there, and the receiver is a socket of TCP or UDP; the same
	Capture               // the receiver is a socket that is not of IP; the same
	OtherSources          // the group of the packet is joined on its interface, for other sources; no drop carries it, as NoCarrier
	BothIsolated          // the ports of a bridge where the frame came in and has to leave are isolated; the same
	PortBlocked           // the port of a bridge by which the frame has to leave does not forward; the same
	SamePort              // the port of a bridge where the frame came in is that by which it has to leave; the same
	PeerMTU               // the frame exceeds the MTU of the other end of a veth; the same
	PeerDown              // the other end of a veth is down; the same
	NotJoined             // the group of the packet is not joined on its interface; the same
	NoChecksum            // a datagram of UDP that has none, as its header says
	ToItself              // the packet has the same source and destination address
	NoReader              // no program reads the NFQUEUE that the packet was passed to; no drop carries it
	QueueFull             // that queue had no room; the same
	BufferFull            // the socket of the program that reads it had none; the same
	OtherPeer             // as Elsewhere, but a socket for this port and address is connected to another peer; the same
	EchoIgnored           // the host is set to answer no ping; no drop carries it
	Misaddressed          // the packet is for an address of its interface, the frame for another MAC address; no drop carries it
	FromLoopback          // the source is an address of the loopback (127.0.0.0/8, ::1)
	LinkLocal             // the source is an address of one link (fe80::/10, 169.254.0.0/16)
	Overlap               // the fragment contradicts others of its packet; no drop carries it
	NoRoom                // the memory for fragments is full; the same
	IPOptions             // the header of IPv4 has options
	SourceRoute           // one of them is a source route
	NoOptions             // the header of IPv4 has no options
	SendBuffer            // no queueing discipline dropped packets meanwhile; no drop carries it
)

// evidenceOf returns what a drop carries. Evidence that is not known is not there:
// it never excludes a general cause.
func evidenceOf(e *event.Event) (found Evidence) {
	p := &e.Packet
	if p.HasProto {
		found.add(IPv4, p.Proto == event.EtherIPv4)
		found.add(IPv6, p.Proto == event.EtherIPv6)
		found.add(EtherType, event.NetworkLayer(p.Proto) == event.NoLayer)
	}
	for i := range e.Args {
		switch a := &e.Args[i]; a.Name {
		case "route":
			found |= routeTypes[a.Text]
		case "mtu":
			found |= TooBig
		}
	}
	if p.Type == event.PacketOtherHost { // known: by a source that knows the trait
		own := p.Traits.Has(event.ToDevice)
		found.add(ToDevice, own)
		found.add(NotToDevice, !own)
	}
	if p.Flow != nil {
		found |= evidenceOfFlow(p.Flow)
	}
	return found
}

// evidenceOfFlow returns what the headers of a packet tell.
func evidenceOfFlow(f *event.Flow) (found Evidence) {
	found.add(UDP, f.Transport == event.UDP)
	found.add(TCP, f.Transport == event.TCP)
	if f.Has(event.FieldTCPFlags) {
		kind := f.TCPFlags & (event.SYN | event.RST | event.ACK)
		found.add(Midstream, kind == event.ACK)
		found.add(Reset, kind&event.RST != 0)
		found.add(Answer, kind == event.SYN|event.ACK)
	}
	found.add(IPOptions, f.Has(event.FieldIPOptions))
	found.add(NoOptions, f.Network == event.IPv4 && f.Has(event.FieldSrc) && !f.Has(event.FieldIPOptions))
	found.add(SourceRoute, f.Has(event.FieldIPOptions) && f.SourceRoute)
	found.add(FromLoopback, f.Has(event.FieldSrc) && f.Src.IsLoopback())
	found.add(LinkLocal, f.Has(event.FieldSrc) && f.Src.IsLinkLocalUnicast())
	found.add(Multicast, f.Has(event.FieldDst) && f.Dst.IsMulticast())
	found.add(NoChecksum, f.Transport == event.UDP && f.NoChecksum)
	found.add(ToItself, f.Has(event.FieldSrc|event.FieldDst) && f.Src == f.Dst)
	found.add(ToRouters, f.Has(event.FieldDst) && slices.Contains(routers, f.Dst))
	found.add(Broadcast, f.Has(event.FieldEthDst) && f.EthDst == broadcastMAC || f.Has(event.FieldDst) && f.Dst == broadcastIP)
	found.add(Tagged, f.Has(event.FieldVLAN))
	found.add(Addressed, f.Has(event.FieldEthDst) && f.EthDst[0]&1 == 0 && f.EthDst != event.MAC{})
	found.add(Expired, f.Has(event.FieldTTL) && f.TTL <= 1)
	found.add(TooBigError, isTooBigError(&f.Headers))
	found.add(Discovery, isDiscovery(&f.Headers))
	found.add(ToTunnel, f.Transport == event.UDP && f.Has(event.FieldDstPort) && slices.Contains(tunnelPorts, f.DstPort))
	return found
}

// add adds evidence that holds.
func (e *Evidence) add(more Evidence, holds bool) {
	if holds {
		*e |= more
	}
}

// isTooBigError reports whether a packet is ICMP "fragmentation needed" (RFC 792, 1191) or
// ICMPv6 "packet too big" (RFC 4443).
func isTooBigError(h *event.Headers) bool {
	const unreachable, fragmentationNeeded, packetTooBig = 3, 4, 2
	switch {
	case !h.Has(event.FieldICMPType | event.FieldICMPCode):
		return false
	case h.Transport == event.ICMPv6:
		return h.ICMPType == packetTooBig
	}
	return h.ICMPType == unreachable && h.ICMPCode == fragmentationNeeded
}

// isDiscovery reports whether a packet is a neighbour solicitation or advertisement (RFC 4861).
func isDiscovery(h *event.Headers) bool {
	const solicitation, advertisement = 135, 136
	return h.Has(event.FieldICMPType) && h.Transport == event.ICMPv6 && (h.ICMPType == solicitation || h.ICMPType == advertisement)
}

// tunnelPorts are the UDP ports of VXLAN (IANA, and Linux without dstport) and of GENEVE.
var tunnelPorts = []uint16{4789, 8472, 6081}

// routeTypes are the values of the argument route, which source bpf reads.
var routeTypes = map[string]Evidence{"blackhole": Blackhole, "prohibit": Prohibit, "unreachable": Unreachable}

// routers are the multicast groups that every router joins and no other host (RFC 4291,
// 3810, 1112, 3376): they get router solicitations, and reports of who joined which group.
var routers = []netip.Addr{
	netip.MustParseAddr("ff02::2"), netip.MustParseAddr("ff02::16"), netip.MustParseAddr("224.0.0.2"), netip.MustParseAddr("224.0.0.22"),
}

var (
	broadcastMAC = event.MAC{0xff, 0xff, 0xff, 0xff, 0xff, 0xff} // of all on the link
	broadcastIP  = netip.AddrFrom4([4]byte{255, 255, 255, 255})  // of all on the link; that of a subnet is another
)

// via reports whether, of the functions that the cases of an Entry name, the one
// nearest to the drop in its stack is of this case: one hook may lead to another, and
// the last is where the packet was dropped. Without a stack there is only the location.
func (c *Case) via(e *event.Event, en *Entry) bool {
	if len(e.Stack) == 0 {
		return slices.Contains(c.Via, event.FunctionOf(e.Where.Symbol))
	}
	for i := range e.Stack {
		caller := event.FunctionOf(e.Stack[i].Symbol)
		if slices.Contains(c.Via, caller) {
			return true
		}
		if slices.ContainsFunc(en.Cases, func(other Case) bool { return slices.Contains(other.Via, caller) }) {
			return false
		}
	}
	return false
}

// hooks are the functions that pass packets to a hook of netfilter (callers of
// NF_HOOK), with the hook's name as nft and iptables have it.
var hooks = map[string]string{
	"ip_rcv": "PREROUTING", "ip_sublist_rcv": "PREROUTING", "ipv6_rcv": "PREROUTING", "ip6_sublist_rcv": "PREROUTING",
	"ip_local_deliver": "INPUT", "ip6_input": "INPUT",
	"ip_forward": "FORWARD", "ip6_forward": "FORWARD",
	"__ip_local_out": "OUTPUT", "__ip6_local_out": "OUTPUT", "ip_local_out": "OUTPUT", "ip6_local_out": "OUTPUT",
	"ip6_xmit": "OUTPUT", "raw_send_hdrinc": "OUTPUT", "rawv6_send_hdrinc": "OUTPUT", "raw_sendmsg": "OUTPUT", "rawv6_sendmsg": "OUTPUT",
	"ip_output": "POSTROUTING", "ip6_output": "POSTROUTING", "ip_mc_output": "POSTROUTING",
	"br_nf_pre_routing": "bridge PREROUTING", "br_nf_pre_routing_ipv6": "bridge PREROUTING",
	"br_nf_forward_ip": "bridge FORWARD", "br_nf_forward": "bridge FORWARD", "br_nf_forward_ipv6": "bridge FORWARD",
	"br_nf_post_routing": "bridge POSTROUTING",
	"br_handle_frame":    "bridge prerouting", "br_pass_frame_up": "bridge input",
	"__br_forward": "bridge forward", "br_forward_finish": "bridge postrouting",
	"arp_rcv": "arp input", "arp_xmit": "arp output",
	"__netif_receive_skb_core": "ingress", "__dev_queue_xmit": "egress",
}

// Hook returns the netfilter hook that dropped a packet, as its stack shows it:
// "FORWARD", "bridge FORWARD" if br_netfilter passed a bridged packet there. It
// returns nothing if the stack is not known or shows none.
func Hook(e *event.Event) string {
	for i := range e.Stack {
		if hook := hooks[event.FunctionOf(e.Stack[i].Symbol)]; hook != "" {
			return hook
		}
	}
	return ""
}
