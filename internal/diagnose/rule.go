package diagnose

import (
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/nftables"
)

// A Rule is the firewall's rule or policy that dropped the packets of a finding.
type Rule struct {
	Text       string // as nft or iptables has it, "; " between several; it may hold any bytes
	Confidence Confidence
}

// An nftRule is the only rule of nftables that dropped the packets of a finding, or likely did: as nft names and writes
// it. The zero one is not known.
type nftRule struct{ object, text string }

// A Confidence says how sure a Rule is.
type Confidence string

// The degrees of it: by the counter of a rule, or else by samples of the packets.
const (
	Exactly  Confidence = "exactly"         // its counter alone rose, by as many; or it certainly drops each sample
	OneOf    Confidence = "one of"          // the counters of these rose; or each of these may drop a sample
	Likely   Confidence = "likely"          // its counter alone rose, by another number; or only it may drop the samples
	PolicyOf Confidence = "policy of chain" // as exactly, of this chain's policy
	AtHook   Confidence = "chains at hook"  // no counter rose and no sample is known: one of these, or what they jump to
)

// The counters of the rules and policies that drop.
const (
	nftablesDrops = "nftables.drop_packets"
	iptablesDrops = "iptables.drop_packets"
)

// isDropRule reports whether a counter is that of a rule or a policy that drops.
func isDropRule(r *counters.Row) bool {
	return r.ID() == nftablesDrops || r.ID() == iptablesDrops
}

// findRules sets the rules of the findings that a firewall made, by the counters that
// rose.
func findRules(findings []Finding, rows []counters.Row) {
	var dropped []*counters.Row
	for i := range rows {
		if isDropRule(&rows[i]) && rows[i].Delta > 0 {
			dropped = append(dropped, &rows[i])
		}
	}
	for i := range findings {
		findings[i].findRule(findings, dropped)
		findings[i].byConntrack = slices.ContainsFunc(rows, func(r counters.Row) bool {
			return r.Delta > 0 && trackingHooks[r.ID()] != nil && findings[i].mayBeTracking(&r)
		})
	}
}

// findRule chooses among the rules that dropped: one whose counter rose by as many as
// the finding has drops, or as all findings together that may be of the rule.
func (f *Finding) findRule(all []Finding, dropped []*counters.Row) {
	var possible, exact []*counters.Row
	for _, r := range dropped {
		if !f.mayBeOf(r) {
			continue
		}
		var together uint64
		for i := range all {
			if all[i].mayBeOf(r) {
				together += all[i].Count
			}
		}
		possible = append(possible, r)
		if r.Delta == f.Count || r.Delta == together {
			exact = append(exact, r)
		}
	}
	switch {
	case len(exact) == 1:
		f.setRule(exact[0])
	case len(exact) > 1:
		f.setOneOf(exact)
	case len(possible) > 0:
		f.setOneOf(possible)
	}
}

// mayBeOf reports whether a rule may have dropped the packets: it is in the same
// network namespace, at the same hook, and not for IPv4 alone if they are of IPv6, or
// the other way round.
func (f *Finding) mayBeOf(r *counters.Row) bool {
	family, _, _ := strings.Cut(r.Object, " ")
	return slices.Contains(f.Meaning.Counters, r.ID()) && f.atHook(r.Hook) && f.isIn(r) &&
		(family != "ip" || f.ipv6.drops < f.Count) && (family != "ip6" || f.ipv6.drops > 0)
}

// atHook reports whether packets may have been dropped at a hook. br_netfilter passes
// bridged packets to the hooks of IP.
func (f *Finding) atHook(hook string) bool {
	return hook == "" || f.hook == "" || f.hook == hook || f.hook == "bridge "+hook
}

// setRule sets the one rule, or policy, whose counter rose by the drops.
func (f *Finding) setRule(r *counters.Row) {
	f.rules = []counters.Key{r.Key}
	f.Rule = Rule{ruleText(r), Exactly}
	if chain, isPolicy := strings.CutSuffix(r.Object, " policy"); isPolicy {
		f.Rule = Rule{string(r.Group) + " " + chain, PolicyOf}
	}
	f.fixRule(r.Group, r.Object, r.About)
}

// setOneOf sets the rules that may have dropped the packets, of which none is known to have.
func (f *Finding) setOneOf(rules []*counters.Row) {
	var texts []string
	for _, r := range rules {
		f.rules = append(f.rules, r.Key)
		texts = append(texts, fmt.Sprintf("%s +%d", ruleText(r), r.Delta))
	}
	f.Rule = Rule{strings.Join(texts, "; "), OneOf}
	if len(rules) == 1 {
		f.Rule.Confidence = Likely
		f.fixRule(rules[0].Group, rules[0].Object, rules[0].About)
	}
}

// ruleText names a rule: "nftables inet fw input handle 7 (udp dport 9 counter drop)".
func ruleText(r *counters.Row) string { return fmt.Sprintf("%s %s (%s)", r.Group, r.Object, r.About) }

// readRules finds the rules of nftables without a counter that dropped the packets of
// findings: those that points name, or else it takes samples of the packets through the
// rules at the hook. It asks the kernel for those now, in the network namespace of the
// finding; what cannot be read is left out.
func (d *Diagnosis) readRules(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		if len(f.Namespaces) > 0 || !slices.Contains(f.Meaning.Counters, nftablesDrops) {
			continue
		}
		f.readRule(h)
	}
}

// readRule sets the rule by the verdicts that points have seen if those are as many as the drops, whatever the counters say.
// Verdicts on some of the drops, as of points that began later, are likely those on all, where neither a counter nor the
// samples show a rule for certain.
func (f *Finding) readRule(h *Host) {
	reached, onAll := f.readReached(h)
	switch {
	case f.setSeen():
		f.byConntrack = false
		return
	case onAll:
		f.byConntrack = false
		f.setSuspects(reached)
		return
	case f.Rule.Text != "":
		return
	}
	suspects, known := f.evaluate(h)
	switch certain := len(suspects) == 1 && suspects[0].Certain; {
	case len(reached) > 0 && !certain:
		f.setSuspects(reached)
	case known:
		f.setSuspects(suspects)
	case f.hook != "":
		f.setChains(h.chains(f.Netns.Inode))
	}
}

// evaluate returns what may have dropped the samples. Known is false without samples or a hook, or if the rules cannot be read.
func (f *Finding) evaluate(h *Host) (suspects []nftables.Suspect, known bool) {
	var all [][]nftables.Suspect
	for i := 0; i < len(f.samples) && f.hook != ""; i++ {
		of, ok := h.suspects(f.Netns.Inode, f.hook, &f.samples[i])
		if !ok {
			return nil, false
		}
		all = append(all, of)
	}
	return together(all), len(all) > 0
}

// together are those that may drop one of the samples. One is certain if it is for each
// sample.
func together(samples [][]nftables.Suspect) (all []nftables.Suspect) {
	certain := make(map[string]int) // of how many samples, by object
	for _, suspects := range samples {
		for _, s := range suspects {
			if s.Certain {
				certain[s.Object]++
			}
			if !slices.ContainsFunc(all, func(o nftables.Suspect) bool { return o.Object == s.Object }) {
				all = append(all, s)
			}
		}
	}
	for i := range all {
		all[i].Certain = certain[all[i].Object] == len(samples)
	}
	return all
}

// setSuspects sets the rules that may have dropped the packets. That there are none is no
// evidence for any chain.
func (f *Finding) setSuspects(all []nftables.Suspect) {
	if len(all) == 0 {
		return
	}
	f.Rule = ruleOf(all, f.byConntrack)
	if len(all) > 1 {
		return
	}
	s := &all[0]
	object := s.Object
	if s.Policy {
		object += " policy"
	}
	f.fixRule(counters.NFTables, object, s.Text)
}

// ruleOf returns the rule by all that may have dropped a packet, zero if there are none. If something else may
// have done it as well, none is certain.
func ruleOf(all []nftables.Suspect, orElse bool) Rule {
	const most = 3
	var texts []string
	for i, s := range all {
		if i == most {
			texts = append(texts, fmt.Sprintf("and %d more", len(all)-most))
			break
		}
		texts = append(texts, suspectText(&s))
	}
	text := strings.Join(texts, "; ")
	switch {
	case len(all) == 0:
		return Rule{}
	case len(all) > 1:
		return Rule{text, OneOf}
	case !all[0].Certain || orElse:
		return Rule{text, Likely}
	case all[0].Policy:
		return Rule{string(counters.NFTables) + " " + all[0].Object, PolicyOf}
	}
	return Rule{text, Exactly}
}

// suspectText is as ruleText.
func suspectText(s *nftables.Suspect) string {
	return fmt.Sprintf("%s %s (%s)", counters.NFTables, s.Object, s.Text)
}

// setChains sets the chains at the hook: one of them dropped the packets, and it is not known by which rule.
func (f *Finding) setChains(chains []nftables.Chain) {
	var names []string
	for _, c := range chains {
		switch {
		case !f.atHook(c.Hook):
		case c.Drop:
			names = append(names, c.Name+" (policy drop)")
		default:
			names = append(names, c.Name)
		}
	}
	if len(names) > 0 {
		f.Rule = Rule{f.hook + ": " + strings.Join(names, "; "), AtHook}
	}
}
