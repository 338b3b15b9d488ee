package member

import (
	"encoding/binary"
	"slices"

	"github.com/cilium/ebpf/btf"
)

// An address is a value that a Load reads, or an argument, and an offset from it.
type address struct {
	arg     int     // index of the argument in Function.Args
	offsets []int64 // of the Load; none: the argument
	offset  int64   // bytes, from there on
}

// load returns the address that is read at a.
func (a address) load() address {
	return address{arg: a.arg, offsets: append(slices.Clone(a.offsets), a.offset)}
}

// An operand is a part of an expression with its type.
type operand struct {
	kind operandKind
	typ  btf.Type // nil for what has no type of BTF: a computed integer, or a string
	node Node     // of a value
	at   address  // of the two other kinds
	name string   // of the member or argument

	container, shift, width int // of a bit field, as Size, BitOffset and BitSize of its Load
}

// An operandKind says what an operand has: a value that is computed, a member in memory, or the address of one.
type operandKind uint8

const (
	aValue   operandKind = iota // an integer or string: node
	inMemory                    // what lies at an address
	aPointer                    // the address itself, whose typ is a *btf.Pointer
)

// number64 is a constant of a type.
func number64(n uint64, typ Int) operand {
	return operand{node: &Const{Int: typ, Number: normal(n, typ)}}
}

// single returns the integer or pointer that a struct only wraps, as atomic_t and refcount_t do.
// Other operands are returned as they are.
func (o operand) single() operand {
	inner := o
	for range maxNesting {
		s, ok := btf.UnderlyingType(inner.typ).(*btf.Struct)
		if !ok || o.kind != inMemory || len(s.Members) != 1 || s.Members[0].BitfieldSize != 0 {
			break
		}
		inner.typ = s.Members[0].Type
	}
	if _, ok := integer(inner.typ); ok || isPointer(inner.typ) {
		return inner
	}
	return o
}

// target returns what a pointer points to.
func (o operand) target() btf.Type { return btf.UnderlyingType(o.typ).(*btf.Pointer).Target }

// cName names the type of an operand in C.
func (o operand) cName() string {
	switch {
	case o.typ != nil:
		return cType(o.typ)
	case o.node.Type().Size == 0:
		return "string"
	}
	return o.node.Type().cName()
}

// bigEndian says how the kernel stores integers.
var bigEndian = binary.NativeEndian.Uint16([]byte{0, 1}) == 1
