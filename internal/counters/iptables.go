package counters

import (
	"errors"
	"fmt"
	"strings"

	"dropwatch/internal/iptables"
)

// iptables reads the rules and policies of iptables and ip6tables, of which a kernel
// may have one only. Those of iptables-nft are rules of nftables.
func (r *reading) iptables() error {
	return errors.Join(ifThere(r.xtFamily(&iptables.IPv4)), ifThere(r.xtFamily(&iptables.IPv6)))
}

// xtFamily reads the rules and policies of all tables of iptables, or of ip6tables. The error is fs.ErrNotExist if the
// kernel has none, and that of the first table that cannot be read, as without CAP_NET_ADMIN.
func (r *reading) xtFamily(f *iptables.Family) error {
	names, err := r.host.ReadFile(netFile(f.Names))
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(names)) {
		table, err := xtables(f, name)
		if err == nil {
			err = r.xtTable(f, name, table)
		}
		if err != nil {
			return fmt.Errorf("table %s of %stables: %w", name, f.Name, err)
		}
	}
	return nil
}

// xtTable adds the counters of a table.
func (r *reading) xtTable(f *iptables.Family, table string, t *iptables.Table) error {
	same := make(map[string]int)
	return f.EachRule(t, func(rule *iptables.Rule) {
		if rule.Number == 0 {
			r.xtPolicy(f, table, rule)
			return
		}
		r.xtRule(f, table, rule, same)
	})
}

// xtPolicy adds the counter of a chain's policy.
func (r *reading) xtPolicy(f *iptables.Family, table string, rule *iptables.Rule) {
	r.add(Counter{
		Key:   Key{Object: fmt.Sprintf("%s %s %s policy", f.Name, table, rule.Chain), Name: packetsOf(rule.Drops())},
		Value: rule.Packets, About: "policy " + rule.Verdict, Hook: rule.Hook,
	})
}

// xtRule adds the counter of a rule, which is known by its text: its number changes
// with those before it. Rules with the same text are numbered in their order.
func (r *reading) xtRule(f *iptables.Family, table string, rule *iptables.Rule, same map[string]int) {
	object := strings.TrimSpace(strings.Join([]string{f.Name, table, rule.Chain, rule.Text()}, " "))
	same[object]++
	if n := same[object]; n > 1 {
		object += fmt.Sprintf(" (%d)", n)
	}
	r.add(Counter{
		Key:   Key{Object: object, Name: packetsOf(rule.Drops())},
		Value: rule.Packets, About: fmt.Sprintf("rule %d", rule.Number), Hook: rule.Hook,
	})
}
