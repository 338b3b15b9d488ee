package routing

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"

	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// Message, actions, flag and attributes of include/uapi/linux/fib_rules.h.
const (
	rtmGetRule    = 34  // RTM_GETRULE
	sizeofRuleHdr = 12  // struct fib_rule_hdr
	fibRuleInvert = 0x2 // FIB_RULE_INVERT
	toTable       = 1   // FR_ACT_TO_TBL
	gotoRule      = 2   // FR_ACT_GOTO

	fraDst        = 1  // FRA_DST
	fraSrc        = 2  // FRA_SRC
	fraIifname    = 3  // FRA_IIFNAME
	fraGoto       = 4  // FRA_GOTO
	fraPriority   = 6  // FRA_PRIORITY
	fraFwmark     = 10 // FRA_FWMARK
	fraTable      = 15 // FRA_TABLE
	fraFwmask     = 16 // FRA_FWMASK
	fraOifname    = 17 // FRA_OIFNAME
	fraL3mdev     = 19 // FRA_L3MDEV
	fraIPProto    = 22 // FRA_IP_PROTO
	fraSportRange = 23 // FRA_SPORT_RANGE
	fraDportRange = 24 // FRA_DPORT_RANGE
)

// otherSelectors are the attributes of what a rule selects by that is not known of a packet, by
// their names in ip-rule(8).
var otherSelectors = map[uint16]string{12: "tun_id", 20: "uidrange", 25: "dscp", 26: "flowlabel"}

// actions are the rules that drop.
var actions = map[byte]string{6: "blackhole", 7: "unreachable", 8: "prohibit"}

// A truth is whether a rule selects a packet: no, perhaps, if what it selects by is not known,
// or yes.
type truth uint8

const (
	no      truth = iota
	perhaps       // what decides is not known
	yes
)

// A rule is one of policy routing.
type rule struct {
	priority uint32 // the least goes first (FRA_PRIORITY)
	action   byte   // FR_ACT_*
	table    uint32
	vrf      bool   // the table is that of the VRF of the packet's interface
	target   uint32 // priority to go on with, of FR_ACT_GOTO
	invert   bool   // it is for packets that its selectors do not match (FIB_RULE_INVERT)

	src, dst     netip.Prefix // invalid: all
	iif, oif     string       // names of interfaces; empty: any
	protocol     uint8
	sport, dport [2]uint16 // a range; zero: all
	mark, mask   uint32    // a packet's mark must be mark in the bits of mask
	unknown      []string  // other selectors
}

// readRules reads those for the family of an address, in the order in which they apply.
func readRules(to netip.Addr) (all []rule, err error) {
	body := make([]byte, sizeofRuleHdr)
	body[0] = familyOf(to)
	err = kernel.Dump(kernel.Route, rtmGetRule, body, func(message []byte) error {
		r, err := parseRule(message)
		all = append(all, r)
		return err
	})
	return all, err
}

// parseRule reads a message about a rule (net/core/fib_rules.c fib_nl_fill_rule).
func parseRule(message []byte) (r rule, err error) {
	if err := kernel.CheckSize(message, sizeofRuleHdr, "a rule"); err != nil {
		return r, err
	}
	dstLen, srcLen := int(message[1]), int(message[2])
	r.action, r.table = message[7], uint32(message[4])
	r.invert = binary.NativeEndian.Uint32(message[8:])&fibRuleInvert != 0
	if message[3] != 0 {
		r.unknown = append(r.unknown, "tos")
	}
	err = kernel.EachAttribute(message[sizeofRuleHdr:], func(a *netlink.AttributeDecoder) { r.set(a, dstLen, srcLen) })
	return r, err
}

// set stores an attribute. The header of the message has the lengths of the prefixes, in bits. What no rule of today
// selects by is ignored.
func (r *rule) set(a *netlink.AttributeDecoder, dstLen, srcLen int) {
	switch a.Type() {
	case fraDst:
		r.dst = prefix(a.Bytes(), dstLen)
	case fraSrc:
		r.src = prefix(a.Bytes(), srcLen)
	case fraIifname:
		r.iif = a.String()
	case fraOifname:
		r.oif = a.String()
	case fraGoto:
		r.target = a.Uint32()
	case fraPriority:
		r.priority = a.Uint32()
	case fraFwmark:
		r.mark = a.Uint32()
	case fraFwmask:
		r.mask = a.Uint32()
	case fraTable:
		r.table = a.Uint32()
	case fraL3mdev:
		r.vrf = a.Uint8() != 0
	case fraIPProto:
		r.protocol = a.Uint8()
	case fraSportRange:
		r.sport = portRange(a.Bytes())
	case fraDportRange:
		r.dport = portRange(a.Bytes())
	default:
		if name := otherSelectors[a.Type()]; name != "" {
			r.unknown = append(r.unknown, name)
		}
	}
}

// prefix is one of an address, invalid if that is none.
func prefix(address []byte, bits int) netip.Prefix {
	a, _ := netip.AddrFromSlice(address)
	return netip.PrefixFrom(a, bits)
}

// portRange reads a struct fib_rule_port_range.
func portRange(b []byte) (r [2]uint16) {
	if len(b) == 4 {
		r[0], r[1] = binary.NativeEndian.Uint16(b[:2]), binary.NativeEndian.Uint16(b[2:])
	}
	return r
}

// isDefault reports whether the kernel made the rule: it is for all packets.
func (r *rule) isDefault() bool {
	return !r.vrf && kernelTables[r.table] != "" && r.selectors() == "from all" && r.action == toTable
}

// match reports whether the rule selects a packet (fib_rule_match).
func (r *rule) match(p *Packet) truth {
	all := yes
	for _, t := range []truth{
		inPrefix(r.src, p.From), inPrefix(r.dst, p.To), sameName(r.iif, p.Iif), r.leaves(p),
		sameNumber(uint16(r.protocol), uint16(p.Protocol)), inRange(r.sport, p.SrcPort), inRange(r.dport, p.DstPort),
	} {
		all = min(all, t)
	}
	if r.mark != 0 || r.mask != 0 || len(r.unknown) > 0 { // which is not known of a packet
		all = min(all, perhaps)
	}
	if r.invert {
		return yes - all
	}
	return all
}

// leaves reports whether the interface to leave by may be that of the rule: a packet that
// arrives has none yet.
func (r *rule) leaves(p *Packet) truth {
	switch {
	case r.oif == "":
		return yes
	case p.Iif != "":
		return no
	}
	return perhaps
}

// inPrefix reports whether an address is in a prefix; perhaps if the address is not known.
func inPrefix(of netip.Prefix, a netip.Addr) truth {
	switch {
	case !of.IsValid():
		return yes
	case !a.IsValid():
		return perhaps
	}
	return truthOf(of.Contains(a))
}

// sameName compares an interface with that of a packet; perhaps if that is not known.
func sameName(of, name string) truth {
	switch {
	case of == "":
		return yes
	case name == "":
		return perhaps
	}
	return truthOf(of == name)
}

func sameNumber(of, n uint16) truth { return inRange([2]uint16{of, of}, n) }

// inRange reports whether a port is in a range, both ends included; perhaps if it is not known.
func inRange(of [2]uint16, n uint16) truth {
	switch {
	case of == [2]uint16{}:
		return yes
	case n == 0:
		return perhaps
	}
	return truthOf(of[0] <= n && n <= of[1])
}

// truthOf is yes or no.
func truthOf(b bool) truth {
	if b {
		return yes
	}
	return no
}

// text is the rule as ip-rule(8) has it: "100: from all iif far lookup vpn".
func (r *rule) text(names map[uint32]string) string {
	action := cmp.Or(actions[r.action], "lookup "+nameOf(names, r.table))
	if r.vrf {
		action = "lookup [l3mdev-table]"
	}
	return fmt.Sprintf("%d: %s %s", r.priority, r.selectors(), action)
}

// selectors are what the rule selects by.
func (r *rule) selectors() string {
	from := "from all"
	if r.src.IsValid() {
		from = "from " + prefixText(r.src)
	}
	if r.invert {
		from = "not " + from
	}
	words := []string{from}
	add := func(name, value string, there bool) {
		if there {
			words = append(words, name, value)
		}
	}
	add("to", prefixText(r.dst), r.dst.IsValid())
	add("iif", r.iif, r.iif != "")
	add("oif", r.oif, r.oif != "")
	add("fwmark", markText(r.mark, r.mask), r.mark != 0 || r.mask != 0)
	add("ipproto", fmt.Sprint(r.protocol), r.protocol != 0)
	add("sport", rangeText(r.sport), r.sport != [2]uint16{})
	add("dport", rangeText(r.dport), r.dport != [2]uint16{})
	for _, name := range r.unknown {
		add(name, "...", true)
	}
	return strings.Join(words, " ")
}

// prefixText is an address, or a network.
func prefixText(p netip.Prefix) string {
	if p.IsSingleIP() {
		return p.Addr().String()
	}
	return p.String()
}

// markText is a mark as ip-rule(8) has it: without a mask that has all bits.
func markText(mark, mask uint32) string {
	if mask == 0xffffffff {
		return fmt.Sprintf("0x%x", mark)
	}
	return fmt.Sprintf("0x%x/0x%x", mark, mask)
}

// rangeText is a range of ports as ip-rule(8) has it.
func rangeText(r [2]uint16) string {
	if r[0] == r[1] {
		return fmt.Sprint(r[0])
	}
	return fmt.Sprintf("%d-%d", r[0], r[1])
}
