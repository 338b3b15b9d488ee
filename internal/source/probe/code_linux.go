package probe

import (
	"errors"

	"github.com/cilium/ebpf/asm"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/member"
)

// Labels of the code of a condition.
const (
	whenTrue  = "true"
	whenFalse = "false" // also where it has no value
)

// The stack of a program, by offsets from its frame pointer.
const (
	readAt      = -8   // a value that was read
	keyAt       = -16  // of a call that is under way
	textAt      = -160 // a string
	temporaryAt = -168 // values of an expression, downward from here
	lastAt      = -512
)

// maxText is how long a string that is compared can be, with the two bytes behind it that are read.
const maxText = keyAt - textAt - 2

// errCode is why a condition cannot be tested by BPF.
var errCode = errors.New("the condition compares two strings that are read, or is nested too deeply")

// A coder generates code that evaluates expressions as member.Expr.Eval does, provided that each value could be read.
// R6 points to what has the registers of the function, and is kept, as are R7 to R9. Values are in R0.
type coder struct {
	bpfprog.Assembler
	reader
	registers   registers        // where arguments are
	types       *member.Function // that lead to values, which then are read without a helper; nil: all are read by one
	arguments   *record          // at R7, which has the arguments; nil: R6 has them
	loads       []member.Load    // of the expression
	temporaries int              // that are in use
	err         error            // the first, which ends the code
}

// A reader generates what puts the values of an expression's loads where a coder needs them.
type reader interface {
	// number puts an integer into R0, extended to 64 bits as member.Load says.
	number(c *coder, load int)
	// text returns where the first bytes of a string are, with a NUL if it ends before them.
	text(c *coder, load, bytes int) (base asm.Register, offset int16)
}

// condition jumps to whenTrue or to whenFalse.
func (c *coder) condition(n member.Node) { c.jump(n, whenTrue, whenFalse) }

// jump jumps to yes if a value is not 0, to no if it is, and to whenFalse if there is none.
func (c *coder) jump(n member.Node, yes, no string) {
	switch n := n.(type) {
	case *member.Const:
		if n.Number == 0 {
			yes = no
		}
		c.Emit(asm.Ja.Label(yes))
		return
	case *member.Unary:
		if n.Op == member.Not {
			c.jump(n.X, no, yes)
			return
		}
	case *member.Binary:
		if n.Op == member.LogAnd || n.Op == member.LogOr {
			c.both(n, yes, no)
			return
		}
		if n.Op >= member.Lt && n.Op <= member.Ne {
			c.compare(n, yes, no)
			return
		}
	}
	c.value(n)
	c.Emit(asm.JNE.Imm(asm.R0, 0, yes), asm.Ja.Label(no))
}

// both is jump for && and ||.
func (c *coder) both(n *member.Binary, yes, no string) {
	next := c.NewLabel()
	if n.Op == member.LogAnd {
		c.jump(n.X, next, no)
	} else {
		c.jump(n.X, yes, next)
	}
	if c.Place(next) {
		c.jump(n.Y, yes, no)
	}
}

// jumps are the comparisons of unsigned integers, and signedJumps those of signed ones.
var (
	jumps = map[member.Op]asm.JumpOp{
		member.Lt: asm.JLT, member.Le: asm.JLE, member.Gt: asm.JGT, member.Ge: asm.JGE, member.Eq: asm.JEq, member.Ne: asm.JNE,
	}
	signedJumps = map[member.Op]asm.JumpOp{
		member.Lt: asm.JSLT, member.Le: asm.JSLE, member.Gt: asm.JSGT, member.Ge: asm.JSGE, member.Eq: asm.JEq, member.Ne: asm.JNE,
	}
)

// compare is jump for a comparison.
func (c *coder) compare(n *member.Binary, yes, no string) {
	typ := n.X.Type()
	if typ.Size == 0 {
		c.compareText(n, yes, no)
		return
	}
	c.operands(n)
	op := jumps[n.Op]
	if typ.Signed {
		op = signedJumps[n.Op]
	}
	c.Emit(op.Reg(asm.R1, asm.R2, yes), asm.Ja.Label(no))
}

// compareText is jump for a string that is read and a constant one.
func (c *coder) compareText(n *member.Binary, yes, no string) {
	ref, isRef := n.X.(*member.Ref)
	constant, isConst := n.Y.(*member.Const)
	if !isRef || !isConst {
		ref, isRef = n.Y.(*member.Ref)
		constant, isConst = n.X.(*member.Const)
	}
	if !isRef || !isConst || len(constant.Text) > maxText {
		c.err = errCode
		c.Emit(asm.Ja.Label(no))
		return
	}
	if n.Op == member.Ne {
		yes, no = no, yes
	}
	text, most := constant.Text, c.loads[ref.Load].Array
	if len(text) > most {
		c.Emit(asm.Ja.Label(no))
		return
	}
	if len(text) < most {
		text += "\x00"
	}
	base, at := c.text(c, ref.Load, len(text))
	for i := range len(text) {
		c.Emit(asm.LoadMem(asm.R1, base, at+int16(i), asm.Byte), asm.JNE.Imm(asm.R1, int32(text[i]), no))
	}
	c.Emit(asm.Ja.Label(yes))
}

// value computes a node.
func (c *coder) value(n member.Node) {
	switch n := n.(type) {
	case *member.Const:
		c.Emit(asm.LoadImm(asm.R0, int64(n.Number), asm.DWord))
	case *member.Ref:
		c.number(c, n.Load)
	case *member.Unary:
		c.unary(n)
	case *member.Binary:
		switch n.Op {
		case member.LogAnd, member.LogOr, member.Lt, member.Le, member.Gt, member.Ge, member.Eq, member.Ne:
			c.truth(n)
		default:
			c.operands(n)
			c.arithmetic(n)
			c.Emit(asm.Mov.Reg(asm.R0, asm.R1))
			c.extend(asm.R0, n.Size*8, n.Signed)
		}
	}
}

// truth is value for what is 0 or 1.
func (c *coder) truth(n member.Node) {
	yes, no, end := c.NewLabel(), c.NewLabel(), c.NewLabel()
	c.jump(n, yes, no)
	if c.Place(yes) {
		c.Emit(asm.Mov.Imm(asm.R0, 1), asm.Ja.Label(end))
	}
	if c.Place(no) {
		c.Emit(asm.Mov.Imm(asm.R0, 0), asm.Ja.Label(end))
	}
	c.Place(end)
	c.Emit(asm.Mov.Reg(asm.R0, asm.R0)) // the next label needs an instruction of its own
}

// unary is value for an operator with one operand.
func (c *coder) unary(n *member.Unary) {
	if n.Op == member.Not {
		c.truth(n)
		return
	}
	c.value(n.X)
	switch n.Op {
	case member.Neg:
		c.negate(asm.R0)
	case member.Com:
		c.Emit(asm.Xor.Imm(asm.R0, -1))
	case member.Swap:
		c.Emit(asm.HostTo(asm.BE, asm.R0, map[int]asm.Size{2: asm.Half, 4: asm.Word, 8: asm.DWord}[n.Size]))
		return
	}
	c.extend(asm.R0, n.Size*8, n.Signed)
}

// negate computes the complement of two.
func (c *coder) negate(r asm.Register) { c.Emit(asm.Xor.Imm(r, -1), asm.Add.Imm(r, 1)) }

// operands puts the left side of an operator into R1, and the right one into R2.
func (c *coder) operands(n *member.Binary) {
	if y, ok := n.Y.(*member.Const); ok {
		c.value(n.X)
		c.Emit(asm.Mov.Reg(asm.R1, asm.R0), asm.LoadImm(asm.R2, int64(y.Number), asm.DWord))
		return
	}
	c.value(n.X)
	at := int16(temporaryAt - 8*c.temporaries)
	if at < lastAt {
		c.err, at = errCode, lastAt
	}
	c.temporaries++
	c.Emit(asm.StoreMem(asm.R10, at, asm.R0, asm.DWord))
	c.value(n.Y)
	c.Emit(asm.Mov.Reg(asm.R2, asm.R0), asm.LoadMem(asm.R1, asm.R10, at, asm.DWord))
	c.temporaries--
}

// operations are the operators that are one instruction.
var operations = map[member.Op]asm.ALUOp{
	member.Mul: asm.Mul, member.Add: asm.Add, member.Sub: asm.Sub, member.And: asm.And, member.Or: asm.Or, member.Xor: asm.Xor,
	member.Shl: asm.LSh, member.Shr: asm.RSh, member.Div: asm.Div, member.Rem: asm.Mod,
}

// arithmetic applies an operator to R1 and R2, and leaves the result in R1.
func (c *coder) arithmetic(n *member.Binary) {
	op := operations[n.Op]
	switch n.Op {
	case member.Div, member.Rem:
		c.Emit(asm.JEq.Imm(asm.R2, 0, whenFalse))
		if n.Signed {
			c.divideSigned(n.Op)
			return
		}
	case member.Shl, member.Shr:
		c.Emit(asm.JGE.Imm(asm.R2, int32(n.Size*8), whenFalse))
		if n.Op == member.Shr && n.Signed {
			op = asm.ArSh
		}
	}
	c.Emit(op.Reg(asm.R1, asm.R2))
}

// divideSigned divides without the signs, as older kernels know nothing else, and gives the result its own: that
// of a remainder is the dividend's.
func (c *coder) divideSigned(op member.Op) {
	c.Emit(asm.Mov.Reg(asm.R3, asm.R1))
	if op == member.Div {
		c.Emit(asm.Xor.Reg(asm.R3, asm.R2))
	}
	c.negateIfNegative(asm.R1, asm.R1)
	c.negateIfNegative(asm.R2, asm.R2)
	c.Emit(operations[op].Reg(asm.R1, asm.R2))
	c.negateIfNegative(asm.R1, asm.R3)
}

// negateIfNegative negates a register if another one is negative. An instruction must follow.
func (c *coder) negateIfNegative(r, sign asm.Register) {
	positive := c.NewLabel()
	c.Emit(asm.JSGE.Imm(sign, 0, positive))
	c.negate(r)
	c.Place(positive)
	c.Emit(asm.Mov.Reg(r, r))
}

// extend extends the lower bits of a register to 64.
func (c *coder) extend(r asm.Register, width int, signed bool) {
	switch {
	case width >= 64:
	case signed:
		c.Emit(asm.LSh.Imm(r, int32(64-width)), asm.ArSh.Imm(r, int32(64-width)))
	default:
		c.Emit(asm.LSh.Imm(r, int32(64-width)), asm.RSh.Imm(r, int32(64-width)))
	}
}
