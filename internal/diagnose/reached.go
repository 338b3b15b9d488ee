package diagnose

import (
	"fmt"
	"strings"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/nftables"
)

// A verdictAt is where a packet was dropped: by a rule of a table, or by the policy of the chain that a hook had called.
type verdictAt struct {
	family       byte
	table, chain string
	handle       uint64 // 0: the policy
}

// verdictOf returns what the points of nftables read. Ok is false of other points, and if the rule is not known.
func verdictOf(name string, args []event.Arg) (at verdictAt, ok bool) {
	ok = name == "nftables_policy"
	for _, a := range args {
		switch a.Name {
		case "family":
			at.family = byte(a.Number)
		case "table":
			at.table = a.Text
		case "chain":
			at.chain = a.Text
		case "handle":
			at.handle, ok = a.Number, name == "nftables"
		}
	}
	return at, ok
}

// A reachedAnswer is what dropped a packet, and at which hook.
type reachedAnswer struct {
	nftables.Suspect
	Hook string `json:"hook,omitempty"`
}

// reached returns what a verdict is of in a network namespace. Its Object is empty if that is not known.
func (h *Host) reached(netns uint32, at verdictAt) reachedAnswer {
	return ask(h, fmt.Sprintf("verdict %d %v", netns, at), func() (a reachedAnswer) {
		if rules := h.ruleset(netns); rules != nil {
			_ = h.within(netns, func() error {
				a.Suspect, a.Hook = rules.Reached(at.family, at.table, at.chain, at.handle)
				return nil
			})
		}
		return a
	})
}

// readReached returns the rules of the verdicts that points have seen. If those are as many as the drops, they are all on
// them, and certain.
func (f *Finding) readReached(h *Host) (all []nftables.Suspect, onAll bool) {
	var count uint64
	for _, v := range f.reached {
		at, _ := verdictOf(v.Name, v.Args)
		by := h.reached(f.Netns.Inode, at)
		if by.Object == "" || !f.atHook(by.Hook) {
			continue
		}
		v.rule = sentenceOf(&by.Suspect)
		f.Points = append(f.Points, v)
		all, count = append(all, by.Suspect), count+v.Count
	}
	onAll = len(all) > 0 && count >= f.Count
	for i := range all {
		all[i].Certain = onAll
	}
	return all, onAll
}

// sentenceOf says what a rule or a policy did: "dropped by nftables: table inet filter, chain input, handle 17: udp dport
// 9 drop".
func sentenceOf(s *nftables.Suspect) string {
	words := strings.Fields(s.Object)
	if len(words) < 3 {
		return ""
	}
	where := fmt.Sprintf("dropped by nftables: table %s %s, chain %s", words[0], words[1], words[2])
	if len(words) > 3 {
		where += ", " + strings.Join(words[3:], " ")
	}
	return event.Escape(where + ": " + s.Text)
}

// iptablesPoint is the point of the verdicts of iptables.
const iptablesPoint = "iptables"

// ruleSeen returns the rule or the policy of iptables that a point has seen to drop packets, as its counter is named, with
// their number. Ok is false of other points, and where it is not known.
func (v *PointValues) ruleSeen() (r counters.Row, ok bool) {
	chain, known := v.arg("chain")
	number, _ := v.arg("rule")
	family, _ := v.arg("family")
	table, _ := v.arg("table")
	text, hasText := v.arg("text")
	if v.Name != iptablesPoint || !known || !hasText {
		return r, false
	}
	of := fmt.Sprintf("%s %s %s ", families[family.Number], table.Text, chain.Text)
	r.Group, r.Delta = counters.IPTables, v.Count
	if number.Number == 0 {
		r.Object, r.About = of+"policy", "policy DROP"
	} else {
		r.Object, r.About = of+text.Text, fmt.Sprintf("rule %d", number.Number)
	}
	return r, true
}

// families are those of iptables, by what a hook has them called with (NFPROTO_IPV4, NFPROTO_IPV6).
var families = map[uint64]string{2: "ip", 10: "ip6"}

// setSeen sets the rule by what the point of iptables has seen, if that is all of the drops, or if no counter names one. It
// reports whether it is all.
func (f *Finding) setSeen() (onAll bool) {
	var seen []*counters.Row
	var count uint64
	for i := range f.Points {
		if r, ok := f.Points[i].ruleSeen(); ok {
			seen, count = append(seen, &r), count+r.Delta
		}
	}
	onAll = len(seen) > 0 && count >= f.Count
	if len(seen) == 0 || !onAll && f.Rule.Text != "" {
		return false
	}
	counted := f.rules
	if onAll && len(seen) == 1 {
		f.setRule(seen[0])
	} else {
		f.setOneOf(seen)
	}
	f.rules = counted
	return onAll
}
