package iptables

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net/netip"
	"strings"

	"dropwatch/internal/nftables"
)

// An extensionReader gives the name and the data of a match, which has its header.
type extensionReader func(b []byte) (name string, data []byte)

// extension reads a match or a target as a process has it.
func extension(b []byte) (name string, data []byte) { return text(b[2:31]), b[sizeofHeader:] }

// matches are the conditions of a rule as iptables -S writes them.
func (f *Family) matches(e *entry, read extensionReader) string {
	words := f.addresses(e.rule)
	for rest := e.matches; len(rest) >= sizeofHeader; {
		size := int(binary.NativeEndian.Uint16(rest[:2]))
		if size < sizeofHeader || size > len(rest) {
			break
		}
		words = append(words, extensionText(read(rest[:size])))
		rest = rest[size:]
	}
	return strings.Join(words, " ")
}

// addresses are the conditions that need no match: addresses, interfaces and the protocol.
func (f *Family) addresses(rule []byte) (words []string) {
	inverted := rule[f.flags]
	add := func(flag byte, name, value string) {
		switch {
		case value == "":
		case inverted&flag != 0:
			words = append(words, "! "+name+" "+value)
		default:
			words = append(words, name+" "+value)
		}
	}
	a := f.address
	add(0x08, "-s", network(rule[:a], rule[2*a:3*a]))
	add(0x10, "-d", network(rule[a:2*a], rule[3*a:4*a]))
	names := rule[4*a:]
	add(0x01, "-i", text(names[:16])) // with + for any ending
	add(0x02, "-o", text(names[16:32]))
	if protocol := byte(binary.NativeEndian.Uint16(names[64:66])); protocol != 0 {
		name := nftables.ProtocolName(protocol)
		if name == "" {
			name = fmt.Sprint(protocol)
		}
		add(0x40, "-p", name)
	}
	return words
}

// network is an address with its mask, empty for any.
func network(addr, mask []byte) string {
	a, _ := netip.AddrFromSlice(addr)
	ones := 0
	for _, b := range mask {
		ones += bits.OnesCount8(b)
	}
	switch prefix := netip.PrefixFrom(a, ones); {
	case ones == 0:
		return ""
	case prefix.Masked().Addr() == a || ones == 8*len(mask):
		return prefix.String()
	}
	m, _ := netip.AddrFromSlice(mask)
	return fmt.Sprintf("%v/%v", a, m)
}

// extensionText is a match as iptables -S writes it, with its values if it is a simple one
// (include/uapi/linux/netfilter/xt_tcpudp.h).
func extensionText(name string, data []byte) string {
	match := "-m " + name
	switch {
	case name == "comment":
		return match + fmt.Sprintf(" --comment %q", text(data))
	case name == "tcp" && len(data) >= 12:
		return match + ports(data, data[11])
	case name == "udp" && len(data) >= 9:
		return match + ports(data, data[8])
	}
	return match + " ..."
}

// ports are the ranges of source and destination ports of the match tcp or udp.
func ports(data []byte, inverted byte) (words string) {
	for i, name := range []string{" --sport ", " --dport "} {
		from, to := binary.NativeEndian.Uint16(data[4*i:4*i+2]), binary.NativeEndian.Uint16(data[4*i+2:4*i+4])
		if from == 0 && to == 0xffff {
			continue
		}
		if inverted&(1<<i) != 0 {
			words += " !"
		}
		words += fmt.Sprint(name, from)
		if to != from {
			words += fmt.Sprint(":", to)
		}
	}
	return words
}
