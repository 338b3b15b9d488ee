// Package conditiontest evaluates conditions in Go. Tests compare with it what a source, in
// the kernel, makes of the same condition.
package conditiontest

import (
	"net/netip"
	"slices"
	"strings"

	"dropwatch/internal/condition"
)

// Facts are what is known of a drop.
type Facts struct {
	Unknown condition.Fields // not known, not even whether the drop has them
	Absent  condition.Fields // the drop does not have them

	Numbers [condition.Src]uint64 // by Field
	Addrs   [2]netip.Addr         // Src and Dst
	IfName  string                // empty if Unknown or Absent has it
}

// Evaluate returns the value of a condition for a drop.
func Evaluate(n condition.Node, f *Facts) condition.Truth {
	switch n := n.(type) {
	case *condition.Test:
		return test(n, f)
	case *condition.Group:
		return group(n, f)
	}
	return n.(condition.Truth)
}

// test returns the value of a test: unknown and absent fields first.
func test(t *condition.Test, f *Facts) condition.Truth {
	switch {
	case f.Unknown.Has(t.Field):
		return condition.Unknown
	case f.Absent.Has(t.Field):
		return t.Absent
	case finds(t, f) != t.Other:
		return condition.True
	}
	return condition.False
}

// finds reports whether the drop's value is one of those of the test.
func finds(t *condition.Test, f *Facts) bool {
	switch t.Field {
	case condition.Src, condition.Dst:
		a := f.Addrs[t.Field-condition.Src]
		return slices.ContainsFunc(t.Nets, func(p netip.Prefix) bool { return p.Contains(a) })
	case condition.IfName:
		return slices.ContainsFunc(t.Names, func(n condition.Name) bool {
			return n.Text == f.IfName || n.Prefix && strings.HasPrefix(f.IfName, n.Text)
		})
	}
	n := f.Numbers[t.Field]
	return slices.ContainsFunc(t.Spans, func(s condition.Span) bool { return s.Lo <= n && n <= s.Hi })
}

// group returns the value of a group: the greatest of Or, the least of And, as False is
// less than Unknown and Unknown less than True.
func group(g *condition.Group, f *Facts) condition.Truth {
	result := condition.True
	if g.Or {
		result = condition.False
	}
	for _, n := range g.Nodes {
		if t := Evaluate(n, f); g.Or {
			result = max(result, t)
		} else {
			result = min(result, t)
		}
	}
	return result
}
