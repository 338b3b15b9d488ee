package member

import (
	"fmt"
	"strings"
)

// maxFilter bounds the text of a filter: the kernel takes a page.
const maxFilter = 2048

// Filter returns what the filter of a trace event can test of a condition: where the expression
// is not 0, the filter is true. Whole says that the filter is true only there, too, so that
// nothing is left to evaluate, provided that all values could be read. It is empty if nothing
// can be tested so.
//
// Name returns the name of the event's field that has the value of a Load, of its size and sign
// (a bit field's is unsigned, and a string's a string), or nothing if there is none. A filter
// compares a field with a constant only, and does not compute.
func (e *Expr) Filter(name func(load int) string) (filter string, whole bool) {
	f := &filterer{loads: e.Loads, name: name}
	filter, whole = f.of(e.Root, true)
	if len(filter) > maxFilter {
		return "", false
	}
	return filter, whole
}

// A filterer writes an expression in the words of the kernel's event filters, which compare one field with one number
// (kernel/trace/trace_events_filter.c).
type filterer struct {
	loads []Load
	name  func(load int) string // the field of the event that has a load, by its index
}

// of returns the filter of a condition, or with want false of its contrary.
func (f *filterer) of(n Node, want bool) (filter string, whole bool) {
	switch n := n.(type) {
	case *Unary:
		if n.Op == Not {
			return f.of(n.X, !want)
		}
	case *Binary:
		switch {
		case n.Op == LogAnd || n.Op == LogOr:
			return f.joined(n, want)
		case n.Op >= Lt && n.Op <= Ne:
			return f.comparison(n, want)
		case n.Op == And:
			return f.masked(n, want)
		}
	}
	if r, ok := f.field(n); ok && n.Type().Size > 0 {
		return f.test(r, map[bool]string{true: "!=", false: "=="}[want], 0)
	}
	return "", false
}

// joined filters by what both sides of && or || can be tested for.
func (f *filterer) joined(n *Binary, want bool) (filter string, whole bool) {
	x, wholeX := f.of(n.X, want)
	y, wholeY := f.of(n.Y, want)
	whole = wholeX && wholeY
	and := (n.Op == LogAnd) == want // the contrary of one is the other
	switch {
	case x != "" && y != "":
		return fmt.Sprintf("(%s %s %s)", x, map[bool]string{true: "&&", false: "||"}[and], y), whole
	case and:
		return x + y, false
	}
	return "", false
}

// contrary are the comparisons that are true where another is false, and swapped those with
// their sides exchanged.
var (
	contrary = map[Op]Op{Lt: Ge, Le: Gt, Gt: Le, Ge: Lt, Eq: Ne, Ne: Eq}
	swapped  = map[Op]Op{Lt: Gt, Le: Ge, Gt: Lt, Ge: Le, Eq: Eq, Ne: Ne}
	symbols  = map[Op]string{Lt: "<", Le: "<=", Gt: ">", Ge: ">=", Eq: "==", Ne: "!="}
)

// comparison filters by a field and a constant.
func (f *filterer) comparison(n *Binary, want bool) (filter string, whole bool) {
	op, x, y := n.Op, n.X, n.Y
	if isConst(x) {
		op, x, y = swapped[op], y, x
	}
	constant, ok := y.(*Const)
	if !ok {
		return "", false
	}
	if !want {
		op = contrary[op]
	}
	if x.Type().Size == 0 {
		return f.text(x, op, constant.Text)
	}
	if filter, whole, ok := f.maskedComparison(x, op, constant.Number); ok {
		return filter, whole
	}
	return f.number(x, op, constant.Number)
}

// text filters by a field that is a string.
func (f *filterer) text(x Node, op Op, text string) (filter string, whole bool) {
	r, ok := x.(*Ref)
	if !ok || text == "" || strings.ContainsAny(text, "\"'\\\n\x00") {
		return "", false
	}
	if name := f.name(r.Load); name != "" && len(text) < f.loads[r.Load].Array {
		return fmt.Sprintf("%s %s \"%s\"", name, symbols[op], text), true
	}
	return "", false
}

// number filters by a field that is an integer. The constant has the type of x, to which the
// field is converted; the kernel compares in the type of the field.
func (f *filterer) number(x Node, op Op, n uint64) (filter string, whole bool) {
	equality := op == Eq || op == Ne
	if u, ok := x.(*Unary); ok && equality && u.Op == Convert && u.Size >= u.X.Type().Size {
		if normal(normal(n, u.X.Type()), u.Int) != n {
			return "", false
		}
		return f.number(u.X, op, normal(n, u.X.Type()))
	}
	if u, ok := x.(*Unary); ok && equality && u.Op == Swap {
		return f.number(u.X, op, swap(n, u.Size))
	}
	r, ok := f.field(x)
	if !ok || !f.has(r, n) {
		return "", false
	}
	return f.test(r, symbols[op], n)
}

// field returns the Load whose value a node has, converted at most to types that hold it.
func (f *filterer) field(n Node) (r *Ref, ok bool) {
	switch n := n.(type) {
	case *Ref:
		return n, true
	case *Unary:
		if n.Op == Convert {
			r, ok = f.field(n.X)
			return r, ok && holds(n.Int, f.loads[r.Load])
		}
	}
	return nil, false
}

// holds reports whether a type has all values of a load.
func holds(typ Int, l Load) bool {
	width := l.Size * 8
	if l.BitSize > 0 {
		width = l.BitSize
	}
	if typ.Signed == l.Signed {
		return typ.bits() >= width
	}
	return typ.Signed && typ.bits() > width
}

// has reports whether a number is a value of a load.
func (f *filterer) has(r *Ref, n uint64) bool { return f.loads[r.Load].value(Number(n)).Number == n }

// test compares a field.
func (f *filterer) test(r *Ref, op string, n uint64) (filter string, whole bool) {
	l := f.loads[r.Load]
	name := f.name(r.Load)
	if name == "" || l.Size == 0 || l.BitSize > 0 && l.Signed {
		return "", false
	}
	if l.Signed {
		return fmt.Sprintf("%s %s %d", name, op, int64(n)), true
	}
	return fmt.Sprintf("%s %s %d", name, op, n), true
}

// masked filters by some bits of a field.
func (f *filterer) masked(n *Binary, want bool) (filter string, whole bool) {
	x, mask, ok := f.bits(n)
	if !ok {
		return "", false
	}
	filter, whole = f.test(x, "&", mask)
	if filter == "" || want {
		return filter, whole
	}
	return "!(" + filter + ")", whole
}

// maskedComparison filters by some bits of a field that are compared with 0.
func (f *filterer) maskedComparison(x Node, op Op, n uint64) (filter string, whole, ok bool) {
	b, ok := x.(*Binary)
	if !ok || b.Op != And || n != 0 || op != Eq && op != Ne {
		return "", false, false
	}
	filter, whole = f.masked(b, op == Ne)
	return filter, whole, true
}

// bits returns the field and the mask of field & mask.
func (f *filterer) bits(n *Binary) (r *Ref, mask uint64, ok bool) {
	x, y := n.X, n.Y
	if isConst(x) {
		x, y = y, x
	}
	constant, ok := y.(*Const)
	if !ok {
		return nil, 0, false
	}
	if r, ok = f.field(x); !ok {
		return nil, 0, false
	}
	return r, constant.Number, f.has(r, constant.Number)
}
