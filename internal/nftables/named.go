package nftables

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/mdlayher/netlink/nlenc"

	"dropwatch/internal/kernel"
)

// objects are how nft writes the use of a named object, by its type (NFT_OBJECT_*).
var objects = map[uint32]string{
	objectCounter: "counter name", objectQuota: "quota name", 3: "ct helper set", objectLimit: "limit name",
	objectConnlimit: "ct count name", 6: "tunnel name", 7: "ct timeout set", 8: "meta secmark set", 9: "ct expectation set",
	10: "synproxy name",
}

// objref is the use of a named object, or of one that a map has for the packet.
func (t *ruleText) objref(data []byte) {
	kind := kernel.BigEndian32(kernel.Attribute(data, nftaFirst))
	use, known := objects[kind]
	name := nlenc.String(kernel.Attribute(data, nftaSecond))
	switch {
	case !known || name == "":
		t.add("objref")
		return
	case kind == objectCounter:
		t.rule.object = name
	}
	t.add(fmt.Sprintf("%s %q", use, name))
}

// log writes the packet to the kernel's log, or to a group of nfnetlink_log (NFTA_LOG_*).
func (t *ruleText) log(data []byte) {
	const group, prefix, level = 1, 2, 5
	text := "log"
	if p := kernel.Attribute(data, prefix); p != nil {
		text += fmt.Sprintf(" prefix %q", nlenc.String(p))
	}
	levels := []string{"emerg", "alert", "crit", "err", "warn", "notice", "info", "debug", "audit"}
	const usual = "warn" // which nft does not write
	switch g, l := kernel.Attribute(data, group), kernel.BigEndian32(kernel.Attribute(data, level)); {
	case len(g) == 2:
		text += fmt.Sprintf(" group %d", binary.BigEndian.Uint16(g))
	case kernel.Attribute(data, level) != nil && l < uint32(len(levels)) && levels[l] != usual:
		text += " level " + levels[l]
	}
	t.add(text)
}

// osf loads the operating system that the sender of a SYN seems to have (NFTA_OSF_*).
func (t *ruleText) osf(data []byte) {
	const register, ttl, flags, version = 1, 2, 3, 1
	name := "osf "
	if b := kernel.Attribute(data, ttl); len(b) == 1 && b[0] < 3 {
		name += []string{"", "ttl loose ", "ttl skip "}[b[0]]
	}
	if kernel.BigEndian32(kernel.Attribute(data, flags))&version != 0 {
		name += "version"
	} else {
		name += "name"
	}
	t.load(kernel.Attribute(data, register), field{name: name, kind: interfaceName})
}

// socket loads what the socket has that is to receive the packet (NFTA_SOCKET_*, NFT_SOCKET_*).
func (t *ruleText) socket(data []byte) {
	const key, register, level = 1, 2, 3
	f := field{name: "socket"}
	switch kernel.BigEndian32(kernel.Attribute(data, key)) {
	case 0:
		f = field{name: "socket transparent", kind: bigEndianNumber}
	case 1:
		f = field{name: "socket mark", kind: hostMark}
	case 2:
		f = field{name: "socket wildcard", kind: bigEndianNumber}
	case 3:
		f = field{name: fmt.Sprintf("socket cgroupv2 level %d", kernel.BigEndian32(kernel.Attribute(data, level)))}
	}
	t.load(kernel.Attribute(data, register), f)
}

// hash loads a number that is the same for equal fields of packets, of which some rules drop a share (NFTA_HASH_*).
func (t *ruleText) hash(data []byte) {
	const from, to, length, modulus, seed, offset, kind, symmetric = 1, 2, 3, 4, 5, 6, 7, 1
	number := func(attr uint16) uint32 { return kernel.BigEndian32(kernel.Attribute(data, attr)) }
	name := "symhash"
	if number(kind) != symmetric {
		var of []string
		for _, f := range t.fieldsAt(number(from), int(number(length)), nil) {
			of = append(of, f.name)
		}
		name = "jhash " + strings.Join(of, " . ")
	}
	name += fmt.Sprintf(" mod %d", number(modulus))
	if number(seed) > 0 {
		name += fmt.Sprintf(" seed %#x", number(seed))
	}
	if number(offset) > 0 {
		name += fmt.Sprintf(" offset %d", number(offset))
	}
	t.load(kernel.Attribute(data, to), field{name: name, kind: hostNumber})
}
