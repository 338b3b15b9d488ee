package filter

import (
	"cmp"
	"math"
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
	byNumber string // the field that a number is compared with
	kind     kind
}

func upTo8(get values[uint64], known ...named) kind {
	return integer{get: get, max: math.MaxUint8, known: known}
}

func upTo16(get values[uint64]) kind { return integer{get: get, max: math.MaxUint16} }
func upTo32(get values[uint64]) kind { return integer{get: get, max: math.MaxUint32} }
func upTo64(get values[uint64]) kind { return integer{get: get, max: math.MaxUint64} }

func port(get values[uint64]) kind { return integer{get: get, max: math.MaxUint16, port: true} }
func vlan(get values[uint64]) kind { return integer{get: get, max: 4095} }

func hexadecimal(get values[uint64], limit uint64) kind {
	return integer{get: get, max: limit, hex: true}
}

func enum(get values[uint64], known []named) kind { return integer{get: get, known: known, only: true} }

func ofType(get values[uint64]) kind {
	return integer{get: get, max: math.MaxUint16, known: ethertypes, hex: true}
}

func serviceClass(get values[uint64]) kind { return integer{get: get, max: 63, known: dscps} }
func congestion(get values[uint64]) kind   { return integer{get: get, max: 3, known: ecns} }

// fields are those of the drop, and then those of its packet, from the link to
// the transport.
var fields = slices.Concat(dropFields, ofHeaders(
	linkFields, networkFields, ipFields, ipv6Fields,
	transportFields("tcp", event.TCP), tcpFields,
	transportFields("udp", event.UDP), udpFields,
	transportFields("sctp", event.SCTP), sctpFields,
	icmpFields("icmp", "ICMP of IPv4", event.ICMP, icmpTypes),
	icmpFields("icmpv6", "ICMPv6", event.ICMPv6, icmpv6Types),
	otherFields,
))

// ofHeaders are fields that the bytes of a packet give, if nothing else does.
func ofHeaders(groups ...[]field) []field {
	all := slices.Concat(groups...)
	for i := range all {
		all[i].headers = true
		all[i].given = cmp.Or(all[i].given, Packet)
	}
	return all
}

// kernelOrPacket gives the ethertype.
const kernelOrPacket = Protocol | Packet

var dropFields = []field{
	{name: "reason", help: "why the kernel says that it dropped it, in any case", given: Reason,
		kind: label{get: reason, what: "a name such as NO_SOCKET", normal: reasonName, anyCase: true}},
	{name: "point", help: "where: function, function+0x1a2, or hardware trap", kind: point{}},
	{name: "symbol", aliases: []string{"function"}, help: "the function that dropped it",
		kind: label{get: function, what: "a function such as icmp_rcv"}},
	{name: "offset", help: "bytes into that function", kind: hexadecimal(offset, math.MaxUint64)},
	{name: "module", help: "the module of that function; the kernel proper has none",
		kind: label{get: module, what: "a module such as openvswitch"}},
	{name: "pc", help: "its address", kind: hexadecimal(pc, math.MaxUint64)},
	{name: "stack", help: "any function that led to the drop (--stack)", given: Stack,
		kind: label{get: frames, what: "a function such as nf_hook_slow", several: true}},
	{name: "trap", help: "the devlink trap of a hardware drop", given: Trap,
		kind: label{get: trap, what: "a trap such as blackhole_route"}},
	{name: "group", help: "the group of that trap", given: Trap,
		kind: label{get: group, what: "a group such as l3_drops"}},
	{name: "origin", help: "who dropped it: the kernel or a device", kind: enum(origin, origins)},
	{name: "proto", aliases: []string{"protocol", "eth.proto"}, help: "ethertype: the kernel's, or else that of the headers",
		given: kernelOrPacket, kind: ofType(one(ethertype))},
	{name: "len", aliases: []string{"length"}, help: "bytes of the packet, as far as known",
		given: Length | Packet, kind: upTo32(one(length))},
	{name: "iface", aliases: []string{"ifname", "interface"}, help: "interface that it came in by, or its index",
		given: Interface, byNumber: "ifindex", kind: label{get: ifName, what: "an interface such as eth0"}},
	{name: "ifindex", help: "its index", given: Interface, kind: upTo32(ifIndex)},
	{name: "cookie", help: "of the tc or Open vSwitch action that dropped it", given: Cookie, kind: raw{cookie}},
	{name: "netns", help: "network namespace by its name, or its inode", given: Namespace, byNumber: "netns.inode",
		kind: label{get: nsName, what: "a name such as blue"}},
	{name: "netns.inode", help: "its inode, as in /proc/PID/ns/net", given: Namespace, kind: upTo32(nsInode)},
	{name: "owner", help: "anything is known of whose it was: any of the next", given: Owner, kind: attribute(hasOwner)},
	{name: "process", help: "process that has the socket, by its name or its number", given: Owner, byNumber: "pid",
		kind: label{get: processName, what: "a name such as nginx"}},
	{name: "process.certain", help: "it is that one for sure, and not just likely", given: Owner, kind: attribute(isCertain)},
	{name: "pid", help: "number of that process", given: Owner, kind: upTo32(pid)},
	{name: "unit", help: "its systemd unit; sshd is sshd.service", given: Owner,
		kind: label{get: unit, what: "a unit such as sshd.service", normal: unitName}},
	{name: "container", help: "its container by name, or by ID, of which 12 digits do", given: Owner,
		kind: label{get: containerName, what: "a name such as web, or an ID", isStart: isShortID}},
	{name: "runtime", aliases: []string{"container.runtime"}, help: "docker, containerd, cri-o, podman, lxc or systemd-nspawn", given: Owner,
		kind: label{get: containerRuntime, what: "a runtime such as docker"}},
	{name: "pod", help: "its Kubernetes pod by name, or by UID", given: Owner,
		kind: label{get: podName, what: "a name such as web-0, or a UID"}},
	{name: "pod.namespace", help: "that of Kubernetes", given: Owner,
		kind: label{get: podNamespace, what: "a name such as default"}},
	{name: "cgroup", help: "its control group, version 2, or the ID of that", given: Owner, byNumber: "cgroup.id",
		kind: label{get: cgroupPath, what: "a path such as /system.slice/sshd.service"}},
	{name: "cgroup.id", help: "inode of the directory", given: Owner, kind: upTo64(cgroupID)},
	{name: "socket", help: "a socket is known, or its state as in ss(8): listening", given: Owner,
		kind: enum(socketState, socketStates)},
	{name: "socket.receiver", help: "it was to receive the packet, and not sent it", given: Owner, kind: attribute(isReceiver)},
	{name: "socket.cookie", help: "as of SO_COOKIE and ss -e", given: Owner, kind: hexadecimal(socketCookie, math.MaxUint64)},
	{name: "socket.inode", help: "as in /proc/PID/fd", given: Owner, kind: upTo64(socketInode)},
	{name: "task.comm", aliases: []string{"comm"}, help: "thread that the CPU ran, not the packet's owner", given: Running,
		kind: label{get: comm, what: "a name such as sshd"}},
	{name: "task.pid", help: "its process; 0 on an idle CPU, or outside our PID namespace", given: Running, kind: upTo32(taskPID)},
	{name: "task.tid", aliases: []string{"tid"}, help: "its thread", given: Running, kind: upTo32(tid)},
	{name: "task.cpu", aliases: []string{"cpu"}, help: "the CPU", given: Running, kind: upTo32(cpu)},
	{name: "count", help: "packets that the event stands for", kind: upTo64(count)},
	{name: "single", help: "reported by itself, not in a summary or a count",
		kind: attribute(func(e *event.Event) bool { return e.Single })},
	{name: "unseen", help: "seen by a second source alone, without bytes",
		kind: attribute(func(e *event.Event) bool { return e.Unseen })},
	{name: "packet", help: "bytes of the packet are there", given: Packet,
		kind: attribute(func(e *event.Event) bool { return e.Packet.HasData })},
	{name: "decoded", help: "its headers are", given: Packet, kind: enum(decoded, stops)},
	{name: "tunnel", help: "tunnel that the packet is in", given: Packet, kind: enum(tunnel, tunnels)},
	{name: "vxlan", help: "it is in VXLAN", given: Packet, kind: tunneled(event.VXLAN)},
	{name: "geneve", help: "it is in Geneve", given: Packet, kind: tunneled(event.Geneve)},
	{name: "vni", aliases: []string{"vxlan.vni", "geneve.vni", "gre.key"}, help: "VNI of VXLAN and Geneve, key of GRE",
		given: Packet, kind: upTo32(tunnelID)},
}

var linkFields = []field{
	{name: "eth.src", help: "Ethernet source", kind: hardware{ethSrc}},
	{name: "eth.dst", help: "Ethernet destination", kind: hardware{ethDst}},
	{name: "eth.addr", help: "either of them", kind: hardware{either(ethSrc, ethDst)}},
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
	{name: "arp", help: "ARP", given: kernelOrPacket, kind: carried{proto: 0x0806, layer: event.ARP}},
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

var ipFields = []field{
	{name: "ip", aliases: []string{"ipv4"}, help: "IPv4", given: kernelOrPacket,
		kind: carried{proto: 0x0800, layer: event.IPv4}},
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

var ipv6Fields = []field{
	{name: "ip6", aliases: []string{"ipv6"}, help: "IPv6", given: kernelOrPacket,
		kind: carried{proto: 0x86dd, layer: event.IPv6}},
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

// transportFields are those that TCP, UDP and SCTP share.
func transportFields(name string, l event.Layer) []field {
	return []field{
		{name: name, help: strings.ToUpper(name), kind: layer(l)},
		{name: name + ".srcport", help: "source port", kind: port(of(l, srcPort))},
		{name: name + ".dstport", help: "destination port", kind: port(of(l, dstPort))},
		{name: name + ".port", help: "either of them", kind: port(of(l, anyPort))},
	}
}

var tcpFields = []field{
	{name: "tcp.flags", help: "has some, or == exactly those", kind: bits{get: flags, max: 0xfff, known: tcpFlags}},
	{name: "tcp.seq", aliases: []string{"tcp.seq_raw"}, help: "sequence number, as sent", kind: upTo32(seq)},
	{name: "tcp.ack", aliases: []string{"tcp.ack_raw"}, help: "acknowledgment number, as sent", kind: upTo32(ack)},
	{name: "tcp.window", aliases: []string{"tcp.window_size_value"}, help: "not scaled", kind: upTo16(window)},
}

var udpFields = []field{
	{name: "udp.len", aliases: []string{"udp.length"}, help: "as its header says", kind: upTo16(udpLen)},
}

var sctpFields = []field{
	{name: "sctp.chunk", aliases: []string{"sctp.chunk_type"}, help: "type of the first chunk", kind: upTo8(chunk, sctpChunks...)},
	{name: "sctp.tag", aliases: []string{"sctp.verification_tag"}, help: "verification tag", kind: hexadecimal(sctpTag, math.MaxUint32)},
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
	{name: "spi", aliases: []string{"esp.spi", "ah.spi"}, help: "security parameters index of ESP or AH",
		kind: hexadecimal(spi, math.MaxUint32)},
}
