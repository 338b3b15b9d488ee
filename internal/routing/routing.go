// Package routing asks the kernel, in the network namespace of the calling thread, what
// becomes of a packet: which routes, and which rules of policy routing (ip-rule(8)), lead it
// nowhere, and by which interface it has to leave.
package routing

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// A Packet is what routes and rules select by. What is not known is zero.
type Packet struct {
	From, To         netip.Addr // as in the packet, after any translation
	Protocol         uint8      // of IP
	SrcPort, DstPort uint16     // 0: not known, or a protocol without
	Iif              string     // interface by which it arrived
}

// A DeadEnd is a route, or a rule of policy routing, that leads nowhere: packets are dropped.
type DeadEnd struct {
	Type   string       `json:"type"` // as ip-route(8) has it: blackhole, prohibit or unreachable
	Prefix netip.Prefix `json:"prefix,omitzero"`
	Table  string       `json:"table,omitempty"`

	// Rule is the one that drops, as ip-rule(8) has it; of a route that which leads to its
	// table, unless all packets come to that. It is deleted by Pref.
	Rule string `json:"rule,omitempty"`
	Pref uint32 `json:"pref,omitempty"`
}

// ByRule reports whether a rule drops, whatever routes there are.
func (d *DeadEnd) ByRule() bool { return !d.Prefix.IsValid() }

// String is the route or the rule for a person: "blackhole 10.9.0.0/16, table main".
func (d DeadEnd) String() string {
	if d.ByRule() {
		return "rule " + d.Rule
	}
	text := fmt.Sprintf("%s %v, table %s", d.Type, d.Prefix, d.Table)
	if d.Rule != "" {
		text += ", by rule " + d.Rule
	}
	return text
}

// noRoute is the type of what a packet meets that has no route. Rules of type unreachable look
// like that (net/ipv4/fib_rules.c fib4_rule_action, net/ipv6/fib6_rules.c).
const noRoute = "none"

// ruleTypes are the types of rules that do as a dead end of some type.
var ruleTypes = map[string]string{"blackhole": "blackhole", "prohibit": "prohibit", noRoute: "unreachable"}

// DeadEnds returns what may have dropped a packet, by the type of its route: blackhole, prohibit
// or unreachable, or none if it had no route. They are in the order in which the packet comes to
// them. Names are those of tables, see [TableNames]. It fails before Linux 4.20, which cannot
// select routes by their type.
func DeadEnds(kind string, p *Packet, names map[uint32]string) ([]DeadEnd, error) {
	dead, err := deadRoutes(kind, p.To)
	if err != nil {
		return nil, err
	}
	rules, err := readRules(p.To)
	if err != nil { // a kernel without policy routing has these tables alone
		rules = []rule{{action: toTable, table: tableLocal}, {action: toTable, table: tableMain}, {action: toTable, table: tableDefault}}
	}
	return walk(rules, kind, p, dead, names), nil
}

// walk takes a packet through rules, until it comes to a dead end for certain.
func walk(rules []rule, kind string, p *Packet, dead map[uint32]netip.Prefix, names map[uint32]string) (all []DeadEnd) {
	var target uint32 // of a goto
	for i := range rules {
		r := &rules[i]
		match := r.match(p)
		if match == no || r.priority < target {
			continue
		}
		switch {
		case r.action == gotoRule && match == yes:
			target = r.target
		case r.action == toTable:
			for _, table := range r.tables(rules, dead) {
				d := DeadEnd{Type: kind, Prefix: dead[table], Table: nameOf(names, table)}
				if !r.isDefault() {
					d.Rule, d.Pref = r.text(names), r.priority
				}
				all = append(all, d)
				if match == yes {
					return all
				}
			}
		case actions[r.action] != "" && actions[r.action] == ruleTypes[kind]:
			all = append(all, DeadEnd{Type: actions[r.action], Rule: r.text(names), Pref: r.priority})
			if match == yes {
				return all
			}
		}
	}
	return all
}

// tables are those with a dead end that a rule leads to: one, or those of interfaces (VRF),
// which no other rule names.
func (r *rule) tables(rules []rule, dead map[uint32]netip.Prefix) (all []uint32) {
	if !r.vrf {
		if _, ok := dead[r.table]; ok {
			all = append(all, r.table)
		}
		return all
	}
	for _, table := range slices.Sorted(maps.Keys(dead)) {
		if !slices.ContainsFunc(rules, func(o rule) bool { return !o.vrf && o.action == toTable && o.table == table }) {
			all = append(all, table)
		}
	}
	return all
}

// nameOf is the name of a table, or its number.
func nameOf(names map[uint32]string, table uint32) string {
	return cmp.Or(names[table], kernelTables[table], fmt.Sprint(table))
}

// Tables that every kernel has (RT_TABLE_*).
const (
	tableDefault = 253 // RT_TABLE_DEFAULT
	tableMain    = 254 // RT_TABLE_MAIN
	tableLocal   = 255 // RT_TABLE_LOCAL
)

// kernelTables are the tables that the kernel has itself (include/uapi/linux/rtnetlink.h rt_class_t); others have names
// in /etc/iproute2/rt_tables.
var kernelTables = map[uint32]string{tableDefault: "default", tableMain: "main", tableLocal: "local"}
