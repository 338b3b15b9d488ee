package member

import (
	"cmp"
	"math/bits"

	"github.com/cilium/ebpf/btf"
)

var (
	intType     = Int{4, true}  // int, to which smaller ones are promoted
	longType    = Int{8, true}  // long, the result of a difference of pointers
	pointerType = Int{8, false} // as a number, uintptr_t
)

// keywordInts are the integers of C and of the kernel that need no BTF.
var keywordInts = map[string]Int{
	"bool": {1, false}, "_Bool": {1, false}, "char": {1, true}, "signed char": {1, true}, "unsigned char": {1, false},
	"short": {2, true}, "short int": {2, true}, "unsigned short": {2, false}, "unsigned short int": {2, false},
	"int": intType, "signed": intType, "signed int": intType, "unsigned": {4, false}, "unsigned int": {4, false},
	"long": longType, "long int": longType, "unsigned long": {8, false}, "unsigned long int": {8, false},
	"long long": longType, "long long int": longType, "unsigned long long": {8, false},
	"long unsigned int": {8, false}, "long long unsigned int": {8, false}, "short unsigned int": {2, false},
	"u8": {1, false}, "u16": {2, false}, "u32": {4, false}, "u64": {8, false},
	"s8": {1, true}, "s16": {2, true}, "s32": {4, true}, "s64": longType,
}

// cName returns the name of the type in C.
func (i Int) cName() string {
	name := map[int]string{1: "char", 2: "short", 4: "int", 8: "long"}[i.Size]
	if !i.Signed {
		return "unsigned " + name
	}
	return name
}

// bits returns how many bits a value of the type has.
func (i Int) bits() int { return i.Size * 8 }

// normal extends a value of a type to 64 bits, without what the type cannot hold.
func normal(n uint64, typ Int) uint64 { return extend(n, typ.bits(), typ.Signed) }

// extend extends the lower bits of n to 64.
func extend(n uint64, width int, signed bool) uint64 {
	shift := 64 - min(max(width, 0), 64)
	if signed {
		return uint64(int64(n<<shift) >> shift)
	}
	return n << shift >> shift
}

// promoted is the type that a value has as an operand: C's integer promotion.
func promoted(typ Int) Int {
	if typ.Size < 4 {
		return intType
	}
	return typ
}

// common is the type to which both operands are converted: C's usual arithmetic conversions.
func common(x, y Int) Int {
	x, y = promoted(x), promoted(y)
	switch cmp.Compare(x.Size, y.Size) {
	case 1:
		return x
	case -1:
		return y
	}
	return Int{x.Size, x.Signed && y.Signed}
}

// integer returns the type of an integer or enum of BTF.
func integer(t btf.Type) (typ Int, ok bool) {
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Int:
		typ = Int{int(t.Size), t.Encoding == btf.Signed}
	case *btf.Enum:
		typ = Int{int(t.Size), t.Signed}
	}
	return typ, typ.Size > 0 && typ.Size <= 8 && bits.OnesCount(uint(typ.Size)) == 1
}

// isBool reports whether a type is C's bool.
func isBool(t btf.Type) bool {
	i, ok := btf.UnderlyingType(t).(*btf.Int)
	return ok && i.Encoding == btf.Bool
}
