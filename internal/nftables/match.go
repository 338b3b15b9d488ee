package nftables

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"net"
	"net/netip"
	"strings"

	"github.com/mdlayher/netlink/nlenc"

	"dropwatch/internal/kernel"
)

// A field is what a register of nftables holds.
type field struct {
	name string
	kind valueKind // how nft writes it
	mask []byte    // nil: all of it
	size int       // bytes, where that is not [sizes] of its kind
}

// sizes are how many bytes fields of a kind have.
var sizes = map[valueKind]int{
	macAddress: 6, hostNumber: 4, hostMark: 4, interfaceName: 16, protocolNumber: 1, nfProtocol: 1, conntrackState: 4,
	addressType: 4, presence: 1,
}

// A valueKind says how values of a field are written.
type valueKind uint8

const (
	hexadecimal    valueKind = iota
	networkAddress           // of IP or IPv6, or the first bytes of one
	macAddress               // 02:00:5e:00:53:01
	bigEndianNumber
	hostNumber     // in the byte order of the host
	hostMark       // the same, in hexadecimal
	interfaceName  // in quotes
	protocolNumber // by its name: tcp
	nfProtocol     // ipv4 or ipv6
	conntrackState
	addressType // RTN_*
	presence    // of a route: "exists" or "missing"
)

// metaKeys are the texts of NFT_META_* (include/uapi/linux/netfilter/nf_tables.h).
var metaKeys = map[uint32]field{
	1: {name: "meta protocol"}, 3: {name: "meta mark", kind: hostMark}, 4: {name: "iif", kind: hostNumber},
	5: {name: "oif", kind: hostNumber},
	6: {name: "iifname", kind: interfaceName}, 7: {name: "oifname", kind: interfaceName}, 8: {name: "meta iiftype", kind: hostNumber},
	10: {name: "meta skuid", kind: hostNumber},
	11: {name: "meta skgid", kind: hostNumber}, nftMetaNFTrace: {name: "meta nftrace"}, 15: {name: "meta nfproto", kind: nfProtocol},
	16: {name: "meta l4proto", kind: protocolNumber}, 17: {name: "meta ibrname", kind: interfaceName},
	18: {name: "meta obrname", kind: interfaceName},
}

// ctKeys are the texts of NFT_CT_*.
var ctKeys = map[uint32]field{
	0: {name: "ct state", kind: conntrackState}, 1: {name: "ct direction"}, 2: {name: "ct status"},
	3: {name: "ct mark", kind: hostMark},
}

// A place is where a field lies: base (0 link, 1 network, 2 transport header), offset
// and length in bytes.
type place struct{ base, offset, length uint32 }

// payloads are the texts of fields of packets. Of those of IP and IPv6 no two lie at
// the same place. PROTOCOL stands for tcp, udp or th.
var payloads = map[place]field{
	{0, 0, 6}: {name: "ether daddr", kind: macAddress}, {0, 6, 6}: {name: "ether saddr", kind: macAddress},
	{0, 12, 2}: {name: "ether type"},
	{1, 8, 1}:  {name: "ip ttl", kind: bigEndianNumber}, {1, 9, 1}: {name: "ip protocol", kind: protocolNumber},
	{1, 6, 1}: {name: "ip6 nexthdr", kind: protocolNumber}, {1, 7, 1}: {name: "ip6 hoplimit", kind: bigEndianNumber},
	{1, 2, 2}:  {name: "ip length", kind: bigEndianNumber},
	{1, 8, 16}: {name: "ip6 saddr", kind: networkAddress}, {1, 24, 16}: {name: "ip6 daddr", kind: networkAddress},
	{1, 12, 4}: {name: "ip saddr", kind: networkAddress}, {1, 16, 4}: {name: "ip daddr", kind: networkAddress},
	{2, 0, 2}: {name: "PROTOCOL sport", kind: bigEndianNumber}, {2, 2, 2}: {name: "PROTOCOL dport", kind: bigEndianNumber},
	{2, 0, 1}: {name: "PROTOCOL type", kind: bigEndianNumber}, {2, 13, 1}: {name: "tcp flags"},
}

// ProtocolName is the name of an IP protocol as nft and iptables have it; empty if rules seldom
// have that.
func ProtocolName(protocol byte) string { return protocolNames[protocol] }

// protocolNames are the values of an IP protocol that rules often have.
var protocolNames = map[byte]string{1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 51: "ah", 58: "ipv6-icmp", 132: "sctp"}

// load sets a register.
func (t *ruleText) load(register []byte, f field) { t.registers[kernel.BigEndian32(register)] = f }

// loadOrSet loads a register, or without one sets the field.
func (t *ruleText) loadOrSet(register []byte, f field) {
	if register == nil {
		t.add(f.name + " set")
		return
	}
	t.load(register, f)
}

func (t *ruleText) meta(data []byte) { t.keyed("meta", metaKeys, data) }

func (t *ruleText) ct(data []byte) { t.keyed("ct", ctKeys, data) }

// keyed loads or sets the field that a key stands for.
func (t *ruleText) keyed(expression string, keys map[uint32]field, data []byte) {
	key := kernel.BigEndian32(kernel.Attribute(data, nftaSecond))
	f, known := keys[key]
	if !known {
		f.name = fmt.Sprintf("%s %d", expression, key)
	}
	t.loadOrSet(kernel.Attribute(data, nftaFirst), f)
}

// payload is a part of the packet: one that has no name is written as nft does, in bits.
func (t *ruleText) payload(data []byte) {
	number := func(typ uint16) uint32 { return kernel.BigEndian32(kernel.Attribute(data, typ)) }
	p := place{number(nftaSecond), number(nftaThird), number(nftaFourth)}
	f, known := payloads[p]
	if whole := (place{p.base, p.offset, 4}); !known && p.base == 1 && p.length < 4 { // the network of an address
		f, known = payloads[whole]
	}
	if !known {
		base := "@nh"
		if p.base < 3 {
			base = []string{"@ll", "@nh", "@th"}[p.base]
		}
		f = field{name: fmt.Sprintf("%s,%d,%d", base, 8*p.offset, 8*p.length)}
	}
	protocol := t.protocol
	if protocol == "" {
		protocol = "th"
	}
	f.name, f.size = strings.Replace(f.name, "PROTOCOL", protocol, 1), int(p.length)
	t.loadOrSet(kernel.Attribute(data, nftaFirst), f)
}

// byteorder loads a number of this host in network order, so that it can be compared by size.
func (t *ruleText) byteorder(data []byte) {
	f := t.registers[kernel.BigEndian32(kernel.Attribute(data, nftaFirst))]
	if f.kind == hostNumber {
		f.kind = bigEndianNumber
	}
	t.load(kernel.Attribute(data, nftaSecond), f)
}

// numgen loads a number that is new for each packet, of which some rules drop a share
// (include/uapi/linux/netfilter/nf_tables.h NFTA_NG).
func (t *ruleText) numgen(data []byte) {
	kind := "inc"
	if kernel.BigEndian32(kernel.Attribute(data, nftaThird)) == 1 { // NFT_NG_RANDOM
		kind = "random"
	}
	name := fmt.Sprintf("numgen %s mod %d", kind, kernel.BigEndian32(kernel.Attribute(data, nftaSecond)))
	if offset := kernel.BigEndian32(kernel.Attribute(data, nftaFourth)); offset > 0 {
		name += fmt.Sprintf(" offset %d", offset)
	}
	t.load(kernel.Attribute(data, nftaFirst), field{name: name, kind: hostNumber})
}

// bitwise keeps the mask for the comparison that follows: nft writes the two as one, as in ip saddr 10.0.0.0/8.
func (t *ruleText) bitwise(data []byte) {
	f := t.registers[kernel.BigEndian32(kernel.Attribute(data, nftaFirst))]
	f.mask = kernel.Attribute(data, nftaFourth, 1)
	t.load(kernel.Attribute(data, nftaSecond), f)
}

// cmp compares a register with a value.
func (t *ruleText) cmp(data []byte) {
	f := t.registers[kernel.BigEndian32(kernel.Attribute(data, nftaFirst))]
	value := kernel.Attribute(data, nftaThird, 1)
	op := kernel.BigEndian32(kernel.Attribute(data, nftaSecond))
	if op > 5 {
		op = 0
	}
	text := f.text(value)
	if f.kind == conntrackState && f.mask != nil && op == 1 { // any of these
		text, op = f.text(f.mask), 0
	}
	if f.kind == protocolNumber && op == 0 {
		t.protocol = strings.TrimPrefix(text, "ipv6-")
		if text == "ipv6-icmp" {
			t.protocol = "icmpv6"
		}
	}
	name, ops := f.name, []string{"", "!= ", "< ", "<= ", "> ", ">= "}
	if f.mask != nil && f.kind != conntrackState && f.kind != networkAddress {
		name += " & " + f.text(f.mask)
		ops[0] = "== "
	}
	t.add(strings.TrimSpace(name + " " + ops[op] + text)) // the field of an unknown expression has no name
}

// between compares a register with a range.
func (t *ruleText) between(data []byte) {
	f := t.registers[kernel.BigEndian32(kernel.Attribute(data, nftaFirst))]
	not := ""
	if kernel.BigEndian32(kernel.Attribute(data, nftaSecond)) == 1 {
		not = "!= "
	}
	from, to := kernel.Attribute(data, nftaThird, 1), kernel.Attribute(data, nftaFourth, 1)
	t.add(fmt.Sprintf("%s %s%s-%s", f.name, not, f.text(from), f.text(to)))
}

// lookup searches a set, or asks a map for a verdict. Of a set that has no name for people the elements are
// written, if sets can be read.
func (t *ruleText) lookup(data []byte) {
	name, register := nlenc.String(kernel.Attribute(data, nftaFirst)), kernel.BigEndian32(kernel.Attribute(data, nftaSecond))
	keys, text := []field{t.registers[register]}, "@"+name
	if strings.HasPrefix(name, "__") {
		text = "{ ... }"
	}
	if t.sets != nil {
		if s := t.sets(name); s != nil {
			keys = t.fieldsAt(register, s.keyLen, s.fields)
			if text[0] == '{' {
				text = s.text(keys)
			}
		}
	}
	t.keys[name] = keys
	words := " "
	if kernel.Attribute(data, nftaThird) != nil {
		words = " vmap "
	}
	if kernel.BigEndian32(kernel.Attribute(data, nftaFifth)) == 1 {
		words += "!= "
	}
	var names []string
	for i := range keys {
		names = append(names, keys[i].name)
	}
	t.add(strings.Join(names, " . ") + words + text)
}

// text is a value as nft writes it.
func (f *field) text(value []byte) string {
	switch {
	case f.kind == networkAddress:
		return networkText(value, f.mask, strings.HasPrefix(f.name, "ip6"))
	case f.kind == macAddress:
		return net.HardwareAddr(value).String()
	case f.kind == interfaceName:
		name := nlenc.String(value)
		if len(value) == len(name) { // without the byte that ends a name: its beginning
			name += "*"
		}
		return fmt.Sprintf("%q", name)
	case f.kind == protocolNumber && len(value) == 1 && protocolNames[value[0]] != "":
		return protocolNames[value[0]]
	case f.kind == nfProtocol && len(value) == 1 && value[0] == nfprotoIPv4:
		return "ipv4"
	case f.kind == nfProtocol && len(value) == 1 && value[0] == nfprotoIPv6:
		return "ipv6"
	case f.kind == conntrackState && len(value) == 4:
		return states(binary.NativeEndian.Uint32(value))
	case f.kind == presence && len(value) > 0:
		if value[0] == 0 {
			return "missing"
		}
		return "exists"
	case f.kind == addressType && len(value) == 4 && binary.NativeEndian.Uint32(value) < uint32(len(addressTypes)):
		return addressTypes[binary.NativeEndian.Uint32(value)]
	case f.kind == hostNumber && len(value) == 2:
		return fmt.Sprint(binary.NativeEndian.Uint16(value))
	case f.kind == hostNumber && len(value) == 4:
		return fmt.Sprint(binary.NativeEndian.Uint32(value))
	case f.kind == hostMark && len(value) == 4:
		return fmt.Sprintf("0x%08x", binary.NativeEndian.Uint32(value))
	case len(value) == 0 || len(value) > 8 || f.kind == hexadecimal:
		return fmt.Sprintf("%#x", value)
	}
	return fmt.Sprint(binary.BigEndian.Uint64(append(make([]byte, 8-len(value)), value...)))
}

// networkText is an address, or a network: the value may be only the beginning of one.
func networkText(value, mask []byte, ipv6 bool) string {
	size, ones := 4, 8*len(value)
	if ipv6 {
		size = 16
	}
	if mask != nil {
		ones = 0
		for _, b := range mask {
			ones += bits.OnesCount8(b)
		}
	}
	addr, ok := netip.AddrFromSlice(append(append([]byte{}, value...), make([]byte, max(size-len(value), 0))...))
	switch {
	case !ok:
		return fmt.Sprintf("%#x", value)
	case ones == 8*size:
		return addr.String()
	}
	return netip.PrefixFrom(addr, ones).String()
}

// states are the names of the states of connection tracking in a set
// (NF_CT_STATE_BIT, include/uapi/linux/netfilter/nf_conntrack_common.h).
func states(set uint32) string {
	var names []string
	for i, name := range []string{"invalid", "established", "related", "new", "", "", "untracked"} {
		if set&(1<<i) != 0 && name != "" {
			names = append(names, name)
		}
	}
	return strings.Join(names, ",")
}
