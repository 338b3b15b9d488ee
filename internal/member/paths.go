package member

import (
	"errors"
	"math"

	"github.com/cilium/ebpf/btf"
)

// member takes a member of a struct or union, x.text or x->text.
func (c *compiler) member(s *syntax) (operand, error) {
	x, err := c.operand(s.x)
	if err != nil {
		return x, err
	}
	at, t, err := c.container(s, x)
	if err != nil {
		return x, err
	}
	members, _ := membersOf(t)
	m, ok := find(members, s.text)
	if !ok {
		m, ok = expand(t, s.text)
	}
	if !ok {
		return x, c.fault(s, "%s has no member %s: %s", cType(t), s.text, instead(s.text, members))
	}
	return c.at(s, at, m)
}

// container returns the struct or union that an operator takes a member of, and where it lies.
// Behind a pointer both operators do the same.
func (c *compiler) container(s *syntax, x operand) (at address, t btf.Type, err error) {
	op := s.y.text
	p, isPointer := c.pointer(x)
	switch {
	case op == "." && x.kind == inMemory && !isPointer:
		at, t = x.at, x.typ
	case isPointer:
		at = p.at
		t, err = c.pointed(s, s.x, p)
	case x.kind == inMemory && isStruct(x.typ):
		return at, t, c.fault(s, "%s, not a pointer: use . instead of ->", c.describe(s.x, x))
	}
	if err == nil && !isStruct(t) {
		err = c.fault(s, "%s, which has no members", c.describe(s.x, x))
	}
	return at, t, err
}

// isStruct reports whether a type has members.
func isStruct(t btf.Type) bool {
	_, ok := membersOf(t)
	return ok
}

// at returns the member m of what lies at an address.
func (c *compiler) at(s *syntax, at address, m btf.Member) (operand, error) {
	o := operand{kind: inMemory, typ: m.Type, name: m.Name, at: at}
	if m.BitfieldSize == 0 && m.Offset%8 == 0 {
		o.at.offset += int64(m.Offset / 8)
		return o, nil
	}
	start, size, shift, ok := bitField(int64(m.Offset), int64(m.BitfieldSize), bigEndian)
	if !ok || m.BitfieldSize == 0 {
		return o, c.fault(s, "cannot be read: its bits are in more than one integer")
	}
	o.at.offset += start
	o.container, o.shift, o.width = size, shift, int(m.BitfieldSize)
	return o, nil
}

// index takes an element of an array, or of what a pointer points to.
func (c *compiler) index(s *syntax) (operand, error) {
	x, err := c.operand(s.x)
	if err != nil {
		return x, err
	}
	n, err := c.constantIndex(s)
	if err != nil {
		return x, err
	}
	p, ok := c.pointer(x)
	if !ok {
		return x, c.fault(s, "%s, which has no elements", c.describe(s.x, x))
	}
	if a, ok := arrayOf(x); ok && a.Nelems > 0 && (n < 0 || n >= int64(a.Nelems)) {
		return x, c.fault(s, "%s: its elements are [0] to [%d]", c.describe(s.x, x), a.Nelems-1)
	}
	p, err = c.shift(s, p, n)
	if err != nil {
		return x, err
	}
	return c.dereference(s, s.x, p)
}

// arrayOf returns the array that an operand is.
func arrayOf(x operand) (a *btf.Array, ok bool) {
	if x.kind == inMemory {
		a, ok = btf.UnderlyingType(x.typ).(*btf.Array)
	}
	return a, ok
}

// constantIndex returns the index of an element.
func (c *compiler) constantIndex(s *syntax) (int64, error) {
	y, err := c.integerOf(s.y)
	if err != nil {
		return 0, err
	}
	n, ok := y.(*Const)
	if !ok {
		return 0, c.fault(s.y, "an index must be a constant")
	}
	return int64(n.Number), nil
}

// maxOffset bounds how far an address lies from a pointer: kprobe events allow 31 bits.
const maxOffset = math.MaxInt32

// shift moves a pointer by n elements.
func (c *compiler) shift(s *syntax, p operand, n int64) (operand, error) {
	size := 1 // of void, as GNU C has it
	if _, void := btf.UnderlyingType(p.target()).(*btf.Void); !void {
		t, err := c.complete(s, p.target())
		if err == nil {
			size, err = btf.Sizeof(t)
		}
		if err != nil {
			return p, c.fault(s, "the size of %s is not known", cType(p.target()))
		}
	}
	if n > maxOffset || n < -maxOffset || int64(size) > maxOffset {
		return p, c.fault(s, "is too far from where the pointer points to")
	}
	p.at.offset += n * int64(size)
	if p.at.offset > maxOffset || p.at.offset < -maxOffset {
		return p, c.fault(s, "is too far from where the pointer points to")
	}
	return p, nil
}

// dereference returns what a pointer points to, which is a part of the expression of its own.
func (c *compiler) dereference(s, pointer *syntax, p operand) (operand, error) {
	switch btf.UnderlyingType(p.target()).(type) {
	case *btf.Void:
		return p, c.fault(s, "a void * points to nothing that has a type: cast it first")
	case *btf.FuncProto:
		return p, c.fault(s, "points to a function, which has no value")
	}
	t, err := c.pointed(s, pointer, p)
	return operand{kind: inMemory, typ: t, at: p.at, name: p.name}, err
}

// elsewhere are the tags of pointers to what is not at their address in the kernel's memory. Only
// some compilers keep them.
var elsewhere = map[string]string{
	"user":   "points to the memory of a process, which is not read here",
	"percpu": "points to memory of each CPU: its address is an offset only",
}

// pointed returns the type of what a pointer points to, which can be read.
func (c *compiler) pointed(s, pointer *syntax, p operand) (btf.Type, error) {
	t := p.target()
	for range maxNesting {
		switch q := t.(type) {
		case *btf.Const:
			t = q.Type
		case *btf.Volatile:
			t = q.Type
		case *btf.TypeTag:
			if why := elsewhere[q.Value]; why != "" {
				return t, c.fault(s, "%s %s", c.text[pointer.from:pointer.to], why)
			}
			t = q.Type
		default:
			return c.complete(s, p.target())
		}
	}
	return c.complete(s, p.target())
}

// complete returns the struct or union that a type only names: the kernel's types have those
// of modules so.
func (c *compiler) complete(s *syntax, t btf.Type) (btf.Type, error) {
	forward, ok := btf.UnderlyingType(t).(*btf.Fwd)
	if !ok {
		return t, nil
	}
	t, err := c.function.types.named(c.function.spec, cType(forward))
	if errors.Is(err, btf.ErrNotFound) {
		return t, c.fault(s, "%s has no members on this kernel: its module may not be loaded", cType(forward))
	}
	return t, err
}
