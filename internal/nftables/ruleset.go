package nftables

import (
	"cmp"
	"slices"

	"github.com/mdlayher/netlink"
	"github.com/mdlayher/netlink/nlenc"

	"dropwatch/internal/kernel"
)

// A Ruleset is what nf_tables has in a network namespace, as it is now.
type Ruleset struct {
	chains map[string]*chain                                        // by the name of a chain
	rules  map[string][]*rule                                       // of each chain, in their order
	sets   map[setName]*set                                         // their elements are read when a packet is first looked up in one
	read   map[setName]bool                                         // those whose elements were read
	dump   func(s *set, use func(message []byte) error) (err error) // reads the elements of a set
}

// A setName names a set or a map: names are unique in a table.
type setName struct {
	table tableName
	name  string
}

// A tableName names a table.
type tableName struct{ family, name string }

// Read reads the rules in the network namespace of the calling thread, where
// [Ruleset.Suspects] has to be called as well, as it reads sets. Tables that are dormant
// are left out. It needs CAP_NET_ADMIN.
func Read() (*Ruleset, error) {
	r := newRuleset()
	r.dump = dumpElements
	for _, read := range []struct {
		get uint16
		use func(message []byte) error
	}{{getChain, r.addChain}, {getRule, r.addRule}, {getSet, r.addSet}, {getTable, r.addTable}} {
		if err := dump(read.get, read.use); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// newRuleset returns one of no rules, by which every packet passes.
func newRuleset() *Ruleset {
	return &Ruleset{
		chains: make(map[string]*chain), rules: make(map[string][]*rule),
		sets: make(map[setName]*set), read: make(map[setName]bool),
	}
}

// addChain adds the chain of an NFT_MSG_NEWCHAIN.
func (r *Ruleset) addChain(message []byte) error {
	c, err := parseChain(message)
	r.chains[c.name] = &c
	return err
}

// addRule adds the rule of an NFT_MSG_NEWRULE behind those that came before: the kernel dumps them in their order.
func (r *Ruleset) addRule(message []byte) error {
	rule, err := parseRule(message)
	r.rules[rule.chain] = append(r.rules[rule.chain], &rule)
	return err
}

// addSet adds the set of an NFT_MSG_NEWSET, without its elements.
func (r *Ruleset) addSet(message []byte) error {
	s, err := parseSet(message)
	r.sets[setName{tableName{families[s.family], s.table}, s.name}] = &s
	return err
}

// addTable takes away the chains of a table that is dormant.
func (r *Ruleset) addTable(message []byte) error {
	const name, flags, dormant = 1, 2, 1
	family, attributes, err := parseNfgenmsg(message)
	if err != nil || kernel.BigEndian32(kernel.Attribute(attributes, flags))&dormant == 0 {
		return err
	}
	table := tableName{family, nlenc.String(kernel.Attribute(attributes, name))}
	for key, c := range r.chains {
		if c.table == table {
			delete(r.chains, key)
		}
	}
	return nil
}

// set returns a set with its elements, nil if they cannot be read.
func (r *Ruleset) set(table tableName, name string) *set {
	key := setName{table, name}
	s := r.sets[key]
	if s == nil || r.read[key] {
		return s
	}
	r.read[key] = true
	if err := r.dump(s, s.addElements); err != nil {
		delete(r.sets, key)
		return nil
	}
	s.sort()
	return s
}

// elementsOf is the body of a request for the elements of a set.
func elementsOf(s *set) ([]byte, error) {
	a := netlink.NewAttributeEncoder()
	a.String(nftaElemListTable, s.table)
	a.String(nftaElemListSet, s.name)
	attributes, err := a.Encode()
	return append([]byte{s.family, 0, 0, 0}, attributes...), err
}

// Chains are those that hooks call, in the order in which they are called.
func (r *Ruleset) Chains() (all []Chain) {
	for _, c := range r.base() {
		all = append(all, Chain{c.name, c.hook, c.drop})
	}
	return all
}

// base returns the chains that hooks call, of all hooks, in the order in which they are called.
func (r *Ruleset) base() (all []*chain) {
	for _, c := range r.chains {
		if c.hook != "" {
			all = append(all, c)
		}
	}
	slices.SortFunc(all, func(a, b *chain) int {
		return cmp.Or(cmp.Compare(a.priority, b.priority), cmp.Compare(a.name, b.name))
	})
	return all
}

// A Chain is a chain of nftables that a hook of netfilter calls.
type Chain struct {
	Name string `json:"name"`           // with its family and table, as nft has it: "inet fw input"
	Hook string `json:"hook"`           // by the names of [knowledge.Hook]
	Drop bool   `json:"drop,omitempty"` // its policy is to drop
}
