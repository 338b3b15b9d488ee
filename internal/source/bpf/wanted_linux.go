package bpf

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"unsafe"

	"github.com/cilium/ebpf/asm"

	"dropwatch/internal/condition"
)

// wanted is the function of drops.bpf.c that a condition replaces.
const wanted = "wanted"

// A fact is where struct facts has a field of a condition.
type fact struct {
	bit    dropsFact
	offset uintptr
	size   asm.Size // of a number
}

var where dropsFacts

var facts = map[condition.Field]fact{
	condition.Reason:    {dropsFactFACT_REASON, unsafe.Offsetof(where.Reason), asm.Word},
	condition.PC:        {dropsFactFACT_LOCATION, unsafe.Offsetof(where.Location), asm.DWord},
	condition.IfIndex:   {dropsFactFACT_IFINDEX, unsafe.Offsetof(where.Ifindex), asm.Word},
	condition.Netns:     {dropsFactFACT_NETNS, unsafe.Offsetof(where.Netns), asm.Word},
	condition.Socket:    {dropsFactFACT_SOCKET, unsafe.Offsetof(where.Socket), asm.DWord},
	condition.Protocol:  {dropsFactFACT_PROTOCOL, unsafe.Offsetof(where.Protocol), asm.Word},
	condition.Length:    {dropsFactFACT_LENGTH, unsafe.Offsetof(where.Length), asm.Word},
	condition.Network:   {dropsFactFACT_NETWORK, unsafe.Offsetof(where.Network), asm.Word},
	condition.Transport: {dropsFactFACT_TRANSPORT, unsafe.Offsetof(where.Transport), asm.Word},
	condition.SrcPort:   {dropsFactFACT_SRC_PORT, unsafe.Offsetof(where.SrcPort), asm.Word},
	condition.DstPort:   {dropsFactFACT_DST_PORT, unsafe.Offsetof(where.DstPort), asm.Word},
	condition.Src:       {bit: dropsFactFACT_SRC, offset: unsafe.Offsetof(where.Src)},
	condition.Dst:       {bit: dropsFactFACT_DST, offset: unsafe.Offsetof(where.Dst)},
	condition.IfName:    {bit: dropsFactFACT_IFNAME, offset: unsafe.Offsetof(where.Ifname)},
}

// factsOf is the set of what a condition tests.
func factsOf(n condition.Node) (set dropsFact) {
	asks := condition.Asks(n)
	for field, f := range facts {
		if asks.Has(field) {
			set |= f.bit
		}
	}
	return set
}

// replaceWanted puts a condition in the place of the function wanted.
func replaceWanted(program asm.Instructions, n condition.Node) (asm.Instructions, error) {
	if size := n.Size(); size > condition.MaxSize {
		return nil, fmt.Errorf("a condition of %d values is too large: the most is %d", size, condition.MaxSize)
	}
	first := slices.IndexFunc(program, func(i asm.Instruction) bool { return i.Symbol() == wanted })
	if first < 0 {
		return nil, errors.New("the program has no function " + wanted)
	}
	behind := len(program)
	if n := slices.IndexFunc(program[first+1:], func(i asm.Instruction) bool { return i.Symbol() != "" }); n >= 0 {
		behind = first + 1 + n
	}
	code := compile(n)
	code[0].Metadata = program[first].Metadata
	return slices.Concat(program[:first], code, program[behind:]), nil
}

// compile gives the function wanted. It goes through a condition twice: with what
// is not known taken for true, which must hold, and for false.
func compile(n condition.Node) asm.Instructions {
	c := assembler{used: make(map[string]bool)}
	c.emit(asm.Mov.Imm(asm.R0, int32(dropsVerdictNO)))
	c.node(condition.May(n), true, "possible", "no")
	if c.place("possible") {
		c.node(condition.Must(n), false, "yes", "undecided")
	}
	if c.place("yes") {
		c.emit(asm.Mov.Imm(asm.R0, int32(dropsVerdictYES)), asm.Return())
	}
	if c.place("undecided") {
		c.emit(asm.Mov.Imm(asm.R0, int32(dropsVerdictUNDECIDED)), asm.Return())
	}
	if c.place("no") {
		c.emit(asm.Return())
	}
	return c.code
}

// An assembler has R1 point to the facts. All jumps are forward, and no
// instruction is out of reach, which the kernel would not take.
type assembler struct {
	code  asm.Instructions
	used  map[string]bool // labels that are jumped to
	label string          // of the next instruction
	count int             // of labels
}

func (c *assembler) emit(all ...asm.Instruction) {
	for _, i := range all {
		if c.label != "" {
			i, c.label = i.WithSymbol(c.label), ""
		}
		c.used[i.Reference()] = true
		c.code = append(c.code, i)
	}
}

// place gives the next instruction a label, if that is jumped to.
func (c *assembler) place(label string) bool {
	if c.used[label] {
		c.label = label
	}
	return c.used[label]
}

func (c *assembler) newLabel() string {
	c.count++
	return "L" + strconv.Itoa(c.count)
}

// node jumps to yes or to no. A fact that is unknown is taken for what unknown
// says.
func (c *assembler) node(n condition.Node, unknown bool, yes, no string) {
	switch n := n.(type) {
	case *condition.Group:
		c.group(n, unknown, yes, no)
	case *condition.Test:
		c.test(n, unknown, yes, no)
	default:
		c.emit(asm.Ja.Label(pick(n == condition.True, yes, no)))
	}
}

func pick(first bool, yes, no string) string {
	if first {
		return yes
	}
	return no
}

func (c *assembler) group(g *condition.Group, unknown bool, yes, no string) {
	last := len(g.Nodes) - 1
	for _, n := range g.Nodes[:last] {
		next := c.newLabel()
		if g.Or {
			c.node(n, unknown, yes, next)
		} else {
			c.node(n, unknown, next, no)
		}
		c.place(next)
	}
	c.node(g.Nodes[last], unknown, yes, no)
}

func (c *assembler) test(t *condition.Test, unknown bool, yes, no string) {
	f := facts[t.Field]
	c.emit(
		asm.LoadMem(asm.R2, asm.R1, int16(unsafe.Offsetof(where.Unknown)), asm.Word),
		asm.JSet.Imm(asm.R2, int32(f.bit), pick(unknown, yes, no)),
		asm.LoadMem(asm.R2, asm.R1, int16(unsafe.Offsetof(where.Absent)), asm.Word),
		asm.JSet.Imm(asm.R2, int32(f.bit), pick(t.Absent, yes, no)),
	)
	found, other := pick(t.Other, no, yes), pick(t.Other, yes, no)
	for _, s := range t.Spans {
		c.span(f, s, found)
	}
	for _, p := range t.Nets {
		c.net(f, p, found)
	}
	for _, n := range t.Names {
		c.name(f, n, found)
	}
	c.emit(asm.Ja.Label(other))
}

// span jumps if a number is one of a span.
func (c *assembler) span(f fact, s condition.Span, found string) {
	c.emit(asm.LoadMem(asm.R2, asm.R1, int16(f.offset), f.size), number(s.Lo))
	if s.Lo == s.Hi {
		c.emit(asm.JEq.Reg(asm.R2, asm.R3, found))
		return
	}
	next := c.newLabel()
	c.emit(asm.JLT.Reg(asm.R2, asm.R3, next), number(s.Hi), asm.JLE.Reg(asm.R2, asm.R3, found))
	c.place(next)
}

func number(n uint64) asm.Instruction { return asm.LoadImm(asm.R3, int64(n), asm.DWord) }

// net jumps if an address is in a network.
func (c *assembler) net(f fact, p netip.Prefix, found string) {
	network := int32(0x0800)
	if p.Addr().Is6() {
		network = 0x86dd
	}
	next := c.newLabel()
	c.emit(
		asm.LoadMem(asm.R2, asm.R1, int16(unsafe.Offsetof(where.Network)), asm.Word),
		asm.JNE.Imm(asm.R2, network, next),
	)
	c.bytes(f, p.Addr().AsSlice(), p.Bits(), next)
	c.emit(asm.Ja.Label(found))
	c.place(next)
}

// name jumps if a text, which ends with a NUL, is one or begins with one.
func (c *assembler) name(f fact, n condition.Name, found string) {
	text := n.Text
	if !n.Prefix {
		text += "\x00"
	}
	if len(text) > len(where.Ifname) {
		return
	}
	next := c.newLabel()
	c.emit(asm.LoadMem(asm.R2, asm.R1, int16(f.offset), asm.Byte), asm.JEq.Imm(asm.R2, 0, next)) // it is absent
	c.bytes(f, []byte(text), 8*len(text), next)
	c.emit(asm.Ja.Label(found))
	c.place(next)
}

// bytes jumps if not so many bits are those of b.
func (c *assembler) bytes(f fact, b []byte, bits int, differ string) {
	for at := 0; at < bits; at += 32 {
		var word, mask [4]byte
		copy(word[:], b[at/8:])
		binary.BigEndian.PutUint32(mask[:], ^uint32(0)<<max(0, 32-(bits-at)))
		m := binary.NativeEndian.Uint32(mask[:])
		c.emit(
			asm.LoadMem(asm.R2, asm.R1, int16(f.offset)+int16(at/8), asm.Word),
			asm.And.Imm32(asm.R2, int32(m)),
			asm.JNE.Imm32(asm.R2, int32(binary.NativeEndian.Uint32(word[:])&m), differ),
		)
	}
}
