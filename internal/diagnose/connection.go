package diagnose

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"regexp"
	"slices"
	"strconv"

	"dropwatch/internal/conntrack"
	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// noConnection is the state where connection tracking has no entry.
const noConnection = "none"

// readConnections asks connection tracking, now and in the network namespace of each finding, for
// the flow with the most drops. That it has no entry says something only of packets that it
// found INVALID.
func (d *Diagnosis) readConnections(h *Host) {
	for i := range d.Findings {
		f := &d.Findings[i]
		if len(f.Flows) == 0 || len(f.Namespaces) > 0 || !f.Flows[0].first.Trackable() {
			continue
		}
		if c := h.connection(f.Netns.Inode, f.Flows[0].first); c.State != noConnection || f.isInvalid() {
			f.Conntrack = c
		}
	}
}

// isInvalid reports whether connection tracking found the packets INVALID.
func (f *Finding) isInvalid() bool {
	return f.is(knowledge.Untracked) || matchesInvalid.MatchString(f.Rule.Text)
}

// matchesInvalid matches rules of nft and iptables for packets that are INVALID.
var matchesInvalid = regexp.MustCompile(`(?i)\bct ?state [{ ]*([a-z]+, ?)*invalid\b`)

// findInvalid narrows findings of packets that a rule dropped because connection tracking found them
// INVALID: the rule is right then, and is no cause. That the number of INVALID packets rose by no fewer
// proves that it was the rule, if no other may have dropped them.
func (d *Diagnosis) findInvalid() {
	for i := range d.Findings {
		f := &d.Findings[i]
		if f.Rule.Confidence != Exactly && f.Rule.Confidence != Likely || !matchesInvalid.MatchString(f.Rule.Text) {
			continue
		}
		if f.Rule.Confidence == Likely && len(f.rules) == 0 && f.countedInvalid() {
			f.Rule.Confidence = Exactly
		}
		evidence := f.invalidAs()
		check := f.Meaning.Check // shows the rule
		if f.Meaning = f.Meaning.With(evidence, f.event()); f.is(evidence) {
			f.Meaning.Check = slices.Concat(check, f.Meaning.Check)
		}
	}
}

// invalidAs is why connection tracking found the packets of the first flow INVALID.
func (f *Finding) invalidAs() knowledge.Evidence {
	switch {
	case f.Conntrack.State != noConnection:
		return knowledge.Invalid
	case neverOpens.MatchString(f.Flows[0].Flags):
		return knowledge.Stray
	}
	return knowledge.NoEntry
}

// neverOpens matches the flags of segments of which connection tracking never makes an entry, as
// nf_conntrack_tcp_loose is about others: of a FIN, a reset, and the answer to a SYN.
var neverOpens = regexp.MustCompile(`[FR]|S.*\.`)

// countedInvalid reports whether connection tracking found about as many packets INVALID as there are
// drops: its counter is read a moment before and after drops are watched.
func (f *Finding) countedInvalid() bool {
	return !f.byConntrack && slices.ContainsFunc(f.Counters, func(r counters.Row) bool {
		return r.ID() == invalid && 10*r.Delta >= 9*f.Count
	})
}

// connection returns what connection tracking knows of a packet, nothing where it does not run.
func (h *Host) connection(netns uint32, t conntrack.Tuple) conntrack.Entry {
	return ask(h, fmt.Sprintf("connection %d %v", netns, t), func() (e conntrack.Entry) {
		_ = h.within(netns, func() error {
			count, err := h.live.Sysctl("net/netfilter/nf_conntrack_count")
			if err != nil { // to ask would load the module
				return err
			}
			entries, err := strconv.Atoi(count)
			if err == nil && entries > 0 {
				e, err = conntrack.Find(t, entries)
			}
			if entries == 0 || errors.Is(err, fs.ErrNotExist) {
				e.State = noConnection
			}
			return err
		})
		return e
	})
}

// tupleOf returns what connection tracking knows a packet by, the zero one if its bytes do not say.
func tupleOf(f *event.Flow) (t conntrack.Tuple) {
	if f == nil || !f.Has(event.FieldSrc|event.FieldDst|event.FieldProtocol) {
		return t
	}
	t.Protocol = f.Protocol
	switch {
	case f.Has(event.FieldSrcPort | event.FieldDstPort):
		t.Src, t.Dst = netip.AddrPortFrom(f.Src, f.SrcPort), netip.AddrPortFrom(f.Dst, f.DstPort)
	case f.Has(event.FieldICMPType | event.FieldICMPCode | event.FieldICMPID):
		t.Src, t.Dst = netip.AddrPortFrom(f.Src, 0), netip.AddrPortFrom(f.Dst, 0)
		t.Echo = conntrack.Echo{ID: f.ICMPID, Type: f.ICMPType, Code: f.ICMPCode}
	default:
		return conntrack.Tuple{}
	}
	return t
}
