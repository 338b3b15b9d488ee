package member

import (
	"bytes"
	"math/bits"
)

// Eval returns the value of the expression from those of its Loads, in their order. Ok is false
// if it has none: a value that it needs was not read, or it divides by 0. As in C, && and || do
// not need their right side if the left one decides.
func (e *Expr) Eval(values []Value) (v Value, ok bool) { return eval(e.Root, e.Loads, values) }

// True reports whether the expression has a value that is not 0.
func (e *Expr) True(values []Value) bool {
	v, ok := e.Eval(values)
	return ok && v.Number != 0
}

// eval computes a node. Each value that it returns is extended to 64 bits as the type of its node says.
func eval(n Node, loads []Load, values []Value) (v Value, ok bool) {
	switch n := n.(type) {
	case *Const:
		return Value{Known: true, Number: n.Number, Bytes: []byte(n.Text)}, true
	case *Ref:
		if n.Load >= len(values) || !values[n.Load].Known {
			return v, false
		}
		return loads[n.Load].value(values[n.Load]), true
	case *Unary:
		x, ok := eval(n.X, loads, values)
		return Number(n.apply(x.Number)), ok
	case *Binary:
		return n.eval(loads, values)
	}
	return v, false
}

// value returns what was read as the load has it.
func (l Load) value(v Value) Value {
	switch {
	case l.String:
		v.Bytes, _, _ = bytes.Cut(v.Bytes, []byte{0})
	case l.Array > 0:
	case l.BitSize > 0:
		v.Number = extend(v.Number, l.BitSize, l.Signed)
	default:
		v.Number = normal(v.Number, Int{l.Size, l.Signed})
	}
	return v
}

// apply returns the result, of which what the type cannot hold is cut off, as gcc does.
func (n *Unary) apply(x uint64) uint64 {
	switch n.Op {
	case Neg:
		x = -x
	case Com:
		x = ^x
	case Not:
		x = truth(x == 0)
	case Swap:
		return swap(x, n.Size)
	}
	return normal(x, n.Int)
}

// swap turns an integer of the network's byte order into one of the host's, and back.
func swap(x uint64, size int) uint64 {
	if bigEndian {
		return normal(x, Int{Size: size})
	}
	return bits.ReverseBytes64(x) >> (64 - size*8)
}

// truth is the value of a comparison in C.
func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// eval computes the right side only where the left one does not decide.
func (n *Binary) eval(loads []Load, values []Value) (v Value, ok bool) {
	x, ok := eval(n.X, loads, values)
	if !ok {
		return v, false
	}
	switch {
	case n.Op == LogAnd && x.Number == 0:
		return Number(0), true
	case n.Op == LogOr && x.Number != 0:
		return Number(1), true
	}
	y, ok := eval(n.Y, loads, values)
	if !ok {
		return v, false
	}
	if n.X.Type().Size == 0 {
		return Number(truth(bytes.Equal(x.Bytes, y.Bytes) == (n.Op == Eq))), true
	}
	number, ok := n.apply(x.Number, y.Number)
	return Number(normal(number, n.Int)), ok
}

// apply returns the result before it is cut to the type. Ok is false where C defines none.
func (n *Binary) apply(x, y uint64) (result uint64, ok bool) {
	if undefined(n.Op, y, n.Int) {
		return 0, false
	}
	switch n.Op {
	case Mul:
		return x * y, true
	case Add:
		return x + y, true
	case Sub:
		return x - y, true
	case And:
		return x & y, true
	case Or:
		return x | y, true
	case Xor:
		return x ^ y, true
	case LogAnd, LogOr: // the left side did not decide
		return truth(y != 0), true
	case Div, Rem:
		return n.divide(x, y), true
	case Shl:
		return x << y, true
	case Shr:
		if n.Signed {
			return uint64(int64(x) >> y), true
		}
		return x >> y, true
	}
	return truth(compare(n.Op, x, y, n.X.Type().Signed)), true
}

// undefined reports whether C defines no result: a division by 0, and a shift by as many bits as
// the type of the result has, or more.
func undefined(op Op, y uint64, typ Int) bool {
	switch op {
	case Div, Rem:
		return y == 0
	case Shl, Shr:
		return y >= uint64(typ.bits())
	}
	return false
}

// divide returns the quotient, rounded to 0, or the remainder. The divisor is not 0.
func (n *Binary) divide(x, y uint64) uint64 {
	switch {
	case n.Signed && n.Op == Div:
		return uint64(int64(x) / int64(y))
	case n.Signed:
		return uint64(int64(x) % int64(y))
	case n.Op == Div:
		return x / y
	}
	return x % y
}

// compare compares two values of one type, extended to 64 bits.
func compare(op Op, x, y uint64, signed bool) bool {
	less := x < y
	if signed {
		less = int64(x) < int64(y)
	}
	switch op {
	case Lt:
		return less
	case Le:
		return less || x == y
	case Gt:
		return !less && x != y
	case Ge:
		return !less
	case Eq:
		return x == y
	}
	return x != y
}
