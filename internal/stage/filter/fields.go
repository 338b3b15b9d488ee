package filter

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A field is something that an expression can compare.
type field struct {
	// A name is written in lower case; help is a phrase for a list.
	name     string
	aliases  []string
	help     string
	facts    event.Facts // any of these provides it; 0 if every source does
	headers  bool        // of a packet, also of one in a tunnel and of one that is quoted
	byNumber string      // the field to compare instead if the values are numbers
	kind     kind        // what its values are, and how they are compared

	kinds   []event.Kind // of events that can have it; nil: all
	tcp     event.Facts  // what must be known besides, of what TCP did
	tcpOf   spans        // single values that need it; nil: all
	missing missing      // whether a drop without it may have it; of fields of headers part decides
	needs   event.Facts  // which stages must find out first, besides facts
	part    part         // where in a packet it is
	layer   event.Layer  // of part that the packet must have; NoLayer if any
}

// These functions return the kinds of the fields below, which differ in the range of their values, the
// names that values have, and how numbers are printed.

// upTo8 and the next return numbers of so many bits.
func upTo8(get values[uint64], known ...named) kind {
	return integer{get: get, max: math.MaxUint8, known: known}
}

func upTo16(get values[uint64]) kind { return integer{get: get, max: math.MaxUint16} }
func upTo32(get values[uint64]) kind { return integer{get: get, max: math.MaxUint32} }
func upTo64(get values[uint64]) kind { return integer{get: get, max: math.MaxUint64} }

// port also accepts the names of services.
func port(get values[uint64]) kind { return integer{get: get, max: math.MaxUint16, port: true} }

// vlan is the kind of a VLAN ID, 12 bits (IEEE 802.1Q).
func vlan(get values[uint64]) kind { return integer{get: get, max: 4095} }

// hexadecimal prints numbers as addresses are printed.
func hexadecimal(get values[uint64], limit uint64) kind {
	return integer{get: get, max: limit, hex: true}
}

// enum accepts only names: the numbers are our own, and mean nothing to a user.
func enum(get values[uint64], known []named) kind { return integer{get: get, known: known, only: true} }

// ofType is for ethertypes.
func ofType(get values[uint64]) kind {
	return integer{get: get, max: math.MaxUint16, known: ethertypes, hex: true}
}

// serviceClass is the DSCP, the upper six bits of the TOS or traffic class.
func serviceClass(get values[uint64]) kind { return integer{get: get, max: 63, known: dscps} }
func congestion(get values[uint64]) kind   { return integer{get: get, max: 3, known: ecns} }

// fields are all fields: those of the drop, then those of its packet from the link to the transport
// layer. Help lists them in this order.
var fields = withParts(slices.Concat(dropFields, ofHeaders(
	linkFields, networkFields, ipFields, ipv6Fields,
	transportFields("tcp", event.TCP), tcpFields,
	transportFields("udp", event.UDP), udpFields,
	transportFields("sctp", event.SCTP), sctpFields,
	icmpFields("icmp", "ICMP of IPv4", event.ICMP, icmpTypes),
	icmpFields("icmpv6", "ICMPv6", event.ICMPv6, icmpv6Types),
	otherFields,
)))

// ofHeaders returns the fields of groups as fields of headers. Those without facts of their own need the
// bytes of the packet.
func ofHeaders(groups ...[]field) []field {
	all := slices.Concat(groups...)
	for i := range all {
		all[i].headers = true
		all[i].facts = cmp.Or(all[i].facts, event.FactPacket)
	}
	return all
}

// withParts sets part and layer of all fields.
func withParts(all []field) []field {
	for i := range all {
		all[i].setPart()
	}
	return all
}

// kernelOrPacket are the facts that provide the ethertype.
const kernelOrPacket = event.FactProtocol | event.FactPacket

// dropFields are the fields of a drop.
var dropFields = []field{
	{name: "reason", help: "the kernel's reason, in upper or lower case", facts: event.FactReason,
		kind: cause{label{get: reason, what: "a name such as NO_SOCKET", normal: reasonName, anyCase: true}}},
	{name: "layer", missing: unlocated, needs: event.FactLocation, help: "its part of the stack",
		kind: enum(layerOfDrop, stackLayers)},
	{name: "layer.module", missing: unlocated, needs: event.FactLocation,
		help: "its part of that layer, see dropwatch points: tcp, qdisc",
		kind: label{get: moduleOfDrop, what: "a module such as tcp or qdisc", known: knowledge.Modules}},
	{name: "point", missing: unnamed, needs: event.FactLocation, help: "location: function, function+0x1a2, trap; or a point's name",
		kind: point{}},
	{name: "symbol", missing: unnamed, needs: event.FactLocation, aliases: []string{"function"}, help: "the function that dropped it",
		kind: label{get: function, what: "a function such as icmp_rcv"}},
	{name: "offset", missing: unnamed, needs: event.FactLocation,
		help: "bytes into that function", kind: hexadecimal(offset, math.MaxUint64)},
	{name: "module", missing: unnamedModule, needs: event.FactLocation, help: "the module of that function; the kernel proper has none",
		kind: label{get: module, what: "a module such as openvswitch"}},
	{name: "pc", missing: unnamed, help: "its address", kind: hexadecimal(pc, math.MaxUint64)},
	{name: "stack", missing: unknown, needs: event.FactLocation,
		help: "any function in its stack trace (--stack)", facts: event.FactStack,
		kind: label{get: frames, what: "a function such as nf_hook_slow", several: true}},
	{name: "trap", help: "the devlink trap of a hardware drop", facts: event.FactTrap,
		kind: label{get: trap, what: "a trap such as blackhole_route"}},
	{name: "group", help: "the group of that trap", facts: event.FactTrap,
		kind: label{get: group, what: "a group such as l3_drops"}},
	{name: "origin", missing: unknown, help: "what dropped it: the kernel or a device", kind: enum(origin, origins)},
	{name: "proto", missing: unknown, aliases: []string{"protocol", "eth.proto"},
		help:  "ethertype: the kernel's, or else that of the headers",
		facts: kernelOrPacket, kind: ofType(one(ethertype))},
	{name: "len", missing: unknown, aliases: []string{"length"}, help: "bytes of the packet, as far as known",
		facts: event.FactLength | event.FactPacket, kind: upTo32(one(length))},
	{name: "iface", missing: unknown, aliases: []string{"ifname", "interface"}, help: "interface that it came in by, or its index",
		facts: event.FactInterface, byNumber: "ifindex", kind: label{get: ifName, what: "an interface such as eth0"}},
	{name: "ifindex", missing: unknown, help: "its index", facts: event.FactInterface, kind: upTo32(ifIndex)},
	{name: "cookie", help: "of the tc or Open vSwitch action that dropped it", facts: event.FactCookie, kind: raw{cookie}},
	{name: "netns", missing: unknown,
		help: "network namespace by its name, or its inode", facts: event.FactNamespace, byNumber: "netns.inode",
		kind: label{get: nsName, what: "a name such as blue"}},
	{name: "netns.inode", missing: unknown, help: "its inode, as in /proc/PID/ns/net", facts: event.FactNamespace, kind: upTo32(nsInode)},
	{name: "owner", missing: noOwner,
		help: "any owner field is known: any of the next", facts: event.FactOwner, kind: attribute(hasOwner)},
	{name: "process", missing: noOwner,
		help: "process that has the socket open: its name or PID", facts: event.FactOwner, byNumber: "pid",
		kind: label{get: processName, what: "a name such as nginx"}},
	{name: "process.certain", missing: noOwner,
		help: "that process is certain, not just likely", facts: event.FactOwner, kind: attribute(isCertain)},
	{name: "pid", missing: noOwner, help: "PID of that process", facts: event.FactOwner, kind: upTo32(pid)},
	{name: "unit", missing: noOwner, help: "its systemd unit; sshd is sshd.service", facts: event.FactOwner,
		kind: label{get: unit, what: "a unit such as sshd.service", normal: unitName}},
	{name: "container", missing: noOwner, help: "its container by name, or by ID or 12 digits of it", facts: event.FactOwner,
		kind: label{get: containerName, what: "a name such as web, or an ID", isStart: isShortID}},
	{name: "runtime", missing: noOwner, aliases: []string{"container.runtime"},
		help: "docker, containerd, cri-o, podman, lxc or systemd-nspawn", facts: event.FactOwner,
		kind: label{get: containerRuntime, what: "a runtime such as docker"}},
	{name: "pod", missing: noOwner, help: "its Kubernetes pod by name, or by UID", facts: event.FactOwner,
		kind: label{get: podName, what: "a name such as web-0, or a UID"}},
	{name: "pod.namespace", missing: noOwner, help: "that of Kubernetes", facts: event.FactOwner,
		kind: label{get: podNamespace, what: "a name such as default"}},
	{name: "cgroup", missing: noOwner,
		help: "its control group, version 2, or the ID of that", facts: event.FactOwner, byNumber: "cgroup.id",
		kind: label{get: cgroupPath, what: "a path such as /system.slice/sshd.service"}},
	{name: "cgroup.id", missing: noOwner, help: "inode of the directory", facts: event.FactOwner, kind: upTo64(cgroupID)},
	{name: "socket", missing: noOwner, help: "a socket is known, or its state as in ss(8): listening", facts: event.FactOwner,
		kind: enum(socketState, socketStates)},
	{name: "socket.receiver", missing: noOwner,
		help: "the socket was to receive the packet, not its sender", facts: event.FactOwner, kind: attribute(isReceiver)},
	{name: "socket.cookie", missing: noOwner,
		help: "as of SO_COOKIE and ss -e", facts: event.FactOwner, kind: hexadecimal(socketCookie, math.MaxUint64)},
	{name: "socket.inode", missing: noOwner, help: "as in /proc/PID/fd", facts: event.FactOwner, kind: upTo64(socketInode)},
	{name: "task.comm", missing: unknown, aliases: []string{"comm"},
		help: "thread that the CPU ran, not the packet's owner", facts: event.FactTask,
		kind: label{get: comm, what: "a name such as sshd"}},
	{name: "task.pid", missing: unknown,
		help: "its process; 0 on an idle CPU, or outside this PID namespace", facts: event.FactTask, kind: upTo32(taskPID)},
	{name: "task.tid", missing: unknown, aliases: []string{"tid"}, help: "its thread", facts: event.FactTask, kind: upTo32(tid)},
	{name: "task.cpu", missing: unknown, aliases: []string{"cpu"}, help: "the CPU", facts: event.FactTask, kind: upTo32(cpu)},
	{name: "kind", help: "a drop, a point, or what TCP did: pcap and retrans show that", kind: enum(kindOf, eventKinds)},
	{name: "point.name", help: "the point whose values args has, such as tcp_accept_queue",
		kind: label{get: pointName, what: "a name such as tcp_accept_queue"}, kinds: []event.Kind{event.Point}},
	{name: "tcp.type", missing: untyped, help: "of what TCP did, as in JSON", tcp: event.FactRetransType, tcpOf: toldByFew,
		kind: segmentType{integer{get: tcpType, known: tcpTypes, only: true}}, kinds: []event.Kind{event.Retransmit, event.TCPEvent}},
	{name: "tcp.lost", missing: unjudged, tcp: event.FactFate,
		help: "whether this host dropped what TCP sends again", kind: enum(tcpLost, tcpFates),
		kinds: []event.Kind{event.Retransmit}},
	{name: "tcp.cause", missing: unjudged, tcp: event.FactFate, help: "reason of the drop behind a retransmission or a reset",
		kind:  label{get: tcpCause, what: "a name such as NO_SOCKET", normal: reasonName, anyCase: true},
		kinds: []event.Kind{event.Retransmit, event.Reset}},
	{name: "tcp.rule", missing: unjudged, tcp: event.FactFate, help: "firewall's rule that dropped what TCP sends again, in words",
		kind: label{get: tcpRule, what: "words such as *dport*"}, kinds: []event.Kind{event.Retransmit}},
	{name: "tcp.incoming", help: "what TCP did is of a segment that this host received",
		kinds: []event.Kind{event.Retransmit, event.Reset, event.TCPEvent},
		kind:  attribute(func(e *event.Event) bool { return e.Segment != nil && e.Segment.Direction == event.Incoming })},
	{name: "count", help: "packets that the event stands for", kind: upTo64(count)},
	{name: "segments", missing: unknown,
		help: "packets on the wire, more than count with GSO", facts: event.FactSegments, kind: upTo64(segments)},
	{name: "harmless", help: "no packet was lost; or why, in words", needs: event.FactHarmless,
		kind: label{get: harmless, what: "words such as closed*"}},
	{name: "individual", help: "reported individually, not in a summary or a count",
		kind: attribute(func(e *event.Event) bool { return e.Individual })},
	{name: "trace_only", help: "not in packet mode: only the source trace reported it",
		kind: attribute(func(e *event.Event) bool { return e.TraceOnly })},
	{name: "packet", help: "bytes of the packet are there", facts: event.FactPacket,
		kind: attribute(func(e *event.Event) bool { return e.Packet.HasData })},
	{name: "decoded", help: "its headers are", facts: event.FactPacket, kind: enum(decoded, stops)},
	{name: "tunnel", help: "tunnel that the packet is in", facts: event.FactPacket, kind: enum(tunnel, tunnels)},
	{name: "vxlan", help: "it is in VXLAN", facts: event.FactPacket, kind: tunneled(event.VXLAN)},
	{name: "geneve", help: "it is in Geneve", facts: event.FactPacket, kind: tunneled(event.Geneve)},
	{name: "vni", aliases: []string{"vxlan.vni", "geneve.vni", "gre.key"}, help: "VNI of VXLAN and Geneve, key of GRE",
		facts: event.FactPacket, kind: upTo32(tunnelID)},
}

// linkFields are those of the link layer, and of ARP.
var linkFields = []field{
	{name: "eth.src", help: "Ethernet source", kind: hardware{ethSrc}},
	{name: "eth.dst", help: "Ethernet destination", kind: hardware{ethDst}},
	{name: "eth.addr", help: "either of them", kind: hardware{pair(ethSrc, ethDst)}},
	{name: "eth.type", help: "ethertype, behind VLAN tags", kind: ofType(ethType)},
	{name: "broadcast", aliases: []string{"eth.broadcast"}, help: "to all of the Ethernet", kind: isBroadcast},
	{name: "multicast", aliases: []string{"eth.multicast"}, help: "to a group of the Ethernet, or to all", kind: isMulticast},
	{name: "vlan", aliases: []string{"vlan.id"}, help: "identifier of the outer tag or of the inner one",
		kind: vlan(either(outerID, innerID))},
	{name: "vlan.outer", help: "that of the outer tag", kind: vlan(outerID)},
	{name: "vlan.inner", help: "that of the inner tag", kind: vlan(innerID)},
	{name: "vlan.tpid", help: "ethertype of the outer tag", kind: ofType(outerTPID)},
	{name: "vlan.priority", help: "of the outer tag", kind: integer{get: outerPriority, max: 7}},
	{name: "vlan.dei", help: "the outer tag allows dropping", kind: dropEligible},
	{name: "arp", help: "ARP", facts: kernelOrPacket, kind: carried{proto: event.EtherARP, layer: event.ARP}},
	{name: "arp.op", aliases: []string{"arp.opcode"}, help: "operation",
		kind: integer{get: arpOp, max: math.MaxUint16, known: arpOps}},
	{name: "arp.src", aliases: []string{"arp.src.proto_ipv4"}, help: "IPv4 address of the sender",
		kind: address{of(event.ARP, srcAddr)}},
	{name: "arp.dst", aliases: []string{"arp.dst.proto_ipv4"}, help: "IPv4 address of the target",
		kind: address{of(event.ARP, dstAddr)}},
	{name: "arp.addr", help: "either of them", kind: address{of(event.ARP, anyAddr)}},
	{name: "arp.src.mac", aliases: []string{"arp.src.hw_mac"}, help: "Ethernet address of the sender", kind: hardware{arpSrc}},
	{name: "arp.dst.mac", aliases: []string{"arp.dst.hw_mac"}, help: "Ethernet address of the target", kind: hardware{arpDst}},
}

// networkFields are those that packets of several protocols have.
var networkFields = []field{
	{name: "src", help: "source address of IP or ARP", kind: address{srcAddr}},
	{name: "dst", help: "destination address", kind: address{dstAddr}},
	{name: "host", help: "either of them; also written net", kind: address{anyAddr}},
	{name: "srcport", help: "source port of TCP, UDP or SCTP", kind: port(srcPort)},
	{name: "dstport", help: "destination port", kind: port(dstPort)},
	{name: "port", help: "either of them; also written portrange", kind: port(anyPort)},
	{name: "ttl", help: "TTL or hop limit", kind: upTo8(ttl)},
	{name: "dscp", help: "differentiated services", kind: serviceClass(dscp)},
	{name: "ecn", help: "congestion notification", kind: congestion(ecn)},
	{name: "frag", help: "a fragment, first or further", kind: isFragment},
}

// ipFields are those of the IPv4 header.
var ipFields = []field{
	{name: "ip", aliases: []string{"ipv4"}, help: "IPv4", facts: kernelOrPacket,
		kind: carried{proto: event.EtherIPv4, layer: event.IPv4}},
	{name: "ip.src", help: "IPv4 source", kind: address{of(event.IPv4, srcAddr)}},
	{name: "ip.dst", help: "IPv4 destination", kind: address{of(event.IPv4, dstAddr)}},
	{name: "ip.addr", help: "either of them", kind: address{of(event.IPv4, anyAddr)}},
	{name: "ip.proto", help: "protocol, behind AH", kind: upTo8(of(event.IPv4, protocol), ipProtos...)},
	{name: "ip.ttl", help: "time to live", kind: upTo8(of(event.IPv4, ttl))},
	{name: "ip.dscp", aliases: []string{"ip.dsfield.dscp"}, help: "differentiated services",
		kind: serviceClass(of(event.IPv4, dscp))},
	{name: "ip.ecn", aliases: []string{"ip.dsfield.ecn"}, help: "congestion notification",
		kind: congestion(of(event.IPv4, ecn))},
	{name: "ip.len", help: "bytes of header and payload", kind: upTo32(of(event.IPv4, totalLen))},
	{name: "ip.id", help: "identification", kind: upTo16(of(event.IPv4, fragID))},
	{name: "ip.df", aliases: []string{"ip.flags.df"}, help: "do not fragment", kind: dontFragment},
	{name: "ip.mf", aliases: []string{"ip.flags.mf"}, help: "a fragment follows", kind: moreFragments(event.IPv4)},
	{name: "ip.offset", help: "bytes before the fragment", kind: upTo16(of(event.IPv4, fragOffset))},
}

// ipv6Fields are those of the IPv6 header and of its fragment header.
var ipv6Fields = []field{
	{name: "ip6", aliases: []string{"ipv6"}, help: "IPv6", facts: kernelOrPacket,
		kind: carried{proto: event.EtherIPv6, layer: event.IPv6}},
	{name: "ipv6.src", help: "IPv6 source", kind: address{of(event.IPv6, srcAddr)}},
	{name: "ipv6.dst", help: "IPv6 destination", kind: address{of(event.IPv6, dstAddr)}},
	{name: "ipv6.addr", help: "either of them", kind: address{of(event.IPv6, anyAddr)}},
	{name: "ipv6.proto", aliases: []string{"ipv6.nxt"}, help: "protocol, behind extension headers",
		kind: upTo8(of(event.IPv6, protocol), ipProtos...)},
	{name: "ipv6.hlim", help: "hop limit", kind: upTo8(of(event.IPv6, ttl))},
	{name: "ipv6.dscp", aliases: []string{"ipv6.tclass.dscp"}, help: "differentiated services",
		kind: serviceClass(of(event.IPv6, dscp))},
	{name: "ipv6.ecn", aliases: []string{"ipv6.tclass.ecn"}, help: "congestion notification",
		kind: congestion(of(event.IPv6, ecn))},
	{name: "ipv6.len", help: "bytes of header and payload", kind: upTo32(of(event.IPv6, totalLen))},
	{name: "ipv6.id", aliases: []string{"ipv6.fraghdr.ident"}, help: "identification of fragments",
		kind: upTo32(of(event.IPv6, fragID))},
	{name: "ipv6.mf", aliases: []string{"ipv6.fraghdr.more"}, help: "a fragment follows", kind: moreFragments(event.IPv6)},
	{name: "ipv6.offset", help: "bytes before the fragment", kind: upTo16(of(event.IPv6, fragOffset))},
	{name: "ipv6.flow", help: "flow label", kind: hexadecimal(flowLabel, 0xfffff)},
	{name: "ipv6.extensions", help: "number of extension headers", kind: upTo8(of(event.IPv6, extensions))},
}

// transportFields returns the fields that TCP, UDP and SCTP share.
func transportFields(name string, l event.Layer) []field {
	return []field{
		{name: name, help: strings.ToUpper(name), kind: layer(l)},
		{name: name + ".srcport", help: "source port", kind: port(of(l, srcPort))},
		{name: name + ".dstport", help: "destination port", kind: port(of(l, dstPort))},
		{name: name + ".port", help: "either of them", kind: port(of(l, anyPort))},
	}
}

// tcpFields are those that only TCP has.
var tcpFields = []field{
	{name: "tcp.flags", help: "has some, or == exactly those", kind: bits{get: flags, max: 0xfff, known: tcpFlags}},
	{name: "tcp.seq", tcp: event.FactSequence, aliases: []string{"tcp.seq_raw"}, help: "sequence number, as sent", kind: upTo32(seq)},
	{name: "tcp.ack", tcp: event.FactSequence, aliases: []string{"tcp.ack_raw"}, help: "acknowledgment number, as sent", kind: upTo32(ack)},
	{name: "tcp.window", aliases: []string{"tcp.window_size_value"}, help: "not scaled", kind: upTo16(window)},
}

// udpFields are those that only UDP has.
var udpFields = []field{
	{name: "udp.len", aliases: []string{"udp.length"}, help: "as its header says", kind: upTo16(udpLen)},
}

// sctpFields are those that only SCTP has.
var sctpFields = []field{
	{name: "sctp.chunk", aliases: []string{"sctp.chunk_type"}, help: "type of the first chunk", kind: upTo8(chunk, sctpChunks...)},
	{name: "sctp.tag", aliases: []string{"sctp.verification_tag"}, help: "verification tag", kind: hexadecimal(sctpTag, math.MaxUint32)},
}

// icmpFields returns the fields that ICMP and ICMPv6 share.
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

// otherFields are those of other protocols, of tunnels and of the decoding itself.
var otherFields = []field{
	{name: "gre", help: "GRE", kind: layer(event.GRE)},
	{name: "ipip", help: "IP in IP", kind: layer(event.IPinIP)},
	{name: "esp", help: "ESP", kind: layer(event.ESP)},
	{name: "spi", aliases: []string{"esp.spi", "ah.spi"}, help: "security parameters index of ESP or AH",
		kind: hexadecimal(spi, math.MaxUint32)},
}
