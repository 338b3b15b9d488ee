package probe

import (
	"iter"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/event"
	"dropwatch/internal/member"
	"dropwatch/internal/perf"
	"dropwatch/kallsyms"
)

func TestFetch(t *testing.T) {
	tests := map[string]member.Load{
		"$arg1:u64":               {Size: 8},
		"$retval:s32":             {Arg: member.ReturnValue, Size: 4, Signed: true},
		"+392($arg3):u32":         {Arg: 2, Offsets: []int64{392}, Size: 4},
		"+8(-24(+16($arg1))):s16": {Offsets: []int64{16, -24, 8}, Size: 2, Signed: true},
		"+128($arg1):b3@5/8":      {Offsets: []int64{128}, Size: 1, BitSize: 3, BitOffset: 5},
		"+0(+16($arg1)):string":   {Offsets: []int64{16, 0}, Array: 16, String: true},
	}
	for want, l := range tests {
		if got := fetchOf(l); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestLayout(t *testing.T) {
	f := perf.Format{ID: 9, Fields: map[string]perf.Field{
		"common_type": {Offset: 0, Size: 2}, "v0": {Offset: 8, Size: 4}, "v2": {Offset: 12, Size: 4}, "v3": {Offset: 16, Size: 4},
		"comm": {Offset: 20, Size: 4}, "stack": {Offset: 24, Size: 8},
	}}
	l, err := newLayout(f, []int{0, 2, 3})
	if err != nil || l.size != 32 || l.id != 9 {
		t.Fatalf("%+v, %v", l, err)
	}
	raw := make([]byte, 40)
	raw[8], raw[12], raw[13], raw[14] = 7, 192, 0, 2
	raw[16], raw[18] = 32, 6 // a string of 6 bytes at 32
	copy(raw[32:], "eth0.7")
	values := make([]member.Value, 4)
	loads := []member.Load{
		{Size: 4}, {Arg: member.ReturnValue, Size: 4}, {Offsets: []int64{8}, Array: 4}, {Offsets: []int64{0}, Array: 5, String: true},
	}
	l.read(raw, loads, values)
	address := []byte{192, 0, 2, 0}
	if values[0].Number != 7 || values[1].Known || !slices.Equal(values[2].Bytes, address) || string(values[3].Bytes) != "eth0." {
		t.Errorf("%+v", values)
	}
	if _, err := newLayout(f, []int{1}); err == nil || !strings.Contains(err.Error(), "no field v1") {
		t.Errorf("a field that is not there: %v", err)
	}
}

// table is a symbol table of functions, with their modules before a colon.
type table []string

func (t table) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range t {
			if !yield(name[strings.IndexByte(name, ':')+1:]) {
				return
			}
		}
	}
}

func (t table) Everywhere(name string) (at []kallsyms.Range) {
	for i, n := range t {
		if n == name || strings.HasSuffix(n, ":"+name) {
			at = append(at, kallsyms.Range{Start: uint64(i+1) << 8, End: uint64(i+2) << 8})
		}
	}
	return at
}

func (t table) Lookup(pc uint64) (kallsyms.Symbol, bool) {
	module, name, ok := strings.Cut(t[pc>>8-1], ":")
	if !ok {
		module, name = "", module
	}
	return kallsyms.Symbol{Name: name, Module: module}, true
}

func TestLocate(t *testing.T) {
	symbols := table{
		"tcp_v4_rcv", "fib_check.isra.0", "fib_check.part.0", "fib_check.cold", "copied", "copied.constprop.0", "nf_tables:nft_do_chain",
		"a:twice", "b:twice",
	}
	tests := map[string]struct {
		want string // the name of the probe, or what the error says
		pc   uint64
	}{
		"tcp_v4_rcv":             {"tcp_v4_rcv", 0x100},
		"fib_check.isra.0":       {"fib_check.isra.0", 0x200},
		"copied":                 {"copied", 0x500},
		"nft_do_chain":           {"nf_tables:nft_do_chain", 0x700},
		"nf_tables:nft_do_chain": {"nf_tables:nft_do_chain", 0x700},
		"b:twice":                {"b:twice", 0x900},
		"twice":                  {"several functions twice", 0},
		"fib_check":              {"only as fib_check.isra.0, of which the compiler may have changed the arguments", 0},
		"tcp_v4_rvc":             {"it may be inlined, or of a module that is not loaded; did you mean tcp_v4_rcv?", 0},
		"inlined":                {"no function inlined: it may be inlined, or of a module that is not loaded", 0},
		"nf_nat:nf_nat_packet":   {"module nf_nat has no function nf_nat_packet, or is not loaded: try modprobe nf_nat", 0},
	}
	for name, tt := range tests {
		target, err := locate(symbols, name)
		switch {
		case tt.pc == 0 && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		case tt.pc != 0 && (err != nil || target.name != tt.want || target.frame.PC != tt.pc):
			t.Errorf("%s: %+v, %v", name, target, err)
		}
	}
}

// TestFlow: what came in has the peer as its source.
func TestFlow(t *testing.T) {
	local, remote := netip.MustParseAddrPort("192.0.2.1:53"), netip.MustParseAddrPort("198.51.100.7:50123")
	s := event.Socket{Family: familyIPv4, Protocol: 17, Local: local, Remote: remote}
	for incoming, src := range map[bool]netip.AddrPort{true: remote, false: local} {
		f, ok := flow(&s, incoming)
		if !ok || netip.AddrPortFrom(f.Src, f.SrcPort) != src || f.Transport != event.UDP || f.Network != event.IPv4 {
			t.Errorf("incoming %v: %+v", incoming, f.Headers)
		}
	}
	s.Remote = netip.MustParseAddrPort("0.0.0.0:0")
	if _, ok := flow(&s, true); ok {
		t.Error("a socket without a peer has a flow")
	}
}

// TestArg: numbers from 0 on are numbers, and an empty text is no value, which would be read as 0.
func TestArg(t *testing.T) {
	text := &member.Expr{Root: &member.Const{}, Show: member.Text}
	signed := &member.Expr{Root: &member.Const{Int: member.Int{Size: 4, Signed: true}}}
	minus := -5
	for _, tt := range []struct {
		e    *member.Expr
		v    member.Value
		want event.Arg
		ok   bool
	}{
		{text, member.Bytes([]byte("eth0")), event.Arg{Name: "in", Text: "eth0"}, true},
		{text, member.Bytes([]byte("7")), event.Arg{Name: "in", Text: "7"}, true},
		{text, member.Bytes(nil), event.Arg{Name: "in"}, false},
		{signed, member.Number(0), event.Arg{Name: "in"}, true},
		{signed, member.Number(uint64(minus)), event.Arg{Name: "in", Text: "-5"}, true},
	} {
		if got, ok := argOf("in", tt.e, tt.v); got != tt.want || ok != tt.ok {
			t.Errorf("%+v: %+v, %v", tt.v, got, ok)
		}
	}
}
