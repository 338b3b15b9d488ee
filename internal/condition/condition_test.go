package condition_test

import (
	"math/rand/v2"
	"net/netip"
	"testing"

	"dropwatch/internal/condition"
	"dropwatch/internal/condition/conditiontest"
)

func port(n uint64) condition.Node {
	return condition.NewTest(condition.Test{Field: condition.DstPort, Spans: []condition.Span{{Lo: n, Hi: n}}})
}

// TestSimplified: what does not change the outcome is left out.
func TestSimplified(t *testing.T) {
	const (
		f, u, y = condition.False, condition.Unknown, condition.True
	)
	a, b, c := port(1), port(2), port(3)
	tests := []struct {
		got  condition.Node
		want string
	}{
		{condition.And(), "true"},
		{condition.Or(), "false"},
		{condition.And(y, y), "true"},
		{condition.And(a, f, u), "false"},
		{condition.Or(a, y, u), "true"},
		{condition.And(a), "dstport in [{1 1}]"},
		{condition.And(a, y, a), "dstport in [{1 1}]"},
		{condition.And(u, u), "unknown"},
		{condition.And(a, condition.And(b, c), condition.Or(b, c)),
			"(dstport in [{1 1}] && dstport in [{2 2}] && dstport in [{3 3}] && (dstport in [{2 2}] || dstport in [{3 3}]))"},
		{condition.Not(condition.And(a, condition.Or(b, u))),
			"(dstport not in [{1 1}] or none || (dstport not in [{2 2}] or none && unknown))"},
		{condition.Not(condition.Not(a)), a.String()},
		{condition.Has(condition.IfName), "ifname not in []"},
		{condition.NewTest(condition.Test{Field: condition.IfName}), "false"},
		{condition.NewTest(condition.Test{Field: condition.IfName, Other: true, Absent: condition.True}), "true"},
		{condition.May(condition.Or(a, condition.And(b, u))), "(dstport in [{1 1}] || dstport in [{2 2}])"},
		{condition.Must(condition.Or(a, condition.And(b, u))), "dstport in [{1 1}]"},
		{condition.May(u), "true"},
		{condition.NewTest(condition.Test{Field: condition.IfName, Absent: u}), "ifname in [] or none?"},
		{condition.Not(condition.NewTest(condition.Test{Field: condition.IfName, Absent: u})), "ifname not in [] or none?"},
		{condition.May(condition.NewTest(condition.Test{Field: condition.IfName, Absent: u})), "ifname in [] or none"},
		{condition.Must(condition.NewTest(condition.Test{Field: condition.IfName, Absent: u})), "false"},
		{condition.May(condition.NewTest(condition.Test{Field: condition.IfName, Other: true, Absent: u})), "true"},
		{condition.Must(u), "false"},
		{condition.Must(condition.Not(u)), "false"},
	}
	for i, tt := range tests {
		if got := tt.got.String(); got != tt.want {
			t.Errorf("%d: %s\nwant %s", i, got, tt.want)
		}
	}
}

// TestEvaluate: of a field that is there, that is not, and of which that is not known.
func TestEvaluate(t *testing.T) {
	f := conditiontest.Facts{IfName: "eth0", Addrs: [2]netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("::1")}}
	f.Numbers[condition.DstPort] = 53
	absent, unknown := f, f
	absent.Absent, unknown.Unknown = ^condition.Fields(0), ^condition.Fields(0)
	prefix := func(field condition.Field, s string) condition.Test {
		return condition.Test{Field: field, Nets: []netip.Prefix{netip.MustParsePrefix(s)}}
	}
	name := func(s string, p bool) condition.Test {
		return condition.Test{Field: condition.IfName, Names: []condition.Name{{Text: "lo"}, {Text: s, Prefix: p}}}
	}
	tests := map[condition.Truth][]condition.Test{
		condition.True: {
			{Field: condition.DstPort, Spans: []condition.Span{{Lo: 1, Hi: 2}, {Lo: 53, Hi: 53}}}, {Field: condition.DstPort, Other: true},
			prefix(condition.Src, "10.0.0.0/8"), prefix(condition.Dst, "::/0"), name("eth0", false), name("eth", true), name("", true),
		},
		condition.False: {
			{Field: condition.DstPort, Spans: []condition.Span{{Lo: 54, Hi: 60}}}, {Field: condition.DstPort, Absent: condition.True},
			prefix(condition.Src, "11.0.0.0/8"), prefix(condition.Dst, "0.0.0.0/0"), name("eth", false), name("eth00", true),
		},
	}
	for want, all := range tests {
		for _, test := range all {
			n := condition.NewTest(test)
			if got := conditiontest.Evaluate(n, &f); got != want {
				t.Errorf("%v is %v", n, got)
			}
			if got := conditiontest.Evaluate(condition.Not(n), &f); got != condition.True-want {
				t.Errorf("not %v is %v", n, got)
			}
			if got := conditiontest.Evaluate(n, &absent); got != test.Absent {
				t.Errorf("%v is %v of a drop without", n, got)
			}
			if got := conditiontest.Evaluate(n, &unknown); got != condition.Unknown {
				t.Errorf("%v is %v of a drop of which it is not known", n, got)
			}
		}
	}
}

// TestMayAndMust hold a condition between what they give.
func TestMayAndMust(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	var random func(depth int) condition.Node
	random = func(depth int) condition.Node {
		if depth == 0 {
			return []condition.Node{port(1), port(2), condition.Unknown, condition.Not(port(1))}[r.IntN(4)]
		}
		a, b := random(depth-1), random(depth-1)
		return []condition.Node{condition.And(a, b), condition.Or(a, b), condition.Not(a)}[r.IntN(3)]
	}
	var seen [3]int
	for range 2000 {
		n := random(1 + r.IntN(4))
		var f conditiontest.Facts
		f.Numbers[condition.DstPort] = uint64(r.IntN(4))
		must, is, may := conditiontest.Evaluate(condition.Must(n), &f), conditiontest.Evaluate(n, &f),
			conditiontest.Evaluate(condition.May(n), &f)
		seen[is]++
		if (must == condition.True) != (is == condition.True) || (may == condition.False) != (is == condition.False) {
			t.Fatalf("%v is %v, must be %v, may be %v", n, is, must, may)
		}
		if !condition.Certain(condition.May(n)) || condition.Certain(n) && is == condition.Unknown {
			t.Fatalf("%v is %v", n, is)
		}
	}
	if min(seen[0], seen[1], seen[2]) < 200 {
		t.Errorf("truths %v: that shows little", seen)
	}
}

func TestSizeAndFields(t *testing.T) {
	n := condition.And(port(1), condition.Or(port(2), condition.Has(condition.IfName)), condition.Unknown)
	if got := n.Size(); got != 2+2+1+1 {
		t.Errorf("size %d, want 6", got)
	}
	if got, want := condition.Asks(n), condition.Of(condition.DstPort, condition.IfName); got != want {
		t.Errorf("it asks for %b, want %b", got, want)
	}
}
