package member

import "github.com/cilium/ebpf/btf"

// binaryOps are the operators of two operands.
var binaryOps = map[string]Op{
	"*": Mul, "/": Div, "%": Rem, "+": Add, "-": Sub, "<<": Shl, ">>": Shr, "<": Lt, "<=": Le, ">": Gt, ">=": Ge,
	"==": Eq, "!=": Ne, "&": And, "^": Xor, "|": Or, "&&": LogAnd, "||": LogOr,
}

// integerOf returns the integer that a part of the expression has.
func (c *compiler) integerOf(s *syntax) (Node, error) {
	o, err := c.operand(s)
	if err != nil {
		return nil, err
	}
	n, err := c.value(s, o)
	if err == nil && n.Type().Size == 0 {
		err = c.fault(s, "is a string: a number is needed")
	}
	return n, err
}

// unary applies an operator to one operand. That of + only promotes it.
func (c *compiler) unary(s *syntax) (operand, error) {
	switch s.text {
	case "*":
		return c.star(s)
	case "&":
		return c.address(s)
	}
	x, err := c.integerOf(s.x)
	if err != nil {
		return operand{}, err
	}
	x = convert(x, promoted(x.Type()))
	switch s.text {
	case "-":
		x = fold(&Unary{Int: x.Type(), Op: Neg, X: x})
	case "~":
		x = fold(&Unary{Int: x.Type(), Op: Com, X: x})
	case "!":
		x = fold(&Unary{Int: intType, Op: Not, X: x})
	}
	return operand{node: x}, nil
}

// star is what a pointer points to.
func (c *compiler) star(s *syntax) (operand, error) {
	x, err := c.operand(s.x)
	if err != nil {
		return x, err
	}
	p, ok := c.pointer(x)
	if !ok {
		return x, c.fault(s, "%s, not a pointer", c.describe(s.x, x))
	}
	return c.dereference(s, s.x, p)
}

// address is where something lies in memory.
func (c *compiler) address(s *syntax) (operand, error) {
	x, err := c.operand(s.x)
	if err != nil {
		return x, err
	}
	if x.kind != inMemory || x.width != 0 {
		return x, c.fault(s, "has no address")
	}
	return operand{kind: aPointer, typ: &btf.Pointer{Target: x.typ}, at: x.at}, nil
}

// binary applies an operator to two operands. Pointers and strings have their own rules; besides, a
// pointer is an unsigned integer of 8 bytes.
func (c *compiler) binary(s *syntax) (operand, error) {
	x, err := c.operand(s.x)
	if err != nil {
		return x, err
	}
	y, err := c.operand(s.y)
	if err != nil {
		return y, err
	}
	if s.text == "+" || s.text == "-" {
		if p, ok, err := c.moved(s, x, y); ok || err != nil {
			return p, err
		}
	}
	if s.text == "==" || s.text == "!=" {
		if o, ok, err := c.sameText(s, x, y); ok || err != nil {
			return o, err
		}
	}
	a, err := c.number(s.x, x)
	if err != nil {
		return x, err
	}
	b, err := c.number(s.y, y)
	if err != nil {
		return y, err
	}
	n, err := c.join(s, binaryOps[s.text], a, b)
	return operand{node: n}, err
}

// number returns the integer that an operand has.
func (c *compiler) number(s *syntax, o operand) (Node, error) {
	n, err := c.value(s, o)
	if err == nil && n.Type().Size == 0 {
		err = c.fault(s, "is a string: only == and != compare it, with another string")
	}
	return n, err
}

// join applies an operator to two integers, after C's conversions.
func (c *compiler) join(s *syntax, op Op, x, y Node) (Node, error) {
	typ := common(x.Type(), y.Type())
	switch {
	case op == LogAnd || op == LogOr:
		return logical(op, x, y), nil
	case op == Shl || op == Shr:
		x, y = convert(x, promoted(x.Type())), convert(y, promoted(y.Type()))
		typ = x.Type()
	default:
		x, y = convert(x, typ), convert(y, typ)
	}
	if op >= Lt && op <= Ne {
		typ = intType
	}
	if by, ok := y.(*Const); ok && undefined(op, by.Number, typ) {
		return nil, c.fault(s, "has no value: a division by 0, or a shift by more bits than there are")
	}
	return fold(&Binary{Int: typ, Op: op, X: x, Y: y}), nil
}

// logical is x && y or x || y, of which a constant that does not decide is left out. It may test
// whether this kernel has something, as in SKB_DROP_REASON_OTHERHOST && x.
func logical(op Op, x, y Node) Node {
	for _, sides := range [][2]Node{{x, y}, {y, x}} {
		constant, ok := sides[0].(*Const)
		switch {
		case !ok:
		case (constant.Number != 0) == (op == LogAnd):
			other := sides[1]
			if isTruth(other) {
				return other
			}
			return fold(&Binary{Int: intType, Op: Ne, X: other, Y: convert(&Const{Int: intType}, other.Type())})
		case sides[0] == x: // it decides, without the other side
			return &Const{Int: intType, Number: truth(op == LogOr)}
		}
	}
	return fold(&Binary{Int: intType, Op: op, X: x, Y: y})
}

// isConst reports whether a value is known without reading anything.
func isConst(n Node) bool {
	_, ok := n.(*Const)
	return ok
}

// moved is a pointer with a constant number of elements added or subtracted. Ok is false if
// neither operand is a pointer.
func (c *compiler) moved(s *syntax, x, y operand) (p operand, ok bool, err error) {
	p, ok = c.pointer(x)
	q, second := c.pointer(y)
	by := s.y
	switch {
	case !ok && !second:
		return p, false, nil
	case ok && second, s.text == "-" && second:
		return p, false, c.fault(s, "pointers cannot be added or subtracted here: cast them to long")
	case second:
		p, by, y = q, s.x, x
	}
	n, err := c.number(by, y)
	if err != nil {
		return p, false, err
	}
	constant, ok := n.(*Const)
	if !ok {
		return p, false, c.fault(s, "only a constant can be added to a pointer or subtracted from it")
	}
	count := int64(constant.Number)
	if s.text == "-" {
		count = -count
	}
	p, err = c.shift(s, p, count)
	return p, err == nil, err
}

// sameText compares strings. Ok is false if neither operand is a string in quotes, or an array
// of char that is compared with another.
func (c *compiler) sameText(s *syntax, x, y operand) (o operand, ok bool, err error) {
	if !isQuoted(x) && !isQuoted(y) {
		return o, false, nil
	}
	a, err := c.stringOf(s.x, x)
	if err != nil {
		return o, false, err
	}
	b, err := c.stringOf(s.y, y)
	if err != nil {
		return o, false, err
	}
	return operand{node: fold(&Binary{Int: intType, Op: binaryOps[s.text], X: a, Y: b})}, true, nil
}

// isQuoted reports whether an operand is a string in quotes.
func isQuoted(o operand) bool { return o.kind == aValue && o.node.Type().Size == 0 }

// stringOf returns the string that an operand has, in place or behind a pointer.
func (c *compiler) stringOf(s *syntax, o operand) (Node, error) {
	if isQuoted(o) {
		return o.node, nil
	}
	if p, ok := c.pointer(o); ok && isChar(p.target()) {
		size := uint32(0)
		if a, ok := arrayOf(o); ok {
			size = a.Nelems
		}
		return c.load(p.text(int(size)), Int{}), nil
	}
	return nil, c.fault(s, "has the type %s, not a string", o.cName())
}

// convert gives a value another type.
func convert(x Node, typ Int) Node {
	if x.Type() == typ {
		return x
	}
	return fold(&Unary{Int: typ, Op: Convert, X: x})
}

// fold returns the constant that a node is, if all below it are.
func fold(n Node) Node {
	switch n := n.(type) {
	case *Unary:
		if !isConst(n.X) {
			return n
		}
	case *Binary:
		if !isConst(n.X) || !isConst(n.Y) {
			return n
		}
	}
	v, ok := eval(n, nil, nil)
	if !ok {
		return n
	}
	return &Const{Int: n.Type(), Number: v.Number}
}
