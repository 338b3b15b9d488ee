package diagnose

import (
	"slices"

	"dropwatch/internal/condition"
	"dropwatch/internal/counters"
	"dropwatch/internal/knowledge"
	"dropwatch/internal/settings"
)

// echoes are the counters of pings and of the answers to them, and the setting by which a host answers none: it frees them
// as if it had used them (net/ipv4/icmp.c icmp_echo, net/ipv6/icmp.c icmpv6_rcv), so that no drop shows it.
var echoes = []struct{ requests, replies, ignored string }{
	{"IcmpInEchos", "IcmpOutEchoReps", "net.ipv4.icmp_echo_ignore_all"},
	{"Icmp6InEchos", "Icmp6OutEchoReplies", "net.ipv6.icmp.echo_ignore_all"},
}

// findUnanswered keeps the counters of pings that rose by more than the answers, of the places that an expression selects whole.
func (d *Diagnosis) findUnanswered(rows []counters.Row, selects Selects) {
	for i := range rows {
		r := rows[i]
		at := slices.IndexFunc(echoes, func(e struct{ requests, replies, ignored string }) bool { return e.requests == r.ID() })
		if at < 0 || r.Delta == 0 || selects != nil && selects(&r) != condition.True {
			continue
		}
		if answered := risen(rows, echoes[at].replies, r.Netns.Inode); answered < r.Delta {
			d.unanswered = append(d.unanswered, unanswered{r, r.Delta - answered, echoes[at].ignored})
		}
	}
}

// risen is by how much a counter of a network namespace rose.
func risen(rows []counters.Row, id string, netns uint32) uint64 {
	i := slices.IndexFunc(rows, func(r counters.Row) bool { return r.ID() == id && r.Netns.Inode == netns })
	if i < 0 { // as those that did not rise may be left out
		return 0
	}
	return rows[i].Delta
}

// An unanswered is the counter of pings of a network namespace, and how many of them were not answered.
type unanswered struct {
	counters.Row
	count   uint64
	ignored string // name of the setting by which it answers none
}

// findIgnored makes findings of pings that are not answered where the setting is why, as it is now.
func (d *Diagnosis) findIgnored(h *Host) {
	for i := range d.unanswered {
		u := &d.unanswered[i]
		isSet := func(s settings.Setting) bool { return s.Name == u.ignored && s.Value != "0" }
		if !slices.ContainsFunc(h.readSettings(u.Netns, []string{u.ignored}, ""), isSet) {
			continue
		}
		f := Finding{
			ID: u.ID(), Meaning: u.Meaning, Count: u.count, Segments: u.count, Rate: d.rate(u.count), Netns: u.Netns,
			Counters: []counters.Row{u.Row},
		}
		f.Meaning = f.Meaning.With(knowledge.EchoIgnored, f.event())
		d.Findings = append(d.Findings, f)
	}
}
