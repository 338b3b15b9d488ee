package diagnose

import (
	"slices"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/knowledge"
)

// fixRule gives the finding the commands to show its rule, and to delete it or to accept packets
// before it. They use the number or the handle that it had at the end of the interval. A bridged
// packet may have to avoid the chain, so that its fix remains.
func (f *Finding) fixRule(group counters.Group, object, about string) {
	const (
		chain  = "Allow the traffic in this chain if it is wanted: its policy drops what no rule accepts."
		shared = "Allow the traffic before this rule if it is wanted: the rule is for other packets as well."
		rule   = "Allow the traffic before this rule if it is wanted, or delete the rule:"
	)
	if group == counters.NFTables {
		f.nft.object, f.nft.text = object, about
	}
	m, e := &f.Meaning, f.event()
	switch c := commandsOf(group, object, about); {
	case c.show == "":
	case strings.HasPrefix(f.hook, "bridge "):
		*m = m.WithFix(e, c.show, m.Fix, m.Apply...)
	case f.is(knowledge.TooBigError):
		*m = m.WithFix(e, c.show, m.Fix, c.accept(f.ipv6.drops > 0))
	case f.is(knowledge.Discovery):
		*m = m.WithFix(e, c.show, m.Fix, c.insert+c.neighbours[0], c.insert+c.neighbours[1])
	case c.remove == "" && group == counters.NFTables && f.fixShared(c.show, chain, strings.Replace(c.insert, " insert ", " add ", 1)):
	case c.remove == "":
		*m = m.WithFix(e, c.show, chain)
	case group == counters.NFTables && f.fixCondition(&c, about):
	case group == counters.NFTables && isShared(about) && f.fixShared(c.show, shared, c.insert):
	default:
		*m = m.WithFix(e, c.show, rule, c.remove)
	}
}

// fixCondition has the finding raise the number of a rule of nftables that drops what is over it, or correct the route
// that the rule misses; false if the rule is another.
func (f *Finding) fixCondition(c *ruleCommands, text string) bool {
	m, e := &f.Meaning, f.event()
	text, _, _ = strings.Cut(text, ` comment "`) // which may have any words
	has := func(words string) bool { return strings.Contains(" "+text, " "+words) }
	switch {
	case has("limit rate over "):
		*m = m.WithFix(e, c.show, "Raise the limit of this rule if the traffic is wanted:", f.raise(c, text))
	case has("ct count over "):
		*m = m.WithFix(e, c.show, "Raise the count of connections of this rule if the traffic is wanted:", f.raise(c, text))
	case has("quota over "):
		*m = m.WithFix(e, c.show, "The quota of this rule is used up. Raise it if the traffic is wanted:", f.raise(c, text))
	case has(`quota name "`):
		*m = m.WithFix(e, c.show, "The quota that this rule uses is used up. Reset it, or raise it:", f.raise(c, text))
	case has(`limit name "`):
		*m = m.WithFix(e, c.show, "Raise the limit that this rule uses, in the file of the rules, if the traffic is wanted.")
	case has("fib saddr") && (has("oif missing ") || has("oif 0 ")):
		route := knowledge.Lookup("IP_RPFILTER")[0].Explain(e).Apply[0]
		*m = m.WithFix(e, c.show, "This rule filters by the reverse path: add the route back to the source.", route)
	default:
		return false
	}
	return true
}

// ruleCommands are the commands for a rule or a policy; all are empty if a name is none that a
// shell takes literally.
type ruleCommands struct {
	show    string
	remove  string    // empty: it is a policy
	replace string    // of nftables, what follows is the new text; empty as remove
	insert  string    // before the rule, or into the policy's chain; what follows is a match and a verdict
	errors  [2]string // that match ICMP "too big" of IPv4 and of IPv6, and accept it

	// neighbours match neighbour solicitations and advertisements, and accept them: each for itself, as iptables-nft
	// misreads a rule with several types.
	neighbours [2]string
}

// accept is the command that accepts ICMP "too big".
func (c *ruleCommands) accept(ipv6 bool) string {
	if ipv6 {
		return c.insert + c.errors[1]
	}
	return c.insert + c.errors[0]
}

// commandsOf returns the commands for the rule of a counter, by its object and what is known of it.
func commandsOf(group counters.Group, object, about string) (c ruleCommands) {
	words := strings.Fields(object)
	if len(words) < 4 || slices.ContainsFunc(words[:3], func(w string) bool { return !knowledge.IsWord(w) }) {
		return c
	}
	chain, isPolicy := strings.Join(words[:3], " "), object == strings.Join(words[:3], " ")+" policy"
	if group == counters.NFTables {
		c.show, c.insert = "nft -a list chain "+chain, "nft insert rule "+chain
		c.errors = [2]string{" icmp type destination-unreachable icmp code 4 accept", " icmpv6 type packet-too-big accept"}
		c.neighbours = [2]string{" icmpv6 type nd-neighbor-solicit accept", " icmpv6 type nd-neighbor-advert accept"}
		if !isPolicy && words[3] == "handle" && len(words) == 5 {
			c.remove, c.insert = "nft delete rule "+chain+" handle "+words[4], c.insert+" handle "+words[4]
			c.replace = "nft replace rule " + chain + " handle " + words[4]
		}
		return c
	}
	program := map[string]string{"ip": "iptables-legacy", "ip6": "ip6tables-legacy"}[words[0]]
	table := program + " -t " + words[1]
	c.show = table + " -L " + words[2] + " --line-numbers -v -n  # iptables, if there is no " + program
	c.insert = table + " -I " + words[2]
	c.errors = [2]string{" -p icmp --icmp-type fragmentation-needed -j ACCEPT", " -p ipv6-icmp --icmpv6-type packet-too-big -j ACCEPT"}
	c.neighbours = [2]string{
		" -p ipv6-icmp --icmpv6-type neighbour-solicitation -j ACCEPT", " -p ipv6-icmp --icmpv6-type neighbour-advertisement -j ACCEPT",
	}
	if number, ok := strings.CutPrefix(about, "rule "); ok && !isPolicy {
		c.remove, c.insert = table+" -D "+words[2]+" "+number, c.insert+" "+number
	}
	return c
}
