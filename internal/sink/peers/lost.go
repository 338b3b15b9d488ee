package peers

import (
	"cmp"
	"fmt"
	"slices"

	"dropwatch/internal/event"
	"dropwatch/internal/tally"
)

// A lostKey is what drops are counted by that lost segments which were sent again.
type lostKey struct {
	location, reason string
	netns            event.Netns // zero: that of the connections
	rule             string      // of a firewall, with how sure that is; empty if none is known
}

// lostKeyOf returns what the segments that e sends again are counted by: where and why this host dropped them, and the rule if one
// is known.
func lostKeyOf(e *event.Event) lostKey {
	drop, _ := e.Dropped()
	symbol, _, _, _ := drop.Where.Name()
	k := lostKey{location: symbol, reason: drop.Reason, netns: e.Segment.Drop.Netns}
	if of := &e.Segment.Drop; of.Rule != "" {
		k.rule = of.RuleConfidence + " " + of.Rule
	}
	return k
}

// maxLost is how many drops lostLines names.
const maxLost = 5

// lostLines appends by which drops of this host segments were lost, a line each, the most first.
func (s *Sink) lostLines() {
	var all []*tally.Entry[lostKey, struct{}]
	for e := range s.lost.All {
		all = append(all, e)
	}
	slices.SortStableFunc(all, func(a, b *tally.Entry[lostKey, struct{}]) int { return cmp.Compare(b.Count, a.Count) })
	for _, e := range all[:min(len(all), maxLost)] {
		s.buf = fmt.Appendf(s.buf, "%s lost here: %s\n", event.Plural(e.Count, "segment"), e.Key.text())
	}
	if more := len(all) - maxLost; more > 0 {
		s.buf = fmt.Appendf(s.buf, "and %s\n", event.Plural(uint64(more), "more drop location"))
	}
}

// text is "nft_do_chain NETFILTER_DROP in netns web rule exactly nftables inet fw input handle 7 (tcp dport 9 drop)".
func (k *lostKey) text() string {
	text := event.Escape(cmp.Or(k.location, "unknown location"))
	if k.reason != "" {
		text += " " + event.Escape(k.reason)
	}
	if k.netns != (event.Netns{}) {
		text += " in netns " + string(k.netns.AppendTo(nil))
	}
	if k.rule != "" {
		text += " rule " + event.Escape(k.rule)
	}
	return text
}
