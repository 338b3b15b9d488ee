package nftables

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nlenc"

	"dropwatch/internal/kernel"
)

// Messages and attributes of include/uapi/linux/netfilter/{nfnetlink,nf_tables}.h.
const (
	sizeofNfgenmsg = 4 // struct nfgenmsg

	nfprotoIPv4 = 2  // as AF_INET
	nfprotoIPv6 = 10 // NFPROTO_IPV6

	getTable = 1  // NFT_MSG_GETTABLE
	getChain = 4  // NFT_MSG_GETCHAIN
	getRule  = 7  // NFT_MSG_GETRULE
	getObj   = 19 // NFT_MSG_GETOBJ

	nftaTable = 1 // of a chain, a rule, an object

	nftaChainName     = 3 // NFTA_CHAIN_NAME
	nftaChainHook     = 4 // NFTA_CHAIN_HOOK
	nftaChainPolicy   = 5 // NFTA_CHAIN_POLICY
	nftaChainType     = 7 // NFTA_CHAIN_TYPE
	nftaChainCounters = 8 // NFTA_CHAIN_COUNTERS
	nftaHookNum       = 1 // NFTA_HOOK_HOOKNUM
	nftaHookPriority  = 2 // NFTA_HOOK_PRIORITY
	nftaHookDevice    = 3 // NFTA_HOOK_DEV
	nftaHookDevices   = 4 // a list of them

	nftaRuleChain    = 2 // NFTA_RULE_CHAIN
	nftaRuleHandle   = 3 // NFTA_RULE_HANDLE
	nftaRuleExprs    = 4 // NFTA_RULE_EXPRESSIONS
	nftaRuleUserdata = 7 // NFTA_RULE_USERDATA

	nftaObjName = 2 // NFTA_OBJ_NAME
	nftaObjType = 3 // NFTA_OBJ_TYPE
	nftaObjData = 4 // NFTA_OBJ_DATA

	nftaCounterPackets = 2 // NFTA_COUNTER_PACKETS
	objectCounter      = 1 // NFT_OBJECT_COUNTER
	objectQuota        = 2 // NFT_OBJECT_QUOTA
	objectLimit        = 4 // NFT_OBJECT_LIMIT
	objectConnlimit    = 5 // NFT_OBJECT_CONNLIMIT
)

// families are the families of tables, as nft has them.
var families = map[byte]string{1: "inet", nfprotoIPv4: "ip", 3: "arp", 5: "netdev", 7: "bridge", nfprotoIPv6: "ip6"}

// A chain is a chain of nftables.
type chain struct {
	name     string // with its family and table, as nft has it: "inet fw input"
	table    tableName
	hook     string   // that calls it, by the names of [knowledge.Hook]; empty: others jump to it
	priority int32    // the least is called first
	devices  []string // interfaces that it is for; nil: all
	nat      bool     // only the first packet of a connection comes to it
	drop     bool     // its policy
	packets  uint64   // that came to its policy
	counts   bool     // its policy has a counter: without, packets is 0
}

// parseNfgenmsg gives the family of a message's table, and its attributes, whose
// numbers are in network byte order.
func parseNfgenmsg(data []byte) (family string, attributes []byte, err error) {
	if err := kernel.CheckSize(data, sizeofNfgenmsg, "nftables"); err != nil {
		return "", nil, err
	}
	family = families[data[0]]
	if family == "" {
		family = fmt.Sprintf("family%d", data[0])
	}
	return family, data[sizeofNfgenmsg:], nil
}

// parseChain reads a message about a chain (nf_tables_fill_chain_info).
func parseChain(data []byte) (c chain, err error) {
	family, attributes, err := parseNfgenmsg(data)
	if err != nil {
		return c, err
	}
	var table, name string
	err = kernel.EachAttribute(attributes, func(a *netlink.AttributeDecoder) {
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
			c.drop = kernel.BigEndian32(a.Bytes()) == nfDrop
		case nftaChainCounters:
			c.packets, c.counts = parseCounter(a.Bytes())
		}
	})
	c.name, c.table = family+" "+table+" "+name, tableName{family, table}
	return c, err
}

// setHook reads what calls the chain (nft_dump_basechain_hook).
func (c *chain) setHook(family string, hook []byte) {
	c.hook = hookName(family, kernel.BigEndian32(kernel.Attribute(hook, nftaHookNum)))
	c.priority = int32(kernel.BigEndian32(kernel.Attribute(hook, nftaHookPriority)))
	if device := nlenc.String(kernel.Attribute(hook, nftaHookDevice)); device != "" {
		c.devices = append(c.devices, device)
	}
	eachNested(kernel.Attribute(hook, nftaHookDevices), func(name []byte) { c.devices = append(c.devices, nlenc.String(name)) })
}

// parseCounter reads the packets of a counter, false if there are none.
func parseCounter(attributes []byte) (packets uint64, ok bool) {
	b := kernel.Attribute(attributes, nftaCounterPackets)
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
