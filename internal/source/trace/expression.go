package trace

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// Expression returns a filter for [Options.Filter] that passes every drop for which n may be
// true, and perhaps others. It is empty if every drop must pass.
func Expression(n condition.Node) string {
	if e := express(n); len(e) < maxExpression {
		return string(e)
	}
	return ""
}

// Joined returns the condition of the drops that other tracepoints may say more of, by
// the function that [Reasons] returned and by where [FrameFunctions] are; none means that it is not known.
// With [Options.Others] a filter must pass them, so that what is said of one is not taken for what is
// said of the next.
func Joined(reasons func(name string) ([]condition.Span, bool), framesAt []condition.Span) condition.Node {
	names := []string{fullBuffer, noMemory, xdpFamily}
	if len(framesAt) == 0 {
		names = append(names, event.NotSpecified)
	}
	var numbers []condition.Span
	for _, name := range names {
		n, _ := reasons(name)
		numbers = append(numbers, n...)
	}
	return condition.Or(
		condition.NewTest(condition.Test{Field: condition.Reason, Spans: numbers}),
		condition.NewTest(condition.Test{Field: condition.PC, Spans: framesAt}),
	)
}

// maxExpression is the longest text for PERF_EVENT_IOC_SET_FILTER in bytes, with its NUL: a
// page of 4 KiB, less what Options.StackAt may take.
const maxExpression = 4096 - maxStackAt*64

// maxStackAt is how many spans Options.StackAt may have.
const maxStackAt = 8

// atSpans restricts a filter to the locations in some spans, or to all others.
func atSpans(filter string, spans []condition.Span, within bool) string {
	const location = "location"
	spans = upTo(math.MaxUint64, spans)
	if within {
		return string(joined(false, []expression{expression(filter), among(location, spans)}))
	}
	return string(joined(false, []expression{expression(filter), others(location, spans)}))
}

// An expression is a filter in the language of Documentation/trace/events.rst.
type expression string

// The constants, for which the language has no words.
const (
	everything expression = ""
	nothing    expression = "protocol == 0 && protocol == 1"
)

// express translates tests of the three fields that the event has. Other tests pass everything.
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
			return ofNumber("reason", n)
		case condition.PC:
			return ofNumber("location", n)
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

// joined joins expressions by && or, with or, by ||. It omits those that change nothing.
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

// ofNumber translates a test of the reason or of the location. The event reports a drop without a reason
// as one with the reason NOT_SPECIFIED, so a test that is true without a reason passes everything.
func ofNumber(field string, t *condition.Test) expression {
	switch {
	case t.Other:
		return others(field, t.Spans)
	case t.Absent != condition.False:
		return everything
	}
	return among(field, t.Spans)
}

// ofProtocol translates a test of the ethertype. It also passes the values of the event that
// say nothing about that: 0 for none, and those of VLAN tags.
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

// among passes a field that is one of the numbers of set.
func among(field string, set []condition.Span) expression {
	return each(true, field, set, "%[1]s == %[2]d", "%[1]s >= %[2]d && %[1]s <= %[3]d")
}

// others passes a field that is none of them.
func others(field string, set []condition.Span) expression {
	return each(false, field, set, "%[1]s != %[2]d", "%[1]s < %[2]d || %[1]s > %[3]d")
}

// each joins an expression for each span of set, by the format one for a single number and
// several for a range.
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

// upTo returns the numbers of set up to a limit, as spans in order that do not touch.
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

// gaps returns the numbers up to a limit that are not in set, whose spans are in order.
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
