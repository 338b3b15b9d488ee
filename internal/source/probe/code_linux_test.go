package probe

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/member"
	"dropwatch/internal/vmtest"
)

// given are the loads of random expressions, the last of which are strings. A test writes their values into a map.
var given = []member.Load{
	{Size: 1}, {Size: 1, Signed: true}, {Size: 2}, {Size: 2, Signed: true}, {Size: 4}, {Size: 4, Signed: true}, {Size: 8},
	{Size: 8, Signed: true}, {Size: 4, BitSize: 3}, {Size: 4, BitSize: 5, Signed: true},
	{Offsets: []int64{0}, Array: 16, String: true}, {Offsets: []int64{0}, Array: 4, String: true},
}

const (
	numbers     = 10
	slot        = 24 // bytes of each value
	resultSlot  = 12
	resultBytes = (resultSlot + 1) * slot
)

// inMap reads the values from a map at R7.
type inMap struct{}

func (inMap) number(c *coder, load int) {
	c.Emit(asm.LoadMem(asm.R0, asm.R7, int16(load*slot), asm.DWord))
	c.bits(c.loads[load])
}

func (inMap) text(_ *coder, load, _ int) (asm.Register, int16) { return asm.R7, int16(load * slot) }

// types are those of C's arithmetic.
var types = []member.Int{{Size: 4, Signed: true}, {Size: 4}, {Size: 8, Signed: true}, {Size: 8}}

// A generator makes random expressions.
type generator struct{ *rand.Rand }

func pickOf[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

// as returns a random node of a type.
func (g generator) as(typ member.Int, depth int) member.Node {
	n := g.node(depth)
	if n.Type() == typ {
		return n
	}
	return &member.Unary{Int: typ, Op: member.Convert, X: n}
}

// node returns a random node, as member compiles them.
func (g generator) node(depth int) member.Node {
	typ := pickOf(g, types...)
	if depth == 0 {
		return g.leaf(typ)
	}
	depth--
	truth := member.Int{Size: 4, Signed: true}
	switch g.IntN(12) {
	case 0:
		return &member.Unary{Int: typ, Op: pickOf(g, member.Neg, member.Com), X: g.as(typ, depth)}
	case 1:
		return &member.Unary{Int: truth, Op: member.Not, X: g.node(depth)}
	case 2:
		small := member.Int{Size: pickOf(g, 1, 2, 4, 8), Signed: g.IntN(2) == 0}
		return &member.Unary{Int: small, Op: member.Convert, X: g.node(depth)}
	case 3:
		swapped := member.Int{Size: pickOf(g, 2, 4, 8)}
		return &member.Unary{Int: swapped, Op: member.Swap, X: g.as(swapped, depth)}
	case 4, 5:
		return &member.Binary{Int: truth, Op: pickOf(g, member.LogAnd, member.LogOr), X: g.node(depth), Y: g.node(depth)}
	case 6:
		return &member.Binary{Int: typ, Op: pickOf(g, member.Shl, member.Shr), X: g.as(typ, depth), Y: g.as(pickOf(g, types...), 0)}
	case 7, 8:
		op := pickOf(g, member.Lt, member.Le, member.Gt, member.Ge, member.Eq, member.Ne)
		return &member.Binary{Int: truth, Op: op, X: g.as(typ, depth), Y: g.as(typ, depth)}
	case 9:
		return g.text()
	}
	op := pickOf(g, member.Mul, member.Div, member.Rem, member.Add, member.Sub, member.And, member.Xor, member.Or)
	return &member.Binary{Int: typ, Op: op, X: g.as(typ, depth), Y: g.as(typ, depth)}
}

// leaf returns a value that is read, or a constant.
func (g generator) leaf(typ member.Int) member.Node {
	if g.IntN(3) > 0 {
		i := g.IntN(numbers)
		return &member.Ref{Int: member.Int{Size: given[i].Size, Signed: given[i].Signed}, Load: i}
	}
	e := member.Expr{Root: &member.Unary{Int: typ, Op: member.Convert, X: &member.Const{Int: typ, Number: g.number()}}}
	v, _ := e.Eval(nil)
	return &member.Const{Int: typ, Number: v.Number}
}

// number returns one that types treat differently.
func (g generator) number() uint64 {
	return pickOf(g, 0, 1, 2, 3, 7, 31, 33, 127, 128, 0x8001, 0x7fffffff, 1<<31, 1<<32-1, 1<<33, 1<<63-1, 1<<63,
		^uint64(0), ^uint64(1), g.Uint64())
}

// texts are some that are compared; the last is longer than what is read.
var texts = []string{"", "e", "eth0", "eth", "eth01", "fifteen_letters", "sixteen__letters", "seventeen_letters"}

// text compares a string, on either side.
func (g generator) text() member.Node {
	var x, y member.Node = &member.Ref{Load: numbers + g.IntN(2)}, &member.Const{Text: pickOf(g, texts...)}
	if g.IntN(2) == 0 {
		x, y = y, x
	}
	return &member.Binary{Int: member.Int{Size: 4, Signed: true}, Op: pickOf(g, member.Eq, member.Ne), X: x, Y: y}
}

// values returns random values of given, and what the map has for them.
func (g generator) values() (values []member.Value, raw []byte) {
	raw = make([]byte, resultBytes)
	for i, l := range given {
		at := raw[i*slot:]
		if !l.String {
			n := g.number()
			binary.NativeEndian.PutUint64(at, n)
			values = append(values, member.Number(n))
			continue
		}
		text := pickOf(g, texts...)
		text = text[:min(len(text), l.Array)]
		copy(at, text)
		values = append(values, member.Bytes([]byte(text)))
	}
	return values, raw
}

// evaluator returns a program that evaluates an expression over the values in a map: it returns whether there is a
// value, which it stores; or, as a condition, whether that is not 0.
func evaluator(t *testing.T, m *ebpf.Map, root member.Node, condition bool) *ebpf.Program {
	t.Helper()
	c := &coder{reader: inMap{}, loads: given}
	c.clear(asm.R10, readAt, 8)
	c.lookup(m, readAt)
	c.Emit(asm.JEq.Imm(asm.R0, 0, whenFalse), asm.Mov.Reg(asm.R7, asm.R0))
	if condition {
		c.condition(root)
	} else {
		c.value(root)
		c.Emit(asm.StoreMem(asm.R7, resultSlot*slot, asm.R0, asm.DWord), asm.Ja.Label(whenTrue))
	}
	c.finish(whenTrue, 1)
	c.finish(whenFalse, 0)
	if c.err != nil {
		t.Fatal(c.err)
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SocketFilter, Instructions: c.Code, License: "MIT"})
	if err != nil {
		t.Fatalf("%s: %v\n%v", show(root), err, c.Code)
	}
	t.Cleanup(func() { p.Close() })
	return p
}

// runWith runs a program with a value of its map, and returns that and what it returned.
func runWith(t *testing.T, p *ebpf.Program, m *ebpf.Map, raw []byte) (after []byte, result uint32) {
	t.Helper()
	if err := m.Put(uint32(0), raw); err != nil {
		t.Fatal(err)
	}
	result, _, err := p.Test(make([]byte, 14))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Lookup(uint32(0), &after); err != nil {
		t.Fatal(err)
	}
	return after, result
}

// TestCode: what BPF makes of an expression is what member makes of it.
func TestCode(t *testing.T) {
	vmtest.RequireRoot(t)
	bpfprog.RaiseMemlock()
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: resultBytes, MaxEntries: 1})
	if err != nil {
		vmtest.SkipOrFail(t, bpfprog.Explain(err))
	}
	defer m.Close()
	g := generator{rand.New(rand.NewPCG(11, 7))}
	var known, unknown, yes int
	for range 250 {
		e := member.Expr{Loads: given, Root: g.node(4)}
		value, condition := evaluator(t, m, e.Root, false), evaluator(t, m, e.Root, true)
		for range 12 {
			values, raw := g.values()
			want, ok := e.Eval(values)
			after, got := runWith(t, value, m, raw)
			number := binary.NativeEndian.Uint64(after[resultSlot*slot:])
			if (got == 1) != ok || ok && number != want.Number {
				t.Fatalf("%s with %v: %#x, %d, want %#x, %v", show(e.Root), values, number, got, want.Number, ok)
			}
			if _, got := runWith(t, condition, m, raw); (got == 1) != e.True(values) {
				t.Fatalf("condition %s with %v: %d, want %v", show(e.Root), values, got, e.True(values))
			}
			known, unknown, yes = known+int(got), unknown+int(1-got), yes+map[bool]int{true: 1}[e.True(values)]
		}
	}
	if known < 1000 || unknown < 50 || yes < 300 || known-yes < 300 {
		t.Errorf("%d values, %d without one, %d true", known, unknown, yes)
	}
}

// show returns the text of a node.
func show(n member.Node) string {
	switch n := n.(type) {
	case *member.Const:
		return fmt.Sprintf("(%v)%#x%q", n.Int, n.Number, n.Text)
	case *member.Ref:
		return fmt.Sprintf("v%d", n.Load)
	case *member.Unary:
		return fmt.Sprintf("(%v op%d %s)", n.Int, n.Op, show(n.X))
	case *member.Binary:
		return fmt.Sprintf("(%v %s op%d %s)", n.Int, show(n.X), n.Op, show(n.Y))
	}
	return ""
}

// TestRecordOfArguments: each argument is copied once, in a register of its own, whether it is a value or leads to some.
func TestRecordOfArguments(t *testing.T) {
	loads := []member.Load{
		{Arg: 0, Size: 4}, {Arg: 1, Size: 8}, {Arg: 1, Offsets: []int64{16}, Size: 4}, {Arg: 2, Offsets: []int64{8, 0}, Size: 8},
	}
	r := newRecord(9, loads, []int{0, 1, 2, 3}, true)
	at := make(map[int]bool)
	for _, k := range r.chunks {
		if len(k.first.Offsets) == 0 {
			at[k.at] = true
		}
	}
	if len(at) != 3 || !at[r.pointers[pathOf(1, nil)]] || !at[r.pointers[pathOf(2, nil)]] {
		t.Errorf("arguments at %v, pointers %v", at, r.pointers)
	}
}

// TestRecord: values of one object are copied at once, with the pointers to others; strings and arguments alone.
func TestRecord(t *testing.T) {
	loads := []member.Load{
		{Arg: 1, Offsets: []int64{16}, Size: 4}, {Arg: 0, Size: 4}, {Arg: 1, Offsets: []int64{12}, Size: 2},
		{Arg: 1, Offsets: []int64{500}, Array: 16}, {Arg: 1, Offsets: []int64{16, 24}, Size: 1, BitSize: 2, BitOffset: 3},
		{Arg: 1, Offsets: []int64{16, 0}, Array: 3, String: true}, {Arg: member.ReturnValue, Size: 4},
	}
	r := newRecord(9, loads, []int{0, 1, 2, 3, 4, 5}, false)
	var chunks []string
	for _, k := range r.chunks {
		chunks = append(chunks, fmt.Sprint(fetchOf(k.first), " ", k.size))
	}
	slices.Sort(chunks)
	want := "$arg1:u32 4, +0(+16($arg2)):string 5, +12($arg2):u16 12, +24(+16($arg2)):b2@3/8 1, +500($arg2):u64[2] 16"
	if got := strings.Join(chunks, ", "); got != want {
		t.Errorf("chunks %s\nwant   %s", got, want)
	}
	raw := make([]byte, r.size)
	for _, f := range r.loads {
		if f.load == 0 && r.pointers[pathOf(1, []int64{16})] != f.Offset || len(r.pointers) != 1 {
			t.Errorf("pointers at %v, that to others is at %d", r.pointers, f.Offset)
		}
		for i := range f.Size {
			if raw[f.Offset+i] != 0 || f.Offset < recordStack+8 {
				t.Errorf("load %d is at %d, where another value is", f.load, f.Offset)
			}
			raw[f.Offset+i] = byte(8*f.load + 8)
		}
	}
	raw[slices.IndexFunc(raw, func(b byte) bool { return b == 48 })+1] = 0 // ends the string
	values := make([]member.Value, len(loads))
	r.read(raw, loads, values)
	if values[0].Number != 0x08080808 || values[2].Number != 0x1818 || values[4].Number != 40>>3 || string(values[5].Bytes) != "0" {
		t.Errorf("%+v", values)
	}
}
