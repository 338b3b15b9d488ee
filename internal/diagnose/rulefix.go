package diagnose

import (
	"slices"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/knowledge"
)

// fixRule gives the finding the commands to show and to delete its rule. They use the number
// or the handle that it had at the end of the interval. A bridged packet may have to avoid
// the chain, so that its fix remains.
func (f *Finding) fixRule(group counters.Group, object, about string) {
	const (
		chain = "Allow the traffic in this chain if it is wanted: its policy drops what no rule accepts."
		rule  = "Allow the traffic before this rule if it is wanted, or delete the rule:"
	)
	m, e := &f.Meaning, f.event()
	switch check, remove := ruleCommands(group, object, about); {
	case check == "":
	case strings.HasPrefix(f.hook, "bridge "):
		*m = m.WithFix(e, check, m.Fix, m.Apply...)
	case remove == "":
		*m = m.WithFix(e, check, chain)
	default:
		*m = m.WithFix(e, check, rule, remove)
	}
}

// ruleCommands returns the commands that show the rule of a counter, with its object, and
// that delete it, none for a policy. They are empty if a name is none that a shell takes literally.
func ruleCommands(group counters.Group, object, about string) (check, remove string) {
	words := strings.Fields(object)
	if len(words) < 4 || slices.ContainsFunc(words[:3], func(w string) bool { return !knowledge.IsWord(w) }) {
		return "", ""
	}
	chain, isPolicy := strings.Join(words[:3], " "), object == strings.Join(words[:3], " ")+" policy"
	if group == counters.NFTables {
		if !isPolicy && words[3] == "handle" && len(words) == 5 {
			remove = "nft delete rule " + chain + " handle " + words[4]
		}
		return "nft -a list chain " + chain, remove
	}
	program := map[string]string{"ip": "iptables-legacy", "ip6": "ip6tables-legacy"}[words[0]]
	table := program + " -t " + words[1]
	if number, ok := strings.CutPrefix(about, "rule "); ok && !isPolicy {
		remove = table + " -D " + words[2] + " " + number
	}
	return table + " -L " + words[2] + " --line-numbers -v -n  # iptables, if there is no " + program, remove
}
