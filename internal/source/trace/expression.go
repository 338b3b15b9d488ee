package trace

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"dropwatch/internal/condition"
)

// Expression gives a necessary condition for n to be true as [Options.Filter]
// takes it. It is empty if there is none.
func Expression(n condition.Node) string {
	if e := express(n); len(e) < maxExpression {
		return string(e)
	}
	return ""
}

// maxExpression is what PERF_EVENT_IOC_SET_FILTER takes, a page with a NUL.
const maxExpression = 4096

// An expression is in the language of Documentation/trace/events.rst.
type expression string

const (
	everything expression = ""
	nothing    expression = "protocol == 0 && protocol == 1"
)

// express knows two fields, and takes a test of another for true.
func express(n condition.Node) expression {
	switch n := n.(type) {
	case *condition.Group:
		all := make([]expression, len(n.Nodes))
		for i, part := range n.Nodes {
			all[i] = express(part)
		}
		return joined(n.Or, all)
	case *condition.Test:
		switch n.Field {
		case condition.Reason:
			return ofReason(n)
		case condition.Protocol:
			return ofProtocol(n)
		}
	case condition.Truth:
		if n == condition.False {
			return nothing
		}
	}
	return everything
}

// joined joins by and, or by or.
func joined(or bool, all []expression) expression {
	operator, other := " && ", " || "
	neutral, decisive := everything, nothing
	if or {
		operator, other, neutral, decisive = other, operator, nothing, everything
	}
	var parts []string
	for _, e := range all {
		switch {
		case e == decisive:
			return decisive
		case e != neutral && !slices.Contains(parts, string(e)):
			parts = append(parts, string(e))
		}
	}
	switch len(parts) {
	case 0:
		return neutral
	case 1:
		return expression(parts[0])
	}
	for i, part := range parts {
		if strings.Contains(part, other) {
			parts[i] = "(" + part + ")"
		}
	}
	return expression(strings.Join(parts, operator))
}

// ofReason: of a drop without a reason the event tells nothing.
func ofReason(t *condition.Test) expression {
	switch {
	case t.Other:
		return others("reason", t.Spans)
	case t.Absent:
		return everything
	}
	return among("reason", t.Spans)
}

// ofProtocol allows an ethertype that the packet need not have: none, which is
// 0, and those of VLAN tags.
func ofProtocol(t *condition.Test) expression {
	set := upTo(math.MaxUint16, t.Spans)
	if t.Other {
		set = gaps(math.MaxUint16, set)
	}
	set = append(set, condition.Span{})
	for _, tag := range condition.Tags {
		set = append(set, condition.Span{Lo: uint64(tag), Hi: uint64(tag)})
	}
	set = upTo(math.MaxUint16, set)
	if last := set[len(set)-1]; set[0].Lo == 0 && last.Hi == math.MaxUint16 {
		return others("protocol", gaps(math.MaxUint16, set))
	}
	return among("protocol", set)
}

// among is that a field is one of some numbers.
func among(field string, set []condition.Span) expression {
	return each(true, field, set, "%[1]s == %[2]d", "%[1]s >= %[2]d && %[1]s <= %[3]d")
}

// others is that it is none of them.
func others(field string, set []condition.Span) expression {
	return each(false, field, set, "%[1]s != %[2]d", "%[1]s < %[2]d || %[1]s > %[3]d")
}

func each(or bool, field string, set []condition.Span, one, several string) expression {
	var all []expression
	for _, s := range set {
		format := several
		if s.Lo == s.Hi {
			format = one
		}
		all = append(all, expression(fmt.Sprintf(format, field, s.Lo, s.Hi)))
	}
	return joined(or, all)
}

// upTo gives the same numbers up to a limit, in order, and each once.
func upTo(limit uint64, set []condition.Span) (merged []condition.Span) {
	sorted := slices.SortedFunc(slices.Values(set), func(a, b condition.Span) int { return cmp.Compare(a.Lo, b.Lo) })
	for _, next := range sorted {
		next.Hi = min(next.Hi, limit)
		last := len(merged) - 1
		switch {
		case next.Lo > next.Hi:
		case last >= 0 && next.Lo <= merged[last].Hi+1:
			merged[last].Hi = max(merged[last].Hi, next.Hi)
		default:
			merged = append(merged, next)
		}
	}
	return merged
}

// gaps gives the other numbers up to a limit. Those of set are in order.
func gaps(limit uint64, set []condition.Span) (others []condition.Span) {
	from := uint64(0)
	for _, s := range set {
		if s.Lo > from {
			others = append(others, condition.Span{Lo: from, Hi: s.Lo - 1})
		}
		from = s.Hi + 1
	}
	if from <= limit {
		others = append(others, condition.Span{Lo: from, Hi: limit})
	}
	return others
}
