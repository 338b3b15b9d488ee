package member

import (
	"errors"
	"strings"

	"github.com/cilium/ebpf/btf"
)

// cast gives an operand another type.
func (c *compiler) cast(s *syntax) (operand, error) {
	x, err := c.operand(s.x)
	if err != nil {
		return x, err
	}
	t, err := c.function.types.named(c.function.spec, s.text)
	if typ, ok := keywordInts[s.text]; ok && errors.Is(err, btf.ErrNotFound) {
		t, err = keywordType(s.text, typ), nil
	}
	if errors.Is(err, btf.ErrNotFound) {
		return x, c.fault(s, "there is no type %s on this kernel%s", s.text, c.function.question(s.text))
	}
	if err != nil {
		return x, c.fault(s, "%v", err)
	}
	for range s.stars {
		t = &btf.Pointer{Target: t}
	}
	if s.stars > 0 || isPointer(t) {
		return c.castPointer(s, x, t)
	}
	return c.castInteger(s, x, t)
}

// isPointer reports whether a type is a pointer, whatever its name. A type that is nil is none.
func isPointer(t btf.Type) bool {
	_, ok := btf.UnderlyingType(t).(*btf.Pointer)
	return ok
}

// keywordType returns the type of BTF for a name that needs none.
func keywordType(name string, typ Int) btf.Type {
	t := &btf.Int{Name: name, Size: uint32(typ.Size)}
	switch {
	case typ.Signed:
		t.Encoding = btf.Signed
	case strings.HasSuffix(strings.ToLower(name), "bool"):
		t.Encoding = btf.Bool
	}
	return t
}

// castInteger converts an integer or pointer to an integer or enum.
func (c *compiler) castInteger(s *syntax, x operand, t btf.Type) (operand, error) {
	typ, ok := integer(t)
	if !ok {
		return x, c.fault(s, "cannot be cast to %s: only to integers, enums and pointers", cType(t))
	}
	n, err := c.number(s.x, x)
	if err != nil {
		return x, err
	}
	if isBool(t) {
		n = fold(&Binary{Int: intType, Op: Ne, X: n, Y: convert(&Const{Int: intType}, n.Type())})
	}
	return operand{typ: t, node: convert(n, typ)}, nil
}

// castPointer casts to a pointer: another one, or an integer that is read and may have a
// constant added to it.
func (c *compiler) castPointer(s *syntax, x operand, t btf.Type) (operand, error) {
	if p, ok := c.pointer(x); ok {
		return operand{kind: aPointer, typ: t, at: p.at}, nil
	}
	n, err := c.number(s.x, x)
	if err != nil {
		return x, err
	}
	at, ok := c.addressIn(n)
	if !ok {
		return x, c.fault(s, "only an integer of 8 bytes that is read, and a constant added to it, can be cast to a pointer")
	}
	return operand{kind: aPointer, typ: t, at: at}, nil
}

// addressIn returns the address that an integer is.
func (c *compiler) addressIn(n Node) (at address, ok bool) {
	switch n := n.(type) {
	case *Ref:
		l := c.loads[n.Load]
		return address{arg: l.Arg, offsets: l.Offsets}, l.Size == 8 && l.BitSize == 0
	case *Unary:
		if n.Op == Convert && n.Size == 8 {
			return c.addressIn(n.X)
		}
	case *Binary:
		by, constant := n.Y.(*Const)
		if !constant || n.Op != Add && n.Op != Sub {
			return at, false
		}
		at, ok = c.addressIn(n.X)
		offset := int64(by.Number)
		if n.Op == Sub {
			offset = -offset
		}
		at.offset += offset
		return at, ok && offset <= maxOffset && offset >= -maxOffset && at.offset <= maxOffset && at.offset >= -maxOffset
	}
	return at, false
}
