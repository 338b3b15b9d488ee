package bpfprog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"structs"
	"unsafe"

	"github.com/cilium/ebpf/asm"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// A Facts is struct facts of facts.h: what a program knows of a packet when it asks for the verdict of a condition.
// Unknown and Absent are sets of Fact.
type Facts struct {
	_                                                      structs.HostLayout
	Location, Socket                                       uint64
	Unknown, Absent                                        Fact
	Reason, IfIndex, Netns                                 uint32
	Protocol, Length, Network, Transport, SrcPort, DstPort uint32
	Src, Dst                                               [16]uint8 // IPv4 uses the first four bytes
	IfName                                                 [16]uint8
	Pad                                                    uint32
}

// A Fact is a set of facts that a condition tests: enum fact of facts.h.
type Fact uint32

const (
	factReason Fact = 1 << iota
	factIfIndex
	factNetns
	factProtocol
	factLength
	factNetwork
	factTransport
	factSrcPort
	factDstPort
	factSrc
	factDst
	factIfName
	factLocation
	factSocket
)

// A Verdict is what a condition says of a packet: enum verdict of facts.h.
type Verdict uint32

const (
	No        Verdict = iota // the condition is false
	Yes                      // it is true
	Undecided                // it is neither, as a fact that it tests is unknown
)

// wanted is the name of the function in facts.h that is replaced by a condition.
const wanted = "wanted"

// A fact is where a field of a condition is in struct facts, and the bit that says in its
// members unknown and absent that it is that.
type fact struct {
	bit    Fact
	offset uintptr
	size   asm.Size // of a field that is a number
}

// layout is there for the offsets of its members.
var layout Facts

// facts are the fields that the program knows.
var facts = map[condition.Field]fact{
	condition.Reason:    {factReason, unsafe.Offsetof(layout.Reason), asm.Word},
	condition.PC:        {factLocation, unsafe.Offsetof(layout.Location), asm.DWord},
	condition.IfIndex:   {factIfIndex, unsafe.Offsetof(layout.IfIndex), asm.Word},
	condition.Netns:     {factNetns, unsafe.Offsetof(layout.Netns), asm.Word},
	condition.Socket:    {factSocket, unsafe.Offsetof(layout.Socket), asm.DWord},
	condition.Protocol:  {factProtocol, unsafe.Offsetof(layout.Protocol), asm.Word},
	condition.Length:    {factLength, unsafe.Offsetof(layout.Length), asm.Word},
	condition.Network:   {factNetwork, unsafe.Offsetof(layout.Network), asm.Word},
	condition.Transport: {factTransport, unsafe.Offsetof(layout.Transport), asm.Word},
	condition.SrcPort:   {factSrcPort, unsafe.Offsetof(layout.SrcPort), asm.Word},
	condition.DstPort:   {factDstPort, unsafe.Offsetof(layout.DstPort), asm.Word},
	condition.Src:       {bit: factSrc, offset: unsafe.Offsetof(layout.Src)},
	condition.Dst:       {bit: factDst, offset: unsafe.Offsetof(layout.Dst)},
	condition.IfName:    {bit: factIfName, offset: unsafe.Offsetof(layout.IfName)},
}

// FactsOf returns the set of facts that a condition tests.
func FactsOf(n condition.Node) (set Fact) {
	asks := condition.Asks(n)
	for field, f := range facts {
		if asks.Has(field) {
			set |= f.bit
		}
	}
	return set
}

// isWanted reports whether a function wanted begins with an instruction.
func isWanted(i asm.Instruction) bool { return i.Symbol() == wanted }

// UsesWanted reports whether a program tests the condition.
func UsesWanted(program asm.Instructions) bool { return slices.ContainsFunc(program, isWanted) }

// ReplaceWanted returns the program with a function wanted that evaluates a condition. It fails if
// the condition is larger than condition.MaxSize.
func ReplaceWanted(program asm.Instructions, n condition.Node) (asm.Instructions, error) {
	if size := n.Size(); size > condition.MaxSize {
		return nil, fmt.Errorf("a condition of %d values is too large: the most is %d", size, condition.MaxSize)
	}
	first := slices.IndexFunc(program, isWanted)
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

// compile returns the function wanted for a condition. It evaluates the condition twice, with tests
// of unknown facts as true and then as false: if it is false the first time the verdict is NO, if
// it is true also the second time YES, and otherwise UNDECIDED.
func compile(n condition.Node) asm.Instructions {
	var c compiler
	c.Emit(asm.Mov.Imm(asm.R0, int32(No)))
	c.node(condition.May(n), true, "possible", "no")
	if c.Place("possible") {
		c.node(condition.Must(n), false, "yes", "undecided")
	}
	if c.Place("yes") {
		c.Emit(asm.Mov.Imm(asm.R0, int32(Yes)), asm.Return())
	}
	if c.Place("undecided") {
		c.Emit(asm.Mov.Imm(asm.R0, int32(Undecided)), asm.Return())
	}
	if c.Place("no") {
		c.Emit(asm.Return())
	}
	return c.Code
}

// A compiler generates the code of a condition, in which R1 points to the facts.
type compiler struct{ Assembler }

// node jumps to the label yes or no. Unknown is the value of a test of an unknown fact.
func (c *compiler) node(n condition.Node, unknown bool, yes, no string) {
	switch n := n.(type) {
	case *condition.Group:
		c.group(n, unknown, yes, no)
	case *condition.Test:
		c.test(n, unknown, yes, no)
	default:
		c.Emit(asm.Ja.Label(pick(n == condition.True, yes, no)))
	}
}

// pick returns yes if first is true, and otherwise no.
func pick(first bool, yes, no string) string {
	if first {
		return yes
	}
	return no
}

// group is node for a group.
func (c *compiler) group(g *condition.Group, unknown bool, yes, no string) {
	last := len(g.Nodes) - 1
	for _, n := range g.Nodes[:last] {
		next := c.NewLabel()
		if g.Or {
			c.node(n, unknown, yes, next)
		} else {
			c.node(n, unknown, next, no)
		}
		if !c.Place(next) {
			return // the nodes behind cannot be reached, which the verifier would refuse
		}
	}
	c.node(g.Nodes[last], unknown, yes, no)
}

// test is node for a test.
func (c *compiler) test(t *condition.Test, unknown bool, yes, no string) {
	f := facts[t.Field]
	c.Emit(
		asm.LoadMem(asm.R2, asm.R1, int16(unsafe.Offsetof(layout.Unknown)), asm.Word),
		asm.JSet.Imm(asm.R2, int32(f.bit), pick(unknown, yes, no)),
		asm.LoadMem(asm.R2, asm.R1, int16(unsafe.Offsetof(layout.Absent)), asm.Word),
		asm.JSet.Imm(asm.R2, int32(f.bit), pick(t.Absent == condition.True, yes, no)),
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
	c.Emit(asm.Ja.Label(other))
}

// span jumps to found if a number is in a span.
func (c *compiler) span(f fact, s condition.Span, found string) {
	c.Emit(asm.LoadMem(asm.R2, asm.R1, int16(f.offset), f.size), number(s.Lo))
	if s.Lo == s.Hi {
		c.Emit(asm.JEq.Reg(asm.R2, asm.R3, found))
		return
	}
	next := c.NewLabel()
	c.Emit(asm.JLT.Reg(asm.R2, asm.R3, next), number(s.Hi), asm.JLE.Reg(asm.R2, asm.R3, found))
	c.Place(next)
}

// number loads a constant into R3.
func number(n uint64) asm.Instruction { return asm.LoadImm(asm.R3, int64(n), asm.DWord) }

// net jumps to found if an address is in a network.
func (c *compiler) net(f fact, p netip.Prefix, found string) {
	network := int32(event.EtherIPv4)
	if p.Addr().Is6() {
		network = event.EtherIPv6
	}
	next := c.NewLabel()
	c.Emit(
		asm.LoadMem(asm.R2, asm.R1, int16(unsafe.Offsetof(layout.Network)), asm.Word),
		asm.JNE.Imm(asm.R2, network, next),
	)
	c.bytes(f, p.Addr().AsSlice(), p.Bits(), next)
	c.Emit(asm.Ja.Label(found))
	c.Place(next)
}

// name jumps to found if a text, which ends with a NUL, is a name or with Prefix begins with it.
func (c *compiler) name(f fact, n condition.Name, found string) {
	text := n.Text
	if !n.Prefix {
		text += "\x00"
	}
	if len(text) > len(layout.IfName) {
		return
	}
	next := c.NewLabel()
	c.Emit(asm.LoadMem(asm.R2, asm.R1, int16(f.offset), asm.Byte), asm.JEq.Imm(asm.R2, 0, next)) // there is no name
	c.bytes(f, []byte(text), 8*len(text), next)
	c.Emit(asm.Ja.Label(found))
	c.Place(next)
}

// bytes jumps to differ if the first bits of a field differ from those of b. It compares 32
// bits at a time.
func (c *compiler) bytes(f fact, b []byte, bits int, differ string) {
	for at := 0; at < bits; at += 32 {
		var word, mask [4]byte
		copy(word[:], b[at/8:])
		binary.BigEndian.PutUint32(mask[:], ^uint32(0)<<max(0, 32-(bits-at)))
		m := binary.NativeEndian.Uint32(mask[:])
		c.Emit(
			asm.LoadMem(asm.R2, asm.R1, int16(f.offset)+int16(at/8), asm.Word),
			asm.And.Imm32(asm.R2, int32(m)),
			asm.JNE.Imm32(asm.R2, int32(binary.NativeEndian.Uint32(word[:])&m), differ),
		)
	}
}
