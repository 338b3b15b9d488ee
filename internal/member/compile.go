package member

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/suggest"
)

// Compile types an expression over the arguments of f. A fault in the text is an *Error.
func (f *Function) Compile(text string) (*Expr, error) {
	tree, display, err := parse(text)
	if err != nil {
		return nil, err
	}
	c := &compiler{function: f, text: text}
	o, err := c.operand(tree)
	if err != nil {
		return nil, err
	}
	e, err := c.finish(tree, o, display)
	if err != nil {
		return nil, err
	}
	if e.Loads, err = c.used(tree, e.Root); err != nil {
		return nil, err
	}
	return e, nil
}

// A compiler types one expression.
type compiler struct {
	function *Function // whose arguments the expression may name
	text     string    // the expression, for errors
	loads    []Load    // each once; some may not be used in the end
}

// fault returns the error of a part of the expression, at its end.
func (c *compiler) fault(s *syntax, format string, args ...any) *Error {
	return faultAt(c.text, s.from, s.to, format, args...)
}

// operand types a part of the expression.
func (c *compiler) operand(s *syntax) (operand, error) {
	switch s.kind {
	case nameSyntax:
		return c.name(s)
	case numberSyntax:
		return number64(s.number, s.typ), nil
	case textSyntax:
		return operand{node: &Const{Text: s.text}}, nil
	case memberSyntax:
		return c.member(s)
	case indexSyntax:
		return c.index(s)
	case callSyntax:
		return c.call(s)
	case castSyntax:
		return c.cast(s)
	case unarySyntax:
		return c.unary(s)
	}
	return c.binary(s)
}

// name looks for an argument, then for a constant.
func (c *compiler) name(s *syntax) (operand, error) {
	if s.text == "$retval" {
		return c.retval(s)
	}
	params := c.function.proto.Params
	i := slices.IndexFunc(params, func(p btf.FuncParam) bool { return p.Name == s.text })
	if n, ok := strings.CutPrefix(s.text, "$arg"); ok {
		if i, _ = strconv.Atoi(n); i < 1 || i > len(params) {
			return operand{}, c.fault(s, "%s has %d arguments", c.function.Name, len(params))
		}
		i--
	}
	if i >= 0 {
		return c.argument(s, i)
	}
	constant, ok, err := c.function.types.constant(c.function.spec, s.text)
	if err != nil || ok {
		return constant, err
	}
	return operand{}, c.fault(s, "%s has no argument %s, and this kernel no such constant of an enum: %s",
		c.function.Name, s.text, c.meant(s.text))
}

// meant says which names there are instead of an unknown one.
func (c *compiler) meant(typed string) string {
	var names []string
	for _, a := range c.function.Args {
		if a.Name != "" {
			names = append(names, a.Name)
		}
	}
	names = append(names, "$retval")
	if len(suggest.Nearest(typed, names)) == 0 {
		if question := suggest.Question(typed, c.function.types.constants(c.function.spec)); question != "" {
			return question
		}
	}
	return near(typed, names)
}

// retval returns what the function returned, which a source knows when it returns.
func (c *compiler) retval(s *syntax) (operand, error) {
	t := c.function.proto.Return
	if _, void := btf.UnderlyingType(t).(*btf.Void); void {
		return operand{}, c.fault(s, "%s returns nothing", c.function.Name)
	}
	return c.register(s, ReturnValue, s.text, t)
}

// argument returns an argument. Those behind one that is larger than a register are in other
// registers than their number says.
func (c *compiler) argument(s *syntax, i int) (operand, error) {
	for _, p := range c.function.proto.Params[:i] {
		if size, err := btf.Sizeof(p.Type); err != nil || size > 8 {
			return operand{}, c.fault(s, "cannot be read: argument %s has the type %s, larger than a register", p.Name, cType(p.Type))
		}
	}
	return c.register(s, i, s.text, c.function.proto.Params[i].Type)
}

// register returns what an argument has.
func (c *compiler) register(s *syntax, arg int, name string, t btf.Type) (operand, error) {
	o := operand{typ: t, name: name, at: address{arg: arg}}
	if _, ok := btf.UnderlyingType(t).(*btf.Pointer); ok {
		o.kind = aPointer
		return o, nil
	}
	typ, ok := integer(t)
	if !ok {
		return o, c.fault(s, "has the type %s: only pointers and integers can be read from a register", cType(t))
	}
	o.node = c.load(Load{Arg: arg, Size: typ.Size, Signed: typ.Signed}, typ)
	return o, nil
}

// load returns the value of a load, which is kept once.
func (c *compiler) load(l Load, typ Int) Node {
	i := slices.IndexFunc(c.loads, l.equal)
	if i < 0 {
		i = len(c.loads)
		c.loads = append(c.loads, l)
	}
	return &Ref{Int: typ, Load: i}
}

// equal reports whether both read the same, so that it is read once.
func (l Load) equal(other Load) bool {
	same := slices.Equal(l.Offsets, other.Offsets)
	return same && l.Arg == other.Arg && l.Size == other.Size && l.Signed == other.Signed && l.BitOffset == other.BitOffset &&
		l.BitSize == other.BitSize && l.Array == other.Array && l.String == other.String
}

// used returns the loads that root refers to, and renumbers its references.
func (c *compiler) used(s *syntax, root Node) (loads []Load, err error) {
	index := make(map[int]int)
	walk(root, func(r *Ref) {
		i, ok := index[r.Load]
		if !ok {
			i = len(loads)
			index[r.Load] = i
			loads = append(loads, c.loads[r.Load])
		}
		r.Load = i
	})
	if len(loads) > MaxLoads {
		return nil, c.fault(s, "reads %d different values, more than %d", len(loads), MaxLoads)
	}
	for _, l := range loads {
		if len(l.Offsets) > MaxOffsets {
			return nil, c.fault(s, "follows more than %d pointers", MaxOffsets-1)
		}
	}
	return loads, nil
}

// walk calls f for each reference below n.
func walk(n Node, f func(*Ref)) {
	switch n := n.(type) {
	case *Ref:
		f(n)
	case *Unary:
		walk(n.X, f)
	case *Binary:
		walk(n.X, f)
		walk(n.Y, f)
	}
}

// value returns the integer or string that an operand has.
func (c *compiler) value(s *syntax, o operand) (Node, error) {
	switch o = o.single(); o.kind {
	case aValue:
		return o.node, nil
	case aPointer:
		return c.addressValue(o.at), nil
	}
	t := btf.UnderlyingType(o.typ)
	if _, ok := t.(*btf.Pointer); ok {
		return c.addressValue(o.at.load()), nil
	}
	if a, ok := t.(*btf.Array); ok && isChar(a.Type) {
		return c.load(o.text(int(a.Nelems)), Int{}), nil
	}
	typ, ok := integer(t)
	if !ok {
		return nil, c.fault(s, "has the type %s, which has no single value%s", cType(o.typ), choices(t))
	}
	return c.integer(o, typ), nil
}

// choices says what to take of a type that has no single value.
func choices(t btf.Type) string {
	if members, ok := membersOf(t); ok {
		return ": take one of its members: " + near("", namesOf(members))
	}
	if _, ok := t.(*btf.Array); ok {
		return ": take one of its elements, as in [0]"
	}
	return ""
}

// integer loads an integer in memory; the bits of one if it is a bit field.
func (c *compiler) integer(o operand, typ Int) Node {
	l := Load{Arg: o.at.arg, Offsets: o.at.load().offsets, Size: typ.Size, Signed: typ.Signed}
	if o.width == 0 {
		return c.load(l, typ)
	}
	l.Size, l.BitOffset, l.BitSize = o.container, o.shift, o.width
	bits := c.load(l, Int{max(o.container, typ.Size), typ.Signed})
	if o.width < intType.bits() { // it is promoted to int, whose values it can have
		return convert(bits, intType)
	}
	return convert(bits, typ)
}

// text is the load of a string at an operand's address, in an array of a size; 0 if that is not
// known.
func (o operand) text(size int) Load {
	if size == 0 {
		size = MaxString
	}
	return Load{Arg: o.at.arg, Offsets: o.at.load().offsets, Array: min(size, MaxString), String: true}
}

// addressValue returns an address as an integer.
func (c *compiler) addressValue(a address) Node {
	pointer := c.load(Load{Arg: a.arg, Offsets: slices.Clone(a.offsets), Size: pointerType.Size}, pointerType)
	if a.offset == 0 {
		return pointer
	}
	return &Binary{Int: pointerType, Op: Add, X: pointer, Y: &Const{Int: pointerType, Number: uint64(a.offset)}}
}

// pointer turns an operand into a pointer: one that is read in memory, or the address of an array.
func (c *compiler) pointer(o operand) (p operand, ok bool) {
	if o.kind == aPointer || o.kind == aValue {
		return o, o.kind == aPointer
	}
	switch t := btf.UnderlyingType(o.typ).(type) {
	case *btf.Pointer:
		return operand{kind: aPointer, typ: o.typ, at: o.at.load(), name: o.name}, true
	case *btf.Array:
		return operand{kind: aPointer, typ: &btf.Pointer{Target: t.Type}, at: o.at, name: o.name}, true
	}
	return o, false
}

// isChar reports whether a type is C's char, of which strings are made.
func isChar(t btf.Type) bool {
	i, ok := btf.UnderlyingType(t).(*btf.Int)
	return ok && i.Name == "char"
}

// describe says what a part of the expression is, for errors.
func (c *compiler) describe(s *syntax, o operand) string {
	return fmt.Sprintf("%s has the type %s", c.text[s.from:s.to], o.cName())
}
