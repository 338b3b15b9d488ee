package diagnose

import "dropwatch/internal/nftables"

// RuleOf is the rule of a finding, by what may drop each of its samples.
func RuleOf(samples [][]nftables.Suspect, byConntrack bool) Rule {
	f := Finding{byConntrack: byConntrack}
	f.setSuspects(together(samples))
	return f.Rule
}

var ParseQueues = parseQueues
