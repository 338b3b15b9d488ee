package bpf

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"dropwatch/internal/bpfprog"
	"dropwatch/internal/condition"
	"dropwatch/internal/condition/conditiontest"
	"dropwatch/internal/vmtest"
)

// fields is how many fields a condition can test.
const fields = condition.IfName + 1

// TestSharedLayout: what the condition reads is what the program has written.
func TestSharedLayout(t *testing.T) {
	c, shared := dropsFacts{}, bpfprog.Facts{}
	if unsafe.Sizeof(c) != unsafe.Sizeof(shared) {
		t.Errorf("struct facts has %d bytes, bpfprog.Facts %d", unsafe.Sizeof(c), unsafe.Sizeof(shared))
	}
	for name, offsets := range map[string][2]uintptr{
		"location": {unsafe.Offsetof(c.Location), unsafe.Offsetof(shared.Location)},
		"absent":   {unsafe.Offsetof(c.Absent), unsafe.Offsetof(shared.Absent)},
		"netns":    {unsafe.Offsetof(c.Netns), unsafe.Offsetof(shared.Netns)},
		"dst_port": {unsafe.Offsetof(c.DstPort), unsafe.Offsetof(shared.DstPort)},
		"dst":      {unsafe.Offsetof(c.Dst), unsafe.Offsetof(shared.Dst)},
		"ifname":   {unsafe.Offsetof(c.Ifname), unsafe.Offsetof(shared.IfName)},
	} {
		if offsets[0] != offsets[1] {
			t.Errorf("%s is at %d, in bpfprog.Facts at %d", name, offsets[0], offsets[1])
		}
	}
	if bpfprog.Verdict(dropsVerdictUNDECIDED) != bpfprog.Undecided ||
		dropsFact(bpfprog.FactsOf(condition.Has(condition.Socket))) != dropsFactFACT_SOCKET {
		t.Error("enum verdict or enum fact has other values in Go")
	}
}

// TestCompiled: what the kernel makes of a condition is what Go makes of it.
func TestCompiled(t *testing.T) {
	needAble(t)
	r := rand.New(rand.NewPCG(3, 4))
	var verdicts [3]int
	conditions := 400
	if vmtest.InGuest() { // which are slow
		conditions = 100
	}
	for range conditions {
		n := randomNode(r, 3)
		p := testProgram(t, n)
		for range 25 {
			f := randomFacts(r)
			want := map[condition.Truth]bpfprog.Verdict{
				condition.False: bpfprog.No, condition.Unknown: bpfprog.Undecided, condition.True: bpfprog.Yes,
			}[conditiontest.Evaluate(n, &f)]
			verdicts[want]++
			got, err := p.Run(&ebpf.RunOptions{Data: asRead(&f)})
			if err != nil {
				t.Fatal(err)
			}
			if bpfprog.Verdict(got) != want {
				t.Fatalf("%v of %+v is %d, want %d", n, f, got, want)
			}
		}
		p.Close()
	}
	if slices.Min(verdicts[:]) < conditions {
		t.Errorf("verdicts %v: that shows little", verdicts)
	}
}

// testProgram loads a program that decides by the facts that it is given for a
// packet.
func testProgram(t *testing.T, n condition.Node) *ebpf.Program {
	t.Helper()
	size := int32(unsafe.Sizeof(bpfprog.Facts{}))
	code := asm.Instructions{
		asm.Mov.Imm(asm.R2, 0),
		asm.Mov.Reg(asm.R3, asm.RFP),
		asm.Add.Imm(asm.R3, -size),
		asm.Mov.Reg(asm.R6, asm.R3),
		asm.Mov.Imm(asm.R4, size),
		asm.FnSkbLoadBytes.Call(),
		asm.Mov.Reg(asm.R1, asm.R6),
	}
	code, err := bpfprog.ReplaceWanted(append(code, asm.Return().WithSymbol("wanted")), n)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{Type: ebpf.SchedCLS, License: "MIT", Instructions: code})
	if err != nil {
		t.Fatalf("%v: %+v", n, err)
	}
	return p
}

// asRead gives facts as struct facts.
func asRead(f *conditiontest.Facts) []byte {
	k := bpfprog.Facts{
		Reason: uint32(f.Numbers[condition.Reason]), Location: f.Numbers[condition.PC], Socket: f.Numbers[condition.Socket],
		IfIndex: uint32(f.Numbers[condition.IfIndex]), Netns: uint32(f.Numbers[condition.Netns]),
		Protocol: uint32(f.Numbers[condition.Protocol]), Length: uint32(f.Numbers[condition.Length]),
		Network: uint32(f.Numbers[condition.Network]), Transport: uint32(f.Numbers[condition.Transport]),
		SrcPort: uint32(f.Numbers[condition.SrcPort]), DstPort: uint32(f.Numbers[condition.DstPort]),
	}
	copy(k.Src[:], f.Addrs[0].AsSlice())
	copy(k.Dst[:], f.Addrs[1].AsSlice())
	for i := range len(f.IfName) {
		k.IfName[i] = f.IfName[i]
	}
	for field := range fields {
		if f.Unknown.Has(field) {
			k.Unknown |= bpfprog.FactsOf(condition.Has(field))
		}
		if f.Absent.Has(field) {
			k.Absent |= bpfprog.FactsOf(condition.Has(field))
		}
	}
	b, err := binary.Append(nil, binary.NativeEndian, &k)
	if err != nil {
		panic(err)
	}
	return b
}

var (
	someNumbers = []uint64{0, 1, 2, 3, 6, 17, 53, 80, 0x800, 0x86dd, 1<<16 - 1, 1 << 31, 1<<32 - 1}
	someAddrs   = []string{"10.0.0.1", "10.0.0.2", "10.128.0.1", "192.0.2.1", "255.255.255.255", "2001:db8::1",
		"2001:db8:0:8000::1", "::1", "::ffff:10.0.0.1"}
	someNames = []string{"lo", "eth0", "eth1", "eth10", "a-name-of-15-ch", "veth0"}
)

func oneOf[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }

// randomFacts gives some as decide does: of an address the network is known.
func randomFacts(r *rand.Rand) (f conditiontest.Facts) {
	for i := range f.Numbers {
		f.Numbers[i] = oneOf(r, someNumbers)
	}
	f.Numbers[condition.PC] |= 1<<63 | uint64(r.IntN(3))
	if f.Numbers[condition.Network] = 0x0800; r.IntN(2) == 0 {
		f.Numbers[condition.Network] = 0x86dd
	}
	for i := range f.Addrs {
		for f.Addrs[i].Is4() != (f.Numbers[condition.Network] == 0x0800) || !f.Addrs[i].IsValid() {
			f.Addrs[i] = netip.MustParseAddr(oneOf(r, someAddrs))
		}
	}
	f.IfName = oneOf(r, someNames)
	for field := range fields {
		switch r.IntN(8) {
		case 0:
			f.Unknown |= condition.Of(field)
		case 1:
			f.Absent |= condition.Of(field)
		}
	}
	return f
}

func randomNode(r *rand.Rand, depth int) condition.Node {
	if depth == 0 || r.IntN(6) == 0 {
		return randomTest(r)
	}
	switch all := []condition.Node{randomNode(r, depth-1), randomNode(r, depth-1), randomNode(r, depth-1)}; r.IntN(5) {
	case 0, 1:
		return condition.And(all...)
	case 2, 3:
		return condition.Or(all...)
	default:
		return condition.Not(all[0])
	}
}

func randomTest(r *rand.Rand) condition.Node {
	if r.IntN(12) == 0 {
		return condition.Truth(r.IntN(3))
	}
	t := condition.Test{Field: condition.Field(r.IntN(int(fields))), Other: r.IntN(2) == 0, Absent: condition.Truth(r.IntN(3))}
	for range r.IntN(4) {
		switch t.Field {
		case condition.Src, condition.Dst:
			a := netip.MustParseAddr(oneOf(r, someAddrs))
			t.Nets = append(t.Nets, netip.PrefixFrom(a, r.IntN(a.BitLen()+1)).Masked())
		case condition.IfName:
			name := condition.Name{Text: oneOf(r, append(someNames, "a-name-of-16-chr"))}
			if r.IntN(2) == 0 {
				name = condition.Name{Text: name.Text[:r.IntN(4)*len(name.Text)/4], Prefix: true}
			}
			if name.Text != "" || name.Prefix {
				t.Names = append(t.Names, name)
			}
		default:
			s := condition.Span{Lo: oneOf(r, someNumbers)}
			s.Hi = max(s.Lo, oneOf(r, someNumbers))
			if t.Field == condition.PC {
				s.Lo, s.Hi = s.Lo|1<<63, s.Hi|1<<63
			}
			t.Spans = append(t.Spans, s)
		}
	}
	return condition.NewTest(t)
}

// TestReplaced puts conditions of every form into both forms of the program.
func TestReplaced(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	nodes := []condition.Node{
		condition.True, condition.False, condition.Unknown,
		condition.NewTest(condition.Test{Field: condition.IfName, Names: []condition.Name{{Text: "lo"}}}),
		condition.Has(condition.Length),
		randomNode(r, 4), randomNode(r, 4),
	}
	if vmtest.InGuest() { // which are slow
		nodes = nodes[len(nodes)-1:]
	}
	for _, form := range forms {
		for _, n := range nodes {
			needForm(t, form, Options{Condition: n, Sample: 1}).Close()
		}
	}
}

// TestLargest has the kernel check the largest conditions, which takes it a while. They are a function
// of its own, the same in each form of the program.
func TestLargest(t *testing.T) {
	var spans []condition.Span
	var nets []netip.Prefix
	for i := range condition.MaxSize - 1 {
		spans = append(spans, condition.Span{Lo: uint64(3 * i), Hi: uint64(3*i + 1)})
		nets = append(nets, netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 1, 14: byte(i)}), 120))
	}
	ofSpans := condition.NewTest(condition.Test{Field: condition.DstPort, Spans: spans})
	ofNets := condition.NewTest(condition.Test{Field: condition.Src, Nets: nets})
	need(t, Options{Condition: ofNets, Sample: 1}).Close()
	need(t, Options{Condition: ofSpans, Sample: 1}).Close()
	_, err := Open(Options{Condition: condition.Or(ofSpans, condition.Has(condition.Length))})
	if err == nil || !strings.Contains(err.Error(), "the most is 256") {
		t.Errorf("too large: error %v", err)
	}
}
