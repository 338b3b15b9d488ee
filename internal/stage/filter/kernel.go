package filter

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Kernel gives a necessary condition for a drop to be wanted, for the kernel to
// test on the fields reason and protocol of its trace event skb:kfree_skb, in
// the language of Documentation/trace/events.rst. It is empty if there is none.
// The function gives the number of a reason by the name that Event.Reason has;
// a name without a number is of no reason that this kernel gives.
func (f *Filter) Kernel(reason func(name string) (number uint64, ok bool)) string {
	if f == nil {
		return ""
	}
	if c := f.root.kernel(true, reason); len(c) < maxCondition {
		return string(c)
	}
	return ""
}

// maxCondition is what PERF_EVENT_IOC_SET_FILTER takes, a page with a NUL.
const maxCondition = 4096

// A numbers gives the number of a reason.
type numbers = func(name string) (uint64, bool)

// A condition is an expression for the kernel.
type condition string

const (
	always condition = ""
	never  condition = "protocol == 0 && protocol == 1"
)

// joinConditions joins by and, or by or.
func joinConditions(or bool, all []condition) condition {
	operator, other := " && ", " || "
	neutral, decisive := always, never
	if or {
		operator, other, neutral, decisive = other, operator, never, always
	}
	var parts []string
	for _, c := range all {
		switch {
		case c == decisive:
			return decisive
		case c != neutral && !slices.Contains(parts, string(c)):
			parts = append(parts, string(c))
		}
	}
	switch len(parts) {
	case 0:
		return neutral
	case 1:
		return condition(parts[0])
	}
	for i, part := range parts {
		if strings.Contains(part, other) {
			parts[i] = "(" + part + ")"
		}
	}
	return condition(strings.Join(parts, operator))
}

func (l *list) kernel(want bool, reason numbers) condition {
	all := make([]condition, len(l.nodes))
	for i, n := range l.nodes {
		all[i] = n.kernel(want, reason)
	}
	return joinConditions(l.or == want, all)
}

func (n *negation) kernel(want bool, reason numbers) condition { return n.node.kernel(!want, reason) }

func (l *leaf) kernel(want bool, reason numbers) condition {
	switch {
	case l.scope != outermost || l.field.kernel == "":
		return always
	case l.field.kernel == "reason":
		return l.kernelReason(want, reason)
	case len(l.numbers) == 0: // the field is there
		return always
	}
	return l.kernelProtocol(want != l.op.negative())
}

// kernelReason: of a drop without a reason the kernel tells nothing.
func (l *leaf) kernelReason(want bool, reason numbers) condition {
	found := want != l.op.negative()
	if found && !want || l.op == exists {
		return always
	}
	var all []condition
	for _, p := range l.patterns {
		all = append(all, p.kernel(found, reason))
	}
	return joinConditions(found, all)
}

// isName says that a pattern of reasons is one of them, and no number.
func (p *pattern) isName() bool { return !p.glob && p.re == nil && !strings.HasPrefix(p.text, "0x") }

// kernel: a reason by number may have a name, and others are not known.
func (p *pattern) kernel(found bool, reason numbers) condition {
	if !p.isName() {
		return always
	}
	n, ok := reason(p.text)
	switch {
	case !ok && found:
		return never
	case !ok:
		return always
	case found:
		return condition(fmt.Sprintf("reason == %d", n))
	}
	return condition(fmt.Sprintf("reason != %d", n))
}

// kernelProtocol allows what the kernel calls by another ethertype than the
// headers do.
func (l *leaf) kernelProtocol(found bool) condition {
	set := l.numbers.upTo(math.MaxUint16)
	if !found {
		set = set.gaps(math.MaxUint16)
	}
	set = append(set, span{0, 0})
	for _, t := range tags {
		set = append(set, span{uint64(t), uint64(t)})
	}
	set = set.upTo(math.MaxUint16)
	var all []condition
	if last := set[len(set)-1]; set[0].lo == 0 && last.hi == math.MaxUint16 {
		for _, s := range set.gaps(math.MaxUint16) {
			all = append(all, s.condition("protocol != %d", "protocol < %d || protocol > %d"))
		}
		return joinConditions(false, all)
	}
	for _, s := range set {
		all = append(all, s.condition("protocol == %d", "protocol >= %d && protocol <= %d"))
	}
	return joinConditions(true, all)
}

func (s span) condition(one, several string) condition {
	if s.lo == s.hi {
		return condition(fmt.Sprintf(one, s.lo))
	}
	return condition(fmt.Sprintf(several, s.lo, s.hi))
}

// upTo gives the same numbers up to a limit, in order, and each once.
func (s spans) upTo(limit uint64) (merged spans) {
	sorted := slices.SortedFunc(slices.Values(s), func(a, b span) int { return cmp.Compare(a.lo, b.lo) })
	for _, next := range sorted {
		next.hi = min(next.hi, limit)
		last := len(merged) - 1
		switch {
		case next.lo > next.hi:
		case last >= 0 && next.lo <= merged[last].hi+1:
			merged[last].hi = max(merged[last].hi, next.hi)
		default:
			merged = append(merged, next)
		}
	}
	return merged
}

// gaps gives the other numbers up to a limit. Those of s are in order.
func (s spans) gaps(limit uint64) (others spans) {
	from := uint64(0)
	for _, span := range s {
		if span.lo > from {
			others = append(others, spans{{from, span.lo - 1}}...)
		}
		from = span.hi + 1
	}
	if from <= limit {
		others = append(others, span{from, limit})
	}
	return others
}
