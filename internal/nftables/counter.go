package nftables

import (
	"github.com/mdlayher/netlink"

	"dropwatch/internal/kernel"
)

// A Counter counts the packets that came to a rule, to the policy of a chain, or to the rules
// that share a named counter.
type Counter struct {
	Object  string // "inet fw input handle 7", "inet fw input policy" or "inet fw counter named"
	Text    string // of the rule as nft has it, "; " between several; "policy drop"
	Hook    string // that calls its chain, by the names of [knowledge.Hook]; empty: others jump to it
	Drops   bool   // each packet that it counts is dropped
	Packets uint64 // since the rule, or the named counter, was made or reset
}

// EachCounter calls use with each counter in the network namespace of the calling thread; use
// must not keep it. It needs CAP_NET_ADMIN. A kernel without nf_tables has none: [fs.ErrNotExist].
func EachCounter(use func(*Counter)) error {
	c := counting{use: use, hooks: make(map[string]string), named: make(map[string]*rule)}
	for _, read := range []struct {
		get uint16
		use func(message []byte) error
	}{{getChain, c.addChain}, {getRule, c.addRule}, {getObj, c.addObject}} {
		if err := dump(read.get, read.use); err != nil {
			return err
		}
	}
	return nil
}

// A counting is what the counters of a namespace have in common while they are read.
type counting struct {
	use   func(*Counter)    // may keep what it gets
	hooks map[string]string // by the name of a chain
	named map[string]*rule  // by table and name of a counter: the rule that uses it; its text is of all of them
}

// addChain notes what calls a chain, and uses the counter of its policy.
func (c *counting) addChain(message []byte) error {
	ch, err := parseChain(message)
	if err == nil {
		c.hooks[ch.name] = ch.hook
		c.usePolicy(&ch)
	}
	return err
}

// usePolicy calls use with the counter of the policy of a base chain, if it has one (NFTA_CHAIN_COUNTERS).
func (c *counting) usePolicy(ch *chain) {
	if !ch.counts {
		return
	}
	text := "policy accept"
	if ch.drop {
		text = "policy drop"
	}
	c.use(&Counter{ch.name + " policy", text, ch.hook, ch.drop, ch.packets})
}

// addRule uses the counter of a rule. A named counter is counted by all of its rules: it
// tells of drops if each of them drops.
func (c *counting) addRule(message []byte) error {
	r, err := parseRule(message)
	if err != nil {
		return err
	}
	if r.counts {
		c.use(&Counter{r.name(), r.text, c.hooks[r.chain], r.drops, r.packets})
	}
	if r.object == "" {
		return nil
	}
	key := r.table + " counter " + r.object
	if before := c.named[key]; before != nil {
		before.drops = before.drops && r.drops
		before.text += "; " + r.text
		return nil
	}
	c.named[key] = &r
	return nil
}

// addObject uses a named counter (net/netfilter/nf_tables_api.c nf_tables_fill_obj_info).
func (c *counting) addObject(message []byte) error {
	family, attributes, err := parseNfgenmsg(message)
	if err != nil {
		return err
	}
	var table, name string
	var typ uint32
	var packets uint64
	err = kernel.EachAttribute(attributes, func(a *netlink.AttributeDecoder) {
		switch a.Type() {
		case nftaTable:
			table = family + " " + a.String()
		case nftaObjName:
			name = a.String()
		case nftaObjType:
			typ = kernel.BigEndian32(a.Bytes())
		case nftaObjData:
			packets, _ = parseCounter(a.Bytes())
		}
	})
	if err != nil || typ != objectCounter {
		return err
	}
	counter := Counter{Object: table + " counter " + name, Packets: packets}
	if r := c.named[counter.Object]; r != nil {
		counter.Drops, counter.Text = r.drops, r.text
	}
	c.use(&counter)
	return nil
}
