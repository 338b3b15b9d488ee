package member

import (
	"maps"
	"slices"
	"strings"

	"github.com/cilium/ebpf/btf"

	"dropwatch/internal/suggest"
)

// displays are those that a text may ask for.
var displays = map[string]Show{
	"d": Decimal, "x": Hex, "ip": IPv4, "port": Port, "string": Text, "enum": Enum, "symbol": Symbol, "mac": MAC,
}

// displayNames returns the names of displays, sorted.
func displayNames() []string { return slices.Sorted(maps.Keys(displays)) }

// finish gives the expression its root, and how its value is displayed.
func (c *compiler) finish(s *syntax, o operand, display token) (e *Expr, err error) {
	e = &Expr{Text: strings.TrimSpace(c.text), Type: o.cName()}
	if display.kind != nameToken {
		return e, c.natural(e, s, o)
	}
	e.Text = strings.TrimSpace(c.text[:strings.LastIndexByte(c.text[:display.from], ':')])
	show, ok := displays[display.text]
	if !ok {
		end := &syntax{to: display.to}
		return e, c.fault(end, "unknown display %s: %s", display.text, suggest.Choice(display.text, displayNames()))
	}
	return e, c.asked(e, s, o, show)
}

// natural displays a value as its type says.
func (c *compiler) natural(e *Expr, s *syntax, o operand) (err error) {
	if size, ok := addressSize(o); ok {
		return c.ip(e, s, o, size)
	}
	o = o.single()
	if p, ok := c.pointer(o); ok && isChar(p.target()) {
		return c.string(e, s, o)
	}
	if a, ok := arrayOf(o); ok && isByte(a.Type) {
		if a.Nelems == sizeOfMAC {
			return c.asMAC(e, s, o)
		}
		return c.bytes(e, s, o)
	}
	e.Root, err = c.value(s, o)
	if err == nil {
		e.Show = showOf(o, e.Root)
	}
	e.enum = namesOfValues(o.typ)
	return err
}

// addresses are names of IP addresses, besides those that say so.
var addresses = []string{"ip", "src", "dst", "gw4", "gateway", "nexthop"}

// showOf says how an integer or pointer is displayed.
func showOf(o operand, root Node) Show {
	if o.typ == nil {
		return showOfNode(root)
	}
	switch t := btf.UnderlyingType(o.typ).(type) {
	case *btf.Pointer:
		if _, ok := btf.UnderlyingType(t.Target).(*btf.FuncProto); ok {
			return Symbol
		}
		return Pointer
	case *btf.Enum:
		return Enum
	}
	name := o.name
	switch order := networkOrder(o.typ); {
	case isBool(o.typ):
		return Bool
	case order == 2 && (strings.Contains(name, "port") || name == "source" || name == "dest"):
		return Port
	case order == 4 && (strings.Contains(name, "addr") || slices.Contains(addresses, name)):
		return IPv4
	case order > 0:
		return NetworkHex
	}
	return Decimal
}

// showOfNode says how a computed value is displayed: a comparison is true or false.
func showOfNode(root Node) Show {
	switch {
	case root.Type().Size == 0:
		return Text
	case isTruth(root):
		return Bool
	}
	return Decimal
}

// isTruth reports whether a value is 0 or 1: that of a comparison, of !, && or ||.
func isTruth(n Node) bool {
	switch n := n.(type) {
	case *Unary:
		return n.Op == Not
	case *Binary:
		return n.Op >= Lt && n.Op <= Ne || n.Op == LogAnd || n.Op == LogOr
	}
	return false
}

// networkOrder returns the size of an integer in network byte order: 2 of __be16. It is 0 for
// others.
func networkOrder(t btf.Type) int {
	for range maxNesting {
		switch q := btf.QualifiedType(t).(type) {
		case *btf.Typedef:
			if size, ok := map[string]int{"__be16": 2, "__be32": 4, "__be64": 8}[q.Name]; ok {
				return size
			}
			t = q.Type
		default:
			return 0
		}
	}
	return 0
}

// namesOfValues returns the names of an enum's values, extended to 64 bits.
func namesOfValues(t btf.Type) map[uint64]string {
	e, ok := btf.UnderlyingType(t).(*btf.Enum)
	if !ok {
		return nil
	}
	names := make(map[uint64]string)
	for _, v := range e.Values {
		n := normal(v.Value, Int{int(e.Size), e.Signed})
		if names[n] == "" {
			names[n] = v.Name
		}
	}
	return names
}

// addressSize returns the size of an IP address that has its own struct.
func addressSize(o operand) (size int, ok bool) {
	if o.kind != inMemory {
		return 0, false
	}
	s, ok := btf.UnderlyingType(o.typ).(*btf.Struct)
	if !ok {
		return 0, false
	}
	size, ok = map[string]int{"in_addr": 4, "in6_addr": 16}[s.Name]
	return size, ok
}

// ip displays bytes in memory as an address.
func (c *compiler) ip(e *Expr, s *syntax, o operand, size int) error {
	e.Show = map[int]Show{4: IPv4, 16: IPv6}[size]
	if e.Show == Decimal {
		return c.fault(s, "has the type %s of %d bytes: an address has 4 or 16", o.cName(), size)
	}
	e.Root = c.bytesAt(o.at, size)
	return nil
}

// string displays an array of char, or what a pointer to char points to.
func (c *compiler) string(e *Expr, s *syntax, o operand) (err error) {
	e.Show = Text
	e.Root, err = c.stringOf(s, o)
	return err
}

// bytesAt is the load of bytes at an address.
func (c *compiler) bytesAt(a address, n int) Node {
	return c.load(Load{Arg: a.arg, Offsets: a.load().offsets, Array: n}, Int{})
}

// maxBytes bounds the arrays of bytes that are displayed.
const maxBytes = 64

// bytes displays an array of bytes in hexadecimal.
func (c *compiler) bytes(e *Expr, s *syntax, o operand) error {
	a, _ := arrayOf(o)
	if a.Nelems == 0 || a.Nelems > maxBytes {
		return c.fault(s, "has the type %s: only up to %d bytes are displayed: take one of its elements, as in [0]", o.cName(), maxBytes)
	}
	e.Show = Hex
	e.Root = c.bytesAt(o.at, int(a.Nelems))
	return nil
}

// isByte reports whether a type is an integer of one byte.
func isByte(t btf.Type) bool {
	typ, ok := integer(t)
	return ok && typ.Size == 1
}

// asked displays a value as the text asks for.
func (c *compiler) asked(e *Expr, s *syntax, o operand, show Show) (err error) {
	switch show {
	case Text:
		return c.asText(e, s, o)
	case IPv4:
		return c.asIP(e, s, o)
	case Enum:
		return c.asEnum(e, s, o)
	case MAC:
		return c.asMAC(e, s, o)
	}
	if a, ok := arrayOf(o); ok && show == Hex && isByte(a.Type) {
		return c.bytes(e, s, o)
	}
	e.Show = show
	e.Root, err = c.number(s, o)
	if err == nil && show == Port && e.Root.Type().Size != 2 {
		err = c.fault(s, "has the type %s: a port is an integer of 2 bytes", o.cName())
	}
	return err
}

// asText takes the bytes of an array, or those behind a pointer, as a string.
func (c *compiler) asText(e *Expr, s *syntax, o operand) error {
	if p, ok := c.pointer(o); ok && (isByte(p.target()) || isVoid(p.target())) {
		if a, ok := arrayOf(o); ok {
			o.typ = &btf.Array{Type: &btf.Int{Name: "char", Size: 1}, Nelems: a.Nelems}
		} else {
			o = operand{kind: aPointer, typ: &btf.Pointer{Target: &btf.Int{Name: "char", Size: 1}}, at: p.at}
		}
	}
	return c.string(e, s, o)
}

// isVoid reports whether a type is void, to which pointers point that say nothing.
func isVoid(t btf.Type) bool {
	_, ok := btf.UnderlyingType(t).(*btf.Void)
	return ok
}

// asIP takes an integer, a struct, a union or an array, or what a pointer points to, as an
// address.
func (c *compiler) asIP(e *Expr, s *syntax, o operand) (err error) {
	if isPointer(o.typ) {
		p, _ := c.pointer(o)
		if o, err = c.dereference(s, s, p); err != nil {
			return err
		}
	}
	if _, ok := integer(o.typ); o.kind == inMemory && !ok {
		size, err := btf.Sizeof(o.typ)
		if err != nil {
			return c.fault(s, "the size of %s is not known", o.cName())
		}
		return c.ip(e, s, o, size)
	}
	e.Show = IPv4
	e.Root, err = c.number(s, o)
	if err == nil && e.Root.Type().Size != 4 {
		err = c.fault(s, "has the type %s: an address has 4 or 16 bytes", o.cName())
	}
	return err
}

// sizeOfMAC is what the kernel calls ETH_ALEN: an array of so many bytes is an address.
const sizeOfMAC = 6

// asMAC takes the first bytes of an array, or of what a pointer points to, as an address.
func (c *compiler) asMAC(e *Expr, s *syntax, o operand) error {
	p, ok := c.pointer(o)
	a, isArray := arrayOf(o)
	if !ok || !isByte(p.target()) && !isVoid(p.target()) || isArray && a.Nelems < sizeOfMAC {
		return c.fault(s, "has the type %s: a MAC address is %d bytes, or behind a pointer to bytes", o.cName(), sizeOfMAC)
	}
	e.Show = MAC
	e.Root = c.bytesAt(p.at, sizeOfMAC)
	return nil
}

// asEnum displays what is an enum already: the type of another value does not say which one.
func (c *compiler) asEnum(e *Expr, s *syntax, o operand) error {
	if e.enum = namesOfValues(o.typ); e.enum == nil {
		return c.fault(s, "has the type %s: cast it to an enum, as in (enum tcp_ca_state)x", o.cName())
	}
	return c.natural(e, s, o)
}
