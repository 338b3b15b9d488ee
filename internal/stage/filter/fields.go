package filter

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
	"strings"

	"dropwatch/internal/event"
)

// A field is what an expression can compare.
type field struct {
	name     string
	aliases  []string
	help     string
	given    Given  // any of these gives it; 0: every source does
	headers  bool   // the packet in a tunnel, and one that is quoted, have it too
	kernel   string // its name in the trace event skb:kfree_skb, which may tell
	byNumber string // the field that a number is compared with
	kind     kind
}

// The fields of headers, which several names share.
var (
	srcAddr = header(event.FieldSrc, func(h *event.Headers) netip.Addr { return h.Src })
	dstAddr = header(event.FieldDst, func(h *event.Headers) netip.Addr { return h.Dst })
	anyAddr = either(srcAddr, dstAddr)
	srcPort = number(event.FieldSrcPort, func(h *event.Headers) uint16 { return h.SrcPort })
	dstPort = number(event.FieldDstPort, func(h *event.Headers) uint16 { return h.DstPort })
	anyPort = either(srcPort, dstPort)
	ttl     = number(event.FieldTTL, func(h *event.Headers) uint8 { return h.TTL })
	dscp    = number(event.FieldTOS, func(h *event.Headers) uint8 { return h.DSCP })
	ecn     = number(event.FieldTOS, func(h *event.Headers) uint8 { return h.ECN })
	proto   = number(event.FieldProtocol, func(h *event.Headers) uint8 { return h.Protocol })
	ipLen   = number(event.FieldTotalLen, func(h *event.Headers) uint32 { return h.TotalLen })
	fragID  = number(event.FieldFragmentID, func(h *event.Headers) uint32 { return h.FragmentID })
	fragAt  = number(event.FieldFragment, func(h *event.Headers) uint16 { return h.FragmentOffset })

	icmpType = number(event.FieldICMPType, func(h *event.Headers) uint8 { return h.ICMPType })
	icmpCode = number(event.FieldICMPCode, func(h *event.Headers) uint8 { return h.ICMPCode })
	icmpID   = number(event.FieldICMPID, func(h *event.Headers) uint16 { return h.ICMPID })
	icmpSeq  = number(event.FieldICMPSeq, func(h *event.Headers) uint16 { return h.ICMPSeq })
	icmpMTU  = number(event.FieldMTU, func(h *event.Headers) uint32 { return h.MTU })

	ethDst = header(event.FieldEthDst, func(h *event.Headers) event.MAC { return h.EthDst })
	ethSrc = header(event.FieldEthSrc, func(h *event.Headers) event.MAC { return h.EthSrc })

	vlanID      = number(event.FieldVLAN, func(h *event.Headers) uint16 { return h.VLAN[0].ID })
	vlanInnerID = number(event.FieldVLANInner, func(h *event.Headers) uint16 { return h.VLAN[1].ID })
)

func upTo16(get values[uint64]) kind { return integer{get: get, max: math.MaxUint16} }
func upTo32(get values[uint64]) kind { return integer{get: get, max: math.MaxUint32} }
func ports(get values[uint64]) kind  { return integer{get: get, max: math.MaxUint16, port: true} }

func upTo8(get values[uint64], known ...named) kind {
	return integer{get: get, max: math.MaxUint8, known: known}
}

// layer is whether a packet has a header of that layer.
func layer(l event.Layer) kind {
	return yesNo{is: func(_ *event.Event, h *event.Headers) bool { return h.Transport == l }}
}

// tunneled is whether a packet is in such a tunnel.
func tunneled(l event.Layer) kind {
	return yesNo{is: func(e *event.Event, _ *event.Headers) bool {
		return e.Packet.Flow != nil && e.Packet.Flow.Tunnel.Kind == l
	}}
}

// flag is a field of headers that is yes or no.
func flag(f event.Fields, get func(*event.Headers) bool) kind {
	return yesNo{is: func(_ *event.Event, h *event.Headers) bool { return h.Has(f) && get(h) }}
}

// attribute is one of the drop, that is yes or no.
func attribute(get func(*event.Event) bool) kind {
	return yesNo{is: func(e *event.Event, _ *event.Headers) bool { return get(e) }}
}

// fields are those of the drop, and then those of its packet, from the link to
// the transport.
var fields = slices.Concat(dropFields, packetFields(), protocolFields())

var dropFields = []field{
	{name: "reason", help: "why the kernel says that it dropped it, in any case", given: Reason, kernel: "reason",
		kind: label{get: text(func(e *event.Event) string { return e.Reason }), what: "a name such as NO_SOCKET", normal: reasonName}},
	{name: "point", help: "where: function, function+0x1a2, or hardware trap",
		kind: point{}},
	{name: "symbol", aliases: []string{"function"}, help: "the function that dropped it",
		kind: label{what: "a function such as icmp_rcv", get: text(func(e *event.Event) string { symbol, _, _, _ := e.Where.Name(); return symbol })}},
	{name: "offset", help: "bytes into that function",
		kind: integer{max: math.MaxUint64, hex: true, get: one(func(e *event.Event) (uint64, bool) { _, offset, _, ok := e.Where.Name(); return offset, ok })}},
	{name: "module", help: "the module of that function; the kernel proper has none",
		kind: label{what: "a module such as openvswitch", get: text(func(e *event.Event) string { _, _, module, _ := e.Where.Name(); return module })}},
	{name: "pc", help: "its address",
		kind: integer{max: math.MaxUint64, hex: true, get: one(func(e *event.Event) (uint64, bool) { return e.Where.PC, e.Where.HasPC })}},
	{name: "stack", help: "any function that led to the drop (--stack)", given: Stack,
		kind: label{get: frames, what: "a function such as nf_hook_slow", several: true}},
	{name: "trap", help: "the devlink trap of a hardware drop", given: Trap,
		kind: label{what: "a trap such as blackhole_route", get: text(func(e *event.Event) string { return e.Where.Trap })}},
	{name: "group", help: "the group of that trap", given: Trap,
		kind: label{what: "a group such as l3_drops", get: text(func(e *event.Event) string { return e.Where.TrapGroup })}},
	{name: "origin", help: "who dropped it: the kernel or a device",
		kind: integer{get: one(func(e *event.Event) (uint64, bool) { return uint64(e.Origin), e.Origin < event.Unstated }), known: origins, only: true}},
	{name: "proto", aliases: []string{"protocol", "eth.proto"}, help: "ethertype: the kernel's, or else that of the headers", given: Protocol | Packet, kernel: "protocol",
		kind: integer{get: one(ethertype), max: math.MaxUint16, known: ethertypes, hex: true}},
	{name: "len", aliases: []string{"length"}, help: "bytes of the packet, as far as known", given: Length | Packet,
		kind: upTo32(one(length))},
	{name: "iface", aliases: []string{"ifname", "interface"}, help: "interface that it came in by, or its index", given: Interface, byNumber: "ifindex",
		kind: label{what: "an interface such as eth0", get: text(func(e *event.Event) string { return e.Port.IfName })}},
	{name: "ifindex", help: "its index", given: Interface,
		kind: upTo32(one(func(e *event.Event) (uint64, bool) { return uint64(e.Port.IfIndex), e.Port.IfIndex != 0 }))},
	{name: "cookie", help: "of the tc or Open vSwitch action that dropped it", given: Cookie,
		kind: raw{one(func(e *event.Event) ([]byte, bool) { return e.Cookie, len(e.Cookie) > 0 })}},
	{name: "comm", help: "thread that the CPU ran, not the packet's owner", given: Running,
		kind: label{what: "a name such as sshd", get: text(func(e *event.Event) string { return e.Task.Comm })}},
	{name: "pid", help: "its process; 0 if the CPU was idle", given: Running,
		kind: upTo32(one(func(e *event.Event) (uint64, bool) { return uint64(e.Task.PID), e.Task.Known }))},
	{name: "tid", help: "its thread", given: Running,
		kind: upTo32(one(func(e *event.Event) (uint64, bool) { return uint64(e.Task.TID), e.Task.Known }))},
	{name: "cpu", help: "the CPU", given: Running,
		kind: upTo32(one(func(e *event.Event) (uint64, bool) { return uint64(e.Task.CPU), e.Task.Known }))},
	{name: "count", help: "packets that the event stands for",
		kind: integer{max: math.MaxUint64, get: one(func(e *event.Event) (uint64, bool) { return e.Count, true })}},
	{name: "single", help: "reported by itself, not in a summary",
		kind: attribute(func(e *event.Event) bool { return e.Single })},
	{name: "unseen", help: "seen by a second source alone, without bytes",
		kind: attribute(func(e *event.Event) bool { return e.Unseen })},
	{name: "packet", help: "bytes of the packet are there", given: Packet,
		kind: attribute(func(e *event.Event) bool { return e.Packet.HasData })},
	{name: "decoded", help: "its headers are", given: Packet,
		kind: integer{known: stops, only: true, get: one(func(e *event.Event) (uint64, bool) {
			if e.Packet.Flow == nil {
				return 0, false
			}
			return uint64(e.Packet.Flow.Stop.Why), true
		})}},
	{name: "tunnel", help: "tunnel that the packet is in", given: Packet,
		kind: integer{known: tunnels, only: true, get: one(func(e *event.Event) (uint64, bool) {
			if e.Packet.Flow == nil {
				return 0, false
			}
			kind := e.Packet.Flow.Tunnel.Kind
			return uint64(kind), kind != event.NoLayer
		})}},
	{name: "vxlan", help: "it is in VXLAN", given: Packet, kind: tunneled(event.VXLAN)},
	{name: "geneve", help: "it is in Geneve", given: Packet, kind: tunneled(event.Geneve)},
	{name: "vni", aliases: []string{"vxlan.vni", "geneve.vni", "gre.key"}, help: "VNI of VXLAN and Geneve, key of GRE", given: Packet,
		kind: upTo32(one(func(e *event.Event) (uint64, bool) {
			if e.Packet.Flow == nil {
				return 0, false
			}
			t := &e.Packet.Flow.Tunnel
			return uint64(t.ID), t.HasID
		}))},
}

// packetFields are those of any headers.
func packetFields() []field { return ofHeaders(linkFields, networkFields) }

// protocolFields are those of one protocol.
func protocolFields() []field {
	return ofHeaders(ipFields, ipv6Fields, transportFields("tcp", event.TCP), tcpFields,
		transportFields("udp", event.UDP), udpFields, transportFields("sctp", event.SCTP), sctpFields,
		icmpFields("icmp", "ICMP of IPv4", event.ICMP, icmpTypes), icmpFields("icmpv6", "ICMPv6", event.ICMPv6, icmpv6Types), otherFields)
}

func ofHeaders(groups ...[]field) []field {
	all := slices.Concat(groups...)
	for i := range all {
		all[i].headers = true
		all[i].given = cmp.Or(all[i].given, Packet)
	}
	return all
}

var linkFields = []field{
	{name: "eth.src", help: "Ethernet source", kind: hardware{ethSrc}},
	{name: "eth.dst", help: "Ethernet destination", kind: hardware{ethDst}},
	{name: "eth.addr", help: "either of them", kind: hardware{either(ethSrc, ethDst)}},
	{name: "eth.type", help: "ethertype, behind VLAN tags",
		kind: integer{max: math.MaxUint16, known: ethertypes, hex: true, get: number(event.FieldEtherType, func(h *event.Headers) uint16 { return h.EtherType })}},
	{name: "broadcast", aliases: []string{"eth.broadcast"}, help: "to all of the Ethernet",
		kind: flag(event.FieldEthDst, func(h *event.Headers) bool { return h.EthDst == event.MAC{255, 255, 255, 255, 255, 255} })},
	{name: "multicast", aliases: []string{"eth.multicast"}, help: "to a group of the Ethernet, or to all",
		kind: flag(event.FieldEthDst, func(h *event.Headers) bool { return h.EthDst[0]&1 != 0 })},
	{name: "vlan", aliases: []string{"vlan.id"}, help: "identifier of the outer tag or of the inner one", kind: integer{get: either(vlanID, vlanInnerID), max: 4095}},
	{name: "vlan.outer", help: "that of the outer tag", kind: integer{get: vlanID, max: 4095}},
	{name: "vlan.inner", help: "that of the inner tag", kind: integer{get: vlanInnerID, max: 4095}},
	{name: "vlan.tpid", help: "ethertype of the outer tag",
		kind: integer{max: math.MaxUint16, known: ethertypes, hex: true, get: number(event.FieldVLAN, func(h *event.Headers) uint16 { return h.VLAN[0].TPID })}},
	{name: "vlan.dei", help: "the outer tag allows dropping", kind: flag(event.FieldVLAN, func(h *event.Headers) bool { return h.VLAN[0].DEI })},
	{name: "vlan.priority", help: "of the outer tag", kind: integer{max: 7, get: number(event.FieldVLAN, func(h *event.Headers) uint8 { return h.VLAN[0].Priority })}},
	{name: "arp", help: "ARP", given: Protocol | Packet, kernel: "protocol", kind: carried{proto: 0x0806, layer: event.ARP}},
	{name: "arp.op", aliases: []string{"arp.opcode"}, help: "operation",
		kind: integer{max: math.MaxUint16, known: arpOps, get: number(event.FieldARPOp, func(h *event.Headers) uint16 { return h.ARPOp })}},
	{name: "arp.src", aliases: []string{"arp.src.proto_ipv4"}, help: "IPv4 address of the sender", kind: address{of(event.ARP, srcAddr)}},
	{name: "arp.dst", aliases: []string{"arp.dst.proto_ipv4"}, help: "IPv4 address of the target", kind: address{of(event.ARP, dstAddr)}},
	{name: "arp.addr", help: "either of them", kind: address{of(event.ARP, anyAddr)}},
	{name: "arp.src.mac", aliases: []string{"arp.src.hw_mac"}, help: "Ethernet address of the sender", kind: hardware{header(event.FieldARPSrc, func(h *event.Headers) event.MAC { return h.ARPSrc })}},
	{name: "arp.dst.mac", aliases: []string{"arp.dst.hw_mac"}, help: "Ethernet address of the target", kind: hardware{header(event.FieldARPDst, func(h *event.Headers) event.MAC { return h.ARPDst })}},
}

var networkFields = []field{
	{name: "src", help: "source address of IP or ARP", kind: address{srcAddr}},
	{name: "dst", help: "destination address", kind: address{dstAddr}},
	{name: "host", help: "either of them; also written net", kind: address{anyAddr}},
	{name: "srcport", help: "source port of TCP, UDP or SCTP", kind: ports(srcPort)},
	{name: "dstport", help: "destination port", kind: ports(dstPort)},
	{name: "port", help: "either of them; also written portrange", kind: ports(anyPort)},
	{name: "ttl", help: "TTL or hop limit", kind: upTo8(ttl)},
	{name: "dscp", help: "differentiated services", kind: integer{get: dscp, max: 63, known: dscps}},
	{name: "ecn", help: "congestion notification", kind: integer{get: ecn, max: 3, known: ecns}},
	{name: "frag", help: "a fragment, first or further",
		kind: flag(event.FieldFragment, func(h *event.Headers) bool { return h.MoreFragments || h.FragmentOffset > 0 })},
}

var ipFields = []field{
	{name: "ip", aliases: []string{"ipv4"}, help: "IPv4", given: Protocol | Packet, kernel: "protocol", kind: carried{proto: 0x0800, layer: event.IPv4}},
	{name: "ip.src", help: "IPv4 source", kind: address{of(event.IPv4, srcAddr)}},
	{name: "ip.dst", help: "IPv4 destination", kind: address{of(event.IPv4, dstAddr)}},
	{name: "ip.addr", help: "either of them", kind: address{of(event.IPv4, anyAddr)}},
	{name: "ip.proto", help: "protocol, behind AH", kind: upTo8(of(event.IPv4, proto), ipProtos...)},
	{name: "ip.ttl", help: "time to live", kind: upTo8(of(event.IPv4, ttl))},
	{name: "ip.dscp", help: "differentiated services", aliases: []string{"ip.dsfield.dscp"}, kind: integer{get: of(event.IPv4, dscp), max: 63, known: dscps}},
	{name: "ip.ecn", help: "congestion notification", aliases: []string{"ip.dsfield.ecn"}, kind: integer{get: of(event.IPv4, ecn), max: 3, known: ecns}},
	{name: "ip.len", help: "bytes of header and payload", kind: upTo32(of(event.IPv4, ipLen))},
	{name: "ip.id", help: "identification", kind: upTo16(of(event.IPv4, fragID))},
	{name: "ip.df", aliases: []string{"ip.flags.df"}, help: "do not fragment", kind: flag(event.FieldFragment, func(h *event.Headers) bool { return h.DontFragment })},
	{name: "ip.mf", aliases: []string{"ip.flags.mf"}, help: "a fragment follows", kind: flag(event.FieldFragment, func(h *event.Headers) bool { return h.Network == event.IPv4 && h.MoreFragments })},
	{name: "ip.offset", help: "bytes before the fragment", kind: upTo16(of(event.IPv4, fragAt))},
}

var ipv6Fields = []field{
	{name: "ip6", aliases: []string{"ipv6"}, help: "IPv6", given: Protocol | Packet, kernel: "protocol", kind: carried{proto: 0x86dd, layer: event.IPv6}},
	{name: "ipv6.src", help: "IPv6 source", kind: address{of(event.IPv6, srcAddr)}},
	{name: "ipv6.dst", help: "IPv6 destination", kind: address{of(event.IPv6, dstAddr)}},
	{name: "ipv6.addr", help: "either of them", kind: address{of(event.IPv6, anyAddr)}},
	{name: "ipv6.proto", aliases: []string{"ipv6.nxt"}, help: "protocol, behind extension headers", kind: upTo8(of(event.IPv6, proto), ipProtos...)},
	{name: "ipv6.hlim", help: "hop limit", kind: upTo8(of(event.IPv6, ttl))},
	{name: "ipv6.dscp", help: "differentiated services", aliases: []string{"ipv6.tclass.dscp"}, kind: integer{get: of(event.IPv6, dscp), max: 63, known: dscps}},
	{name: "ipv6.ecn", help: "congestion notification", aliases: []string{"ipv6.tclass.ecn"}, kind: integer{get: of(event.IPv6, ecn), max: 3, known: ecns}},
	{name: "ipv6.len", help: "bytes of header and payload", kind: upTo32(of(event.IPv6, ipLen))},
	{name: "ipv6.id", aliases: []string{"ipv6.fraghdr.ident"}, help: "identification of fragments", kind: upTo32(of(event.IPv6, fragID))},
	{name: "ipv6.mf", aliases: []string{"ipv6.fraghdr.more"}, help: "a fragment follows", kind: flag(event.FieldFragment, func(h *event.Headers) bool { return h.Network == event.IPv6 && h.MoreFragments })},
	{name: "ipv6.offset", help: "bytes before the fragment", kind: upTo16(of(event.IPv6, fragAt))},
	{name: "ipv6.flow", help: "flow label", kind: integer{hex: true, max: 0xfffff, get: number(event.FieldFlowLabel, func(h *event.Headers) uint32 { return h.FlowLabel })}},
	{name: "ipv6.extensions", help: "number of extension headers", kind: upTo8(of(event.IPv6, number(event.FieldProtocol, func(h *event.Headers) uint8 { return h.Extensions })))},
}

// transportFields are those that TCP, UDP and SCTP share.
func transportFields(name string, l event.Layer) []field {
	return []field{
		{name: name, help: strings.ToUpper(name), kind: layer(l)},
		{name: name + ".srcport", help: "source port", kind: ports(of(l, srcPort))},
		{name: name + ".dstport", help: "destination port", kind: ports(of(l, dstPort))},
		{name: name + ".port", help: "either of them", kind: ports(of(l, anyPort))},
	}
}

var tcpFields = []field{
	{name: "tcp.flags", help: "has some, or == exactly those", kind: bits{max: 0xfff, known: tcpFlags,
		get: number(event.FieldTCPFlags, func(h *event.Headers) event.TCPFlags { return h.TCPFlags })}},
	{name: "tcp.seq", aliases: []string{"tcp.seq_raw"}, help: "sequence number, as sent", kind: upTo32(number(event.FieldSeq, func(h *event.Headers) uint32 { return h.Seq }))},
	{name: "tcp.ack", aliases: []string{"tcp.ack_raw"}, help: "acknowledgment number, as sent", kind: upTo32(number(event.FieldAck, func(h *event.Headers) uint32 { return h.Ack }))},
	{name: "tcp.window", aliases: []string{"tcp.window_size_value"}, help: "not scaled", kind: upTo16(number(event.FieldWindow, func(h *event.Headers) uint16 { return h.Window }))},
}

var udpFields = []field{
	{name: "udp.len", aliases: []string{"udp.length"}, help: "as its header says", kind: upTo16(number(event.FieldUDPLen, func(h *event.Headers) uint16 { return h.UDPLen }))},
}

var sctpFields = []field{
	{name: "sctp.chunk", aliases: []string{"sctp.chunk_type"}, help: "type of the first chunk", kind: upTo8(number(event.FieldSCTPChunk, func(h *event.Headers) uint8 { return h.SCTPChunk }), sctpChunks...)},
	{name: "sctp.tag", aliases: []string{"sctp.verification_tag"}, help: "verification tag", kind: integer{hex: true, max: math.MaxUint32, get: number(event.FieldSCTPTag, func(h *event.Headers) uint32 { return h.SCTPTag })}},
}

// icmpFields are those that ICMP and ICMPv6 share.
func icmpFields(name, help string, l event.Layer, types []named) []field {
	return []field{
		{name: name, help: help, kind: layer(l)},
		{name: name + ".type", help: "type of message", kind: upTo8(of(l, icmpType), types...)},
		{name: name + ".code", help: "what exactly, of a type", kind: upTo8(of(l, icmpCode))},
		{name: name + ".id", aliases: []string{name + ".ident"}, help: "of an echo", kind: upTo16(of(l, icmpID))},
		{name: name + ".seq", help: "of an echo", kind: upTo16(of(l, icmpSeq))},
		{name: name + ".mtu", help: "of the next hop, in an error", kind: upTo32(of(l, icmpMTU))},
	}
}

var otherFields = []field{
	{name: "gre", help: "GRE", kind: layer(event.GRE)},
	{name: "ipip", help: "IP in IP", kind: layer(event.IPinIP)},
	{name: "esp", help: "ESP", kind: layer(event.ESP)},
	{name: "spi", aliases: []string{"esp.spi", "ah.spi"}, help: "security parameters index of ESP or AH", kind: integer{hex: true, max: math.MaxUint32, get: number(event.FieldSPI, func(h *event.Headers) uint32 { return h.SPI })}},
}
