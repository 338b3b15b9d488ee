package counters

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nlenc"
)

// Messages and attributes of include/uapi/linux/netfilter/{nfnetlink,nf_tables}.h.
const (
	sizeofNfgenmsg = 4

	nftGetTable = 1
	nftGetChain = 4
	nftGetRule  = 7
	nftGetObj   = 19

	nftaTable = 1 // of a chain, a rule, an object

	nftaChainName     = 3
	nftaChainHook     = 4
	nftaChainPolicy   = 5
	nftaChainType     = 7
	nftaChainCounters = 8
	nftaHookNum       = 1
	nftaHookPriority  = 2
	nftaHookDevice    = 3
	nftaHookDevices   = 4 // a list of them

	nftaRuleChain    = 2
	nftaRuleHandle   = 3
	nftaRuleExprs    = 4
	nftaRuleUserdata = 7

	nftaObjName = 2
	nftaObjType = 3
	nftaObjData = 4

	nftaCounterPackets = 2
	nftObjectCounter   = 1
)

// nftFamilies are the families of tables, as nft has them.
var nftFamilies = map[byte]string{1: "inet", afInet: "ip", 3: "arp", 5: "netdev", 7: "bridge", afInet6: "ip6"}

// An nftChain is a chain of nftables.
type nftChain struct {
	name     string // with its family and table, as nft has it: "inet fw input"
	table    nftTable
	hook     string   // that calls it, by the names of [knowledge.Hook]; empty: others jump to it
	priority int32    // the least is called first
	devices  []string // interfaces that it is for; nil: all
	nat      bool     // only the first packet of a connection comes to it
	drop     bool     // its policy
	packets  uint64   // that came to its policy
	counts   bool
}

// An nftRule is a rule as nft prints it, and what it counts.
type nftRule struct {
	chain   string // as in nftChain
	table   string
	handle  uint64
	text    string
	packets uint64
	counts  bool
	object  string // the named counter that counts it
	drops   bool   // each packet that it counts is dropped

	expressions []byte // the list of them, in the memory of the kernel's message
}

// A Chain is a chain of nftables that a hook of netfilter calls.
type Chain struct {
	Name string `json:"name"`           // with its family and table, as nft has it: "inet fw input"
	Hook string `json:"hook"`           // by the names of [knowledge.Hook]
	Drop bool   `json:"drop,omitempty"` // its policy is to drop
}

func nftChains() (all []nftChain, err error) {
	err = nftablesDump(nftGetChain, func(message []byte) error {
		c, err := parseChain(message)
		all = append(all, c)
		return err
	})
	return all, err
}

// nftables reads the rules, policies and named counters that count packets.
func (r *reading) nftables() error {
	chains, err := nftChains()
	if err != nil {
		return err
	}
	rules := rulesOf{hooks: make(map[string]string), named: make(map[string]*nftRule)}
	for i := range chains {
		r.nftPolicy(&chains[i])
		rules.hooks[chains[i].name] = chains[i].hook
	}
	err = nftablesDump(nftGetRule, func(message []byte) error {
		rule, err := parseRule(message)
		if err == nil {
			r.nftRule(&rule, &rules)
		}
		return err
	})
	if err != nil {
		return err
	}
	return nftablesDump(nftGetObj, func(message []byte) error { return r.nftObject(message, rules.named) })
}

// rulesOf is what the rules of a namespace have in common.
type rulesOf struct {
	hooks map[string]string   // by the name of a chain
	named map[string]*nftRule // by table and name of a counter: the rule that uses it; its text is of all of them
}

// nftPolicy adds the counter of a chain's policy.
func (r *reading) nftPolicy(c *nftChain) {
	if !c.counts {
		return
	}
	about := "policy accept"
	if c.drop {
		about = "policy drop"
	}
	r.add(Counter{
		Key: Key{Object: c.name + " policy", Name: packetsOf(c.drop)}, Value: c.packets, About: about, Hook: c.hook,
	})
}

// packetsOf names a counter of packets by what happened to them: only of what was
// dropped it is a loss.
func packetsOf(dropped bool) string {
	if dropped {
		return "drop_packets"
	}
	return "packets"
}

// nftRule adds the counter of a rule. A named counter is counted by all of its rules:
// it tells of drops if each of them drops.
func (r *reading) nftRule(rule *nftRule, all *rulesOf) {
	if rule.counts {
		r.add(Counter{
			Key:   Key{Object: fmt.Sprintf("%s handle %d", rule.chain, rule.handle), Name: packetsOf(rule.drops)},
			Value: rule.packets, About: rule.text, Hook: all.hooks[rule.chain],
		})
	}
	if rule.object == "" {
		return
	}
	key := rule.table + " counter " + rule.object
	if before := all.named[key]; before != nil {
		before.drops = before.drops && rule.drops
		before.text += "; " + rule.text
		return
	}
	all.named[key] = rule
}

// nftObject adds a named counter (net/netfilter/nf_tables_api.c nf_tables_fill_obj_info).
func (r *reading) nftObject(message []byte, rules map[string]*nftRule) error {
	family, attributes, err := parseNfgenmsg(message)
	if err != nil {
		return err
	}
	var table, name string
	var typ uint32
	var packets uint64
	err = eachAttribute(attributes, func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case nftaTable:
			table = family + " " + a.String()
		case nftaObjName:
			name = a.String()
		case nftaObjType:
			typ = bigEndian32(a.Bytes())
		case nftaObjData:
			packets, _ = parseCounter(a.Bytes())
		}
	})
	if err != nil || typ != nftObjectCounter {
		return err
	}
	c := Counter{Key: Key{Object: table + " counter " + name, Name: packetsOf(false)}, Value: packets}
	if rule := rules[c.Object]; rule != nil {
		c.Name, c.About = packetsOf(rule.drops), rule.text
	}
	r.add(c)
	return nil
}

// parseNfgenmsg gives the family of a message's table, and its attributes, whose
// numbers are in network byte order.
func parseNfgenmsg(data []byte) (family string, attributes []byte, err error) {
	if len(data) < sizeofNfgenmsg {
		return "", nil, fmt.Errorf("the kernel's message about nftables has %d bytes, and should have %d", len(data), sizeofNfgenmsg)
	}
	family = nftFamilies[data[0]]
	if family == "" {
		family = fmt.Sprintf("family%d", data[0])
	}
	return family, data[sizeofNfgenmsg:], nil
}

// parseChain reads a message about a chain (nf_tables_fill_chain_info).
func parseChain(data []byte) (c nftChain, err error) {
	family, attributes, err := parseNfgenmsg(data)
	if err != nil {
		return c, err
	}
	var table, name string
	err = eachAttribute(attributes, func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case nftaTable:
			table = a.String()
		case nftaChainName:
			name = a.String()
		case nftaChainHook:
			c.setHook(family, a.Bytes())
		case nftaChainType:
			c.nat = a.String() == "nat"
		case nftaChainPolicy:
			c.drop = bigEndian32(a.Bytes()) == nfDrop
		case nftaChainCounters:
			c.packets, c.counts = parseCounter(a.Bytes())
		}
	})
	c.name, c.table = family+" "+table+" "+name, nftTable{family, table}
	return c, err
}

// setHook reads what calls the chain (nft_dump_basechain_hook).
func (c *nftChain) setHook(family string, hook []byte) {
	c.hook = hookName(family, bigEndian32(attribute(hook, nftaHookNum)))
	c.priority = int32(bigEndian32(attribute(hook, nftaHookPriority)))
	if device := nlenc.String(attribute(hook, nftaHookDevice)); device != "" {
		c.devices = append(c.devices, device)
	}
	eachNested(attribute(hook, nftaHookDevices), func(name []byte) { c.devices = append(c.devices, nlenc.String(name)) })
}

// parseCounter reads the packets of a counter, false if there are none.
func parseCounter(attributes []byte) (packets uint64, ok bool) {
	b := attribute(attributes, nftaCounterPackets)
	if len(b) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(b), true
}

// hookName gives the name of a hook of netfilter (include/uapi/linux/netfilter.h,
// netfilter_bridge.h, netfilter_arp.h) as knowledge.Hook has it.
func hookName(family string, hook uint32) string {
	ip := []string{"prerouting", "input", "forward", "output", "postrouting", "ingress"}
	of := map[string][]string{"netdev": {"ingress", "egress"}, "arp": {"input", "output", "forward"}}
	names, ok := of[family]
	if !ok {
		names = ip
	}
	switch {
	case hook >= uint32(len(names)):
		return fmt.Sprintf("hook %d", hook)
	case family == "bridge", family == "arp":
		return family + " " + names[hook]
	case strings.HasSuffix(names[hook], "gress"):
		return names[hook]
	}
	return strings.ToUpper(names[hook])
}

// attribute gives the value of the first attribute of a type, nil if there is none
// (struct nlattr). It is called very often, so that it allocates nothing.
func attribute(attributes []byte, typ uint16) []byte {
	const header, typeMask = 4, 0x3fff
	for len(attributes) >= header {
		n := int(binary.NativeEndian.Uint16(attributes))
		if n < header || n > len(attributes) {
			return nil
		}
		if binary.NativeEndian.Uint16(attributes[2:])&typeMask == typ {
			return attributes[header:n]
		}
		attributes = attributes[min((n+3)&^3, len(attributes)):]
	}
	return nil
}

// bigEndian32 reads a number, 0 if it has another size.
func bigEndian32(b []byte) uint32 {
	if len(b) != 4 {
		return 0
	}
	return binary.BigEndian.Uint32(b)
}
