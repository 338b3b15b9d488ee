package member

// ReturnValue is the Arg of a Load that begins with what the function returned.
const ReturnValue = -1

// The bounds of an expression.
const (
	MaxText    = 1024 // bytes of text
	MaxLoads   = 16   // different values that it reads
	MaxOffsets = 8    // of a Load
	MaxString  = 128  // bytes that are read of a string behind a pointer
)

// An Expr is an expression that was typed against a function. It does not change, and may be
// used by several goroutines.
type Expr struct {
	Text  string // as it was given, without the display at its end
	Type  string // of the value, in C
	Loads []Load // what it reads, each once
	Root  Node   // how the value is computed from them
	Show  Show   // how the value is displayed

	enum map[uint64]string // names of the values, if Show is Enum
}

// A Load is one value that is read in the kernel. It begins with an argument of the function,
// adds the first of Offsets and reads there; what it reads is a pointer, to which it adds the
// next, and so on: +8(+24(ARG)) of a kprobe event has the Offsets 24 and 8. Without Offsets
// it is the argument itself.
type Load struct {
	Arg     int     // from 0, or ReturnValue; each one before it takes one register
	Offsets []int64 // in bytes, at most MaxOffsets

	// Size is 1, 2, 4 or 8 bytes of an integer, in the byte order of the host. It is 0 if
	// bytes are read instead: Array of them, or with String fewer if a NUL ends them.
	Size   int
	Signed bool // the integer, or its bits below, are extended with their sign

	// BitSize is 0, or the bits of the integer that are the value. It is shifted right by
	// BitOffset first: b3@5/32 of a kprobe event has BitSize 3, BitOffset 5 and Size 4.
	BitOffset, BitSize int

	Array  int  // bytes to read in place of an integer
	String bool // they are text, up to a NUL
}

// A Value is what was read for a Load, or what an expression made of it. The zero Value says
// that it could not be read.
type Value struct {
	Known  bool
	Number uint64 // of an integer, extended to 64 bits according to its type
	Bytes  []byte // of a Load with Array; what follows a NUL in a string is ignored
}

// Number returns the value of an integer Load. The bits beyond the Load's do not matter; those
// of a Load with BitSize are shifted down already.
func Number(n uint64) Value { return Value{Known: true, Number: n} }

// Bytes returns the value of a Load with Array. It keeps b.
func Bytes(b []byte) Value { return Value{Known: true, Bytes: b} }

// A Show is how a value is displayed.
type Show uint8

const (
	Decimal    Show = iota // an integer of the value's size and sign
	Hex                    // an integer, or bytes
	NetworkHex             // an integer in network byte order, such as skb->protocol
	Bool                   // true or false
	Enum                   // the name of an enum's constant, or its number
	Text                   // a string
	IPv4                   // an address of 4 bytes: an integer or bytes in network byte order
	IPv6                   // an address of 16 bytes
	Port                   // an integer of 2 bytes in network byte order
	Pointer                // an address in hexadecimal
	Symbol                 // the address of a function
	MAC                    // an address of 6 bytes
)

// An Int is a type of C's integers. Its Size is 1, 2, 4 or 8 bytes, or 0 for bytes that are no
// integer: a string or an address.
type Int struct {
	Size   int
	Signed bool
}

// Type returns the type itself: each Node has that of its value.
func (i Int) Type() Int { return i }

// A Node computes a value, of its type: a *Const, *Ref, *Unary or *Binary. C's promotions and
// conversions are nodes of their own: operands have the types that their operator wants.
type Node interface {
	// Type is the type of the value, to whose size and sign its 64 bits are extended.
	Type() Int
}

// A Const is a constant.
type Const struct {
	Int
	Number uint64
	Text   string // of a string, whose type has the Size 0
}

// A Ref is the value of one of an expression's Loads.
type Ref struct {
	Int
	Load int // its index
}

// A Unary computes a value from another one.
type Unary struct {
	Int
	Op Op // Neg, Com, Not, Convert or Swap
	X  Node
}

// A Binary computes a value from two. Those have the same type, except for those of Shl, Shr,
// LogAnd and LogOr. For Eq and Ne they may both be bytes.
type Binary struct {
	Int
	Op   Op   // one of two operands
	X, Y Node // the left and the right operand
}

// An Op is an operator.
type Op uint8

const (
	Neg     Op = iota // -
	Com               // ~
	Not               // !, whose value is 0 or 1
	Convert           // to the type of the node
	Swap              // the bytes of an integer, if the host's order is not the network's

	Mul // *
	Div // /, which has no value if the divisor is 0
	Rem // %, likewise
	Add
	Sub
	Shl    // <<, which has no value if the type has fewer bits than that
	Shr    // >>, likewise; of a signed integer with its sign
	Lt     // <, as for the other comparisons, the value is 0 or 1
	Le     // <=
	Gt     // >
	Ge     // >=
	Eq     // ==
	Ne     // !=
	And    // &
	Xor    // ^
	Or     // |
	LogAnd // &&, which does without its right side if the left is 0
	LogOr  // ||, likewise if it is not 0
)
