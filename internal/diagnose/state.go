package diagnose

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/condition"
	"dropwatch/internal/counters"
	"dropwatch/internal/event"
)

// A State is a level that was at its limit when the interval ended: a fault that lasts, as a
// bond's member that is down, or a table or queue that is full. It is no loss of the interval:
// what it loses, if anything, is a finding.
type State struct {
	counters.Row
	InNetns event.Process // as that of a [Finding]
	Owner   event.Owner   // of the socket that it is about; zero if it is about none, or none is known
}

// states are those that no finding is about, of the places that an expression selects whole.
func (d *Diagnosis) states(rows []counters.Row, selects Selects) (all []State) {
	said := make(map[counters.Key]bool)
	for _, findings := range [][]Finding{d.Findings, d.Noise} {
		for i := range findings {
			for _, o := range findings[i].Objects {
				said[o.Key] = true
			}
		}
	}
	for _, r := range rows {
		if r.Gauge && r.Known && r.Matters() && !said[r.Key] && (selects == nil || selects(&r) == condition.True) {
			all = append(all, State{Row: r})
		}
	}
	slices.SortStableFunc(all, func(a, b State) int {
		return cmp.Or(cmp.Compare(b.Meaning.Severity, a.Meaning.Severity), strings.Compare(a.ID(), b.ID()))
	})
	return all
}

// name is the level with its object, and how it is: "interface.bond_member_down on eth1: down".
func (s *State) name() string {
	text := s.ID()
	if s.Object != "" {
		text += " of " + event.Escape(s.Object)
	}
	return text + whereOf(&s.Row, s.InNetns) + ": " + level(&s.Row)
}

// level is how a level is: of one that is there or not what is known of it.
func level(r *counters.Row) string {
	switch {
	case r.Limit == 1 && r.About != "":
		return event.Escape(r.About)
	case r.ID() == acceptQueue && r.Value >= r.Limit:
		return fmt.Sprintf("%d, more than backlog %d", r.Value, r.Limit-1)
	case r.ID() == "socket.local_ports":
		return fmt.Sprintf("%d ports; 95 %% of all are %d", r.Value, r.Limit)
	case r.Name == receiveBuffer:
		return fmt.Sprintf("%d of %d bytes", r.Value, r.Limit)
	}
	return fmt.Sprintf("%d of %d", r.Value, r.Limit)
}

// maxStates is how many states of one kind are named.
const maxStates = 5

// appendStates appends a paragraph for each kind of state, and what to do about the first.
func (d *Diagnosis) appendStates(b *strings.Builder) {
	for rest := d.States; len(rest) > 0; {
		n := slices.IndexFunc(rest, func(s State) bool { return s.Meaning.Entry != rest[0].Meaning.Entry })
		if n < 0 {
			n = len(rest)
		}
		appendState(b, rest[:n])
		rest = rest[n:]
	}
}

// appendState appends what is known of states of one kind.
func appendState(b *strings.Builder, same []State) {
	var names []string
	for i := range same[:min(len(same), maxStates)] {
		name := same[i].name()
		if owner := same[i].Owner.AppendTo(nil); len(owner) > 0 {
			name += " (" + string(owner) + ")"
		}
		names = append(names, name)
	}
	if more := len(same) - maxStates; more > 0 {
		names = append(names, fmt.Sprintf("and %d more", more))
	}
	p, first := new(paragraph), &same[0].Meaning
	p.appendRemedy(first)
	appendRemark(b, "state", strings.Join(names, ", ")+". "+first.Cause)
	p.appendTo(b)
}
