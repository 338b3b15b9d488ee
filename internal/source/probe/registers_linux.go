package probe

import (
	"errors"

	"github.com/cilium/ebpf/asm"

	"dropwatch/internal/member"
)

// registers is where what R6 points to has the arguments of a function and what it returned.
type registers struct {
	args           []int16 // offset of each argument, in bytes from R6; those that are not here are on the stack
	result         int16   // offset of what the function returned
	stack          int16   // of struct pt_regs, the stack pointer
	returnAddress  int16   // bytes of it that are on the stack until the function returns
	stackArguments bool    // a kprobe event knows those that are on the stack
	ofFunction     bool    // the program is attached to the function itself: its call and its return have the same R6
}

// registersOf returns where a program has them that is attached to a function itself, with so many arguments: one after
// the other, and what it returned behind them.
func registersOf(args int) registers {
	r := registers{result: int16(8 * args), ofFunction: true}
	for i := range args {
		r.args = append(r.args, int16(8*i))
	}
	return r
}

// errRegisters is why a value cannot be read by BPF.
var errRegisters = errors.New("an argument is not in a register that is known")

// architectures are those whose registers are known (arch/*/include/asm/ptrace.h).
var architectures = map[string]registers{
	"amd64": {args: []int16{112, 104, 96, 88, 72, 64}, result: 80, stack: 152, returnAddress: 8, stackArguments: true},
	"arm64": {args: []int16{0, 8, 16, 24, 32, 40, 48, 56}, result: 0, stack: 248},
}

// argument puts what a load begins with into R3.
func (c *coder) argument(l member.Load) {
	at := c.registers.result
	if l.Arg != member.ReturnValue {
		if c.arguments != nil {
			c.Emit(asm.LoadMem(asm.R3, asm.R7, int16(c.arguments.pointers[pathOf(l.Arg, nil)]), asm.DWord))
			return
		}
		if l.Arg >= len(c.registers.args) {
			c.stackArgument(l.Arg - len(c.registers.args))
			return
		}
		at = c.registers.args[l.Arg]
	}
	c.Emit(asm.LoadMem(asm.R3, asm.R6, at, asm.DWord))
}

// stackArgument is argument for the nth of those that are on the stack when a function is called.
func (c *coder) stackArgument(n int) {
	if !c.registers.stackArguments {
		c.err = errRegisters
	}
	at := int32(c.registers.returnAddress) + 8*int32(n)
	c.Emit(asm.LoadMem(asm.R3, asm.R6, c.registers.stack, asm.DWord), asm.Add.Imm(asm.R3, at))
	c.read(asm.R10, readAt, 8)
	c.Emit(asm.LoadMem(asm.R3, asm.R10, readAt, asm.DWord))
}

// stackKey puts the stack address by which a call and its return are paired into R0 and at keyAt. That of R6 is negated,
// which makes it a number: as it is, older kernels accept no pointer as a key.
func (c *coder) stackKey(atReturn bool) {
	switch {
	case c.registers.ofFunction:
		c.Emit(asm.Mov.Reg(asm.R0, asm.R6), asm.Neg.Imm(asm.R0, 0))
	case atReturn:
		c.Emit(asm.LoadMem(asm.R0, asm.R6, c.registers.stack, asm.DWord))
	default:
		c.Emit(asm.LoadMem(asm.R0, asm.R6, c.registers.stack, asm.DWord), asm.Add.Imm(asm.R0, int32(c.registers.returnAddress)))
	}
	c.Emit(asm.StoreMem(asm.R10, keyAt, asm.R0, asm.DWord))
}

// address puts the address of a load into R3: it follows each of its pointers, and jumps to null where one is that.
func (c *coder) address(l member.Load, null string) {
	c.argument(l)
	last := len(l.Offsets) - 1
	for i, offset := range l.Offsets {
		c.Emit(asm.JEq.Imm(asm.R3, 0, null), asm.Add.Imm(asm.R3, int32(offset)))
		if i < last {
			c.read(asm.R10, readAt, 8)
			c.Emit(asm.LoadMem(asm.R3, asm.R10, readAt, asm.DWord))
		}
	}
}

// object puts a pointer to what a load is read of into R3, as the types of the function lead to it. It may be null.
func (c *coder) object(l member.Load) {
	c.argument(l)
	for _, offset := range l.Offsets[:len(l.Offsets)-1] {
		c.Emit(asm.LoadMem(asm.R3, asm.R3, int16(offset), asm.DWord))
	}
}

// read copies bytes from R3 to what is at an offset from a register. They are 0 if they cannot be read. As a kprobe
// event does, it reads the memory of the process if the address is there.
func (c *coder) read(to asm.Register, at int16, size int) {
	c.copy(asm.FnProbeRead, to, at, size)
}

// readText copies a string, with a NUL as its last byte.
func (c *coder) readText(to asm.Register, at int16, size int) {
	c.copy(asm.FnProbeReadStr, to, at, size)
}

// copy calls a helper that copies from R3.
func (c *coder) copy(helper asm.BuiltinFunc, to asm.Register, at int16, size int) {
	c.Emit(asm.Mov.Reg(asm.R1, to), asm.Add.Imm(asm.R1, int32(at)), asm.Mov.Imm(asm.R2, int32(size)), helper.Call())
}

// clear sets bytes, up to a multiple of 8, to 0.
func (c *coder) clear(at asm.Register, offset int16, size int) {
	c.Emit(asm.Mov.Imm(asm.R1, 0))
	for i := 0; i < size; i += 8 {
		c.Emit(asm.StoreMem(at, offset+int16(i), asm.R1, asm.DWord))
	}
}

// direct reads the values of loads where they are, each time.
type direct struct{}

// number implements reader.
func (direct) number(c *coder, load int) {
	l := c.loads[load]
	if len(l.Offsets) == 0 {
		c.argument(l)
		c.Emit(asm.Mov.Reg(asm.R0, asm.R3))
		c.bits(l)
		return
	}
	if c.types != nil && c.types.Leads(l) {
		c.object(l)
		c.Emit(asm.LoadMem(asm.R0, asm.R3, int16(lastOf(l)), sizes[l.Size]))
		c.bits(l)
		return
	}
	null, end := c.NewLabel(), c.NewLabel()
	c.address(l, null)
	c.read(asm.R10, readAt, l.Size)
	c.Emit(asm.LoadMem(asm.R0, asm.R10, readAt, sizes[l.Size]))
	c.bits(l)
	c.Emit(asm.Ja.Label(end))
	c.Place(null)
	c.Emit(asm.Mov.Imm(asm.R0, 0))
	c.Place(end)
	c.Emit(asm.Mov.Reg(asm.R0, asm.R0))
}

// text implements reader.
func (direct) text(c *coder, load, size int) (base asm.Register, at int16) {
	null, end := c.NewLabel(), c.NewLabel()
	c.address(c.loads[load], null)
	c.readText(asm.R10, textAt, size+1)
	c.Emit(asm.Ja.Label(end))
	c.Place(null)
	c.clear(asm.R10, textAt, size+1)
	c.Place(end)
	c.Emit(asm.Mov.Imm(asm.R0, 0))
	return asm.R10, textAt
}

// sizes are those of integers.
var sizes = map[int]asm.Size{1: asm.Byte, 2: asm.Half, 4: asm.Word, 8: asm.DWord}

// bits gives the integer in R0 the bits and the sign of a load.
func (c *coder) bits(l member.Load) {
	if l.BitSize == 0 {
		c.extend(asm.R0, l.Size*8, l.Signed)
		return
	}
	c.Emit(asm.RSh.Imm(asm.R0, int32(l.BitOffset)))
	c.extend(asm.R0, l.BitSize, l.Signed)
}
