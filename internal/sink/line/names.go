package line

import (
	"strconv"

	"dropwatch/internal/event"
)

// etherTypes are from linux/if_ether.h. Those below 0x600 are not on the wire:
// Linux uses them for frames without an ethertype.
var etherTypes = map[uint16]string{
	0x0001: "802.3",
	0x0004: "802.2", // for example spanning tree
	0x0800: "ipv4",
	0x0806: "arp",
	0x8100: "vlan",
	0x86dd: "ipv6",
	0x8809: "lacp",
	0x8847: "mpls",
	0x8863: "pppoe discovery",
	0x8864: "pppoe",
	0x888e: "eapol",
	0x88a8: "qinq",
	0x88cc: "lldp",
	0x88f7: "ptp",
}

// appendEtherType appends the name of an ethertype, or its number.
func appendEtherType(b []byte, t uint16) []byte {
	if name, ok := etherTypes[t]; ok {
		return append(b, name...)
	}
	return strconv.AppendUint(append(b, "ethertype 0x"...), uint64(t), 16)
}

// protocols are IP protocols that packet does not decode and that are common.
var protocols = [256]string{2: "igmp", 59: "no next header", 89: "ospf", 103: "pim", 112: "vrrp"}

// appendProtocol appends the name of an IP protocol, or its number.
func appendProtocol(b []byte, p uint8) []byte {
	if protocols[p] == "" {
		return appendNumber(b, "proto ", uint64(p))
	}
	return append(b, protocols[p]...)
}

// chunks are the types of SCTP chunks (RFC 9260).
var chunks = [256]string{
	0: "DATA", 1: "INIT", 2: "INIT ACK", 3: "SACK", 4: "HEARTBEAT", 5: "HEARTBEAT ACK", 6: "ABORT", 7: "SHUTDOWN",
	8: "SHUTDOWN ACK", 9: "ERROR", 10: "COOKIE ECHO", 11: "COOKIE ACK", 12: "ECNE", 13: "CWR", 14: "SHUTDOWN COMPLETE",
}

// appendChunk appends the type of the first chunk, in brackets if it has a name.
func appendChunk(b []byte, chunk uint8) []byte {
	if chunks[chunk] == "" {
		return appendNumber(b, " chunk ", uint64(chunk))
	}
	b = append(b, " ["...)
	b = append(b, chunks[chunk]...)
	return append(b, ']')
}

// icmpNames are the names of ICMP types, and of the codes of two of them.
type icmpNames struct {
	types       [256]string
	unreachable uint8 // the type that codes belong to
	codes       [16]string
	exceeded    uint8 // the type whose code 1 is about reassembly
}

// icmp names what is in linux/icmp.h, icmpv6 what is in linux/icmpv6.h and in
// RFC 4861.
var (
	icmp = icmpNames{
		types: [256]string{
			0: "echo reply", 3: "unreachable", 4: "source quench", 5: "redirect", 8: "echo request",
			9: "router advertisement", 10: "router solicitation", 11: "time exceeded", 12: "parameter problem",
			13: "timestamp request", 14: "timestamp reply",
		},
		unreachable: 3,
		codes: [16]string{
			"net unreachable", "host unreachable", "protocol unreachable", "port unreachable", "frag needed",
			"source route failed", "net unknown", "host unknown", "host isolated", "net prohibited",
			"host prohibited", "net unreachable for tos", "host unreachable for tos", "admin prohibited",
			"precedence violation", "precedence cutoff",
		},
		exceeded: 11,
	}
	icmpv6 = icmpNames{
		types: [256]string{
			1: "unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem",
			128: "echo request", 129: "echo reply",
			130: "multicast query", 131: "multicast report", 132: "multicast done", 143: "multicast report",
			133: "router solicitation", 134: "router advertisement",
			135: "neighbor solicitation", 136: "neighbor advertisement", 137: "redirect",
		},
		unreachable: 1,
		codes: [16]string{
			"no route", "admin prohibited", "beyond scope", "address unreachable", "port unreachable",
			"source policy failed", "route rejected",
		},
		exceeded: 3,
	}
)

// name returns the name of a message; empty if it has none. A code is more specific
// than its type.
func (n *icmpNames) name(h *event.Headers) string {
	switch kind, code := h.ICMPType, h.ICMPCode; {
	case !h.Has(event.FieldICMPCode):
	case kind == n.unreachable && int(code) < len(n.codes) && n.codes[code] != "":
		return n.codes[code]
	case kind == n.exceeded && code == 1:
		return "reassembly time exceeded"
	}
	return n.types[h.ICMPType]
}

// appendICMP appends the name of an ICMP or ICMPv6 message, with sequence number or
// MTU.
func appendICMP(b []byte, h *event.Headers) []byte {
	names := &icmp
	if h.Transport == event.ICMPv6 {
		names = &icmpv6
	}
	name := names.name(h)
	if name == "" {
		b = appendNumber(b, " type ", uint64(h.ICMPType))
		return appendNumber(b, " code ", uint64(h.ICMPCode))
	}
	b = append(b, ' ')
	b = append(b, name...)
	if h.Has(event.FieldICMPSeq) {
		b = appendNumber(b, " seq ", uint64(h.ICMPSeq))
	}
	if h.Has(event.FieldMTU) {
		b = appendNumber(b, " mtu ", uint64(h.MTU))
	}
	return b
}
