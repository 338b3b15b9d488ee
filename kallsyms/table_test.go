package kallsyms_test

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dropwatch/kallsyms"
)

func TestSymbolString(t *testing.T) {
	tests := []struct {
		symbol kallsyms.Symbol
		want   string
	}{
		{kallsyms.Symbol{Name: "ip_rcv"}, "ip_rcv+0x0"},
		{kallsyms.Symbol{Name: "ip_rcv", Offset: 31}, "ip_rcv+0x1f"},
		{kallsyms.Symbol{Name: "veth_xmit", Module: "veth", Offset: 0x2c3}, "veth_xmit+0x2c3 [veth]"},
	}
	for _, tt := range tests {
		if got := tt.symbol.String(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// A want is the symbol expected at pc as String has it, or "" for unknown.
type want struct {
	pc     uint64
	symbol string
}

func TestLookup(t *testing.T) {
	tests := []struct {
		name, text string
		want       []want
	}{
		{
			name: "a function ends where the next begins",
			text: "ffffffff81000000 T a\nffffffff81000040 t b\nffffffff81000080 T c\n",
			want: []want{
				{0, ""},
				{0xffffffff80ffffff, ""},
				{0xffffffff81000000, "a+0x0"},
				{0xffffffff8100003f, "a+0x3f"},
				{0xffffffff81000040, "b+0x0"},
				{0xffffffff81000081, "c+0x1"},
			},
		},
		{
			name: "the last function ends with the page after its first",
			text: "ffffffff81000ff0 T a\n",
			want: []want{
				{0xffffffff81000ff0, "a+0x0"},
				{0xffffffff81001fff, "a+0x100f"},
				{0xffffffff81002000, ""},
				{0xffffffff90bdc203, ""},
				{^uint64(0), ""},
			},
		},
		{
			name: "nothing is above the last page there is",
			text: "fffffffffffff800 T a\n",
			want: []want{
				{0xfffffffffffff7ff, ""},
				{0xfffffffffffff800, "a+0x0"},
				{^uint64(1), "a+0x7fe"},
				{^uint64(0), ""},
			},
		},
		{
			name: "no order is needed",
			text: "00030000 t c\n00010000 t a\n00030100 t d\n00020000 t b\n",
			want: []want{
				{0x10001, "a+0x1"},
				{0x1ffff, "a+0xffff"},
				{0x20002, "b+0x2"},
				{0x30003, "c+0x3"},
				{0x30104, "d+0x4"},
			},
		},
		{
			name: "of aliases the first of the file answers",
			text: "81000000 T srso_alias\n81000000 T _stext\n81000000 T _text\n81000010 W weak\n81000010 T strong\n81000020 t end\n",
			want: []want{
				{0x81000004, "srso_alias+0x4"},
				{0x81000014, "weak+0x4"},
			},
		},
		{
			name: "of aliases the first of the file answers, out of order too",
			text: "81000010 W weak\n81000010 T strong\n81000000 T z\n81000000 T a\n81000000 T m\n",
			want: []want{
				{0x81000004, "z+0x4"},
				{0x81000014, "weak+0x4"},
			},
		},
		{
			name: "code goes before data of the same address",
			text: "81000000 D d\n81000000 t f\n81000010 r r\n81000010 b b\n",
			want: []want{{0x81000000, "f+0x0"}, {0x81000010, ""}},
		},
		{
			name: "data bounds code and never answers",
			text: "81000000 T a\n81000020 d x\n81000028 r y\n81000030 b z\n81000038 V v\n81000040 t c\n",
			want: []want{
				{0x8100001f, "a+0x1f"},
				{0x81000020, ""},
				{0x81000028, ""},
				{0x8100003f, ""},
				{0x81000040, "c+0x0"},
			},
		},
		{
			name: "per-CPU symbols never answer",
			text: "0000000000000000 A fixed_percpu_data\n0000000000001000 A cpu_debug_store\nffffffff81000000 T a\n",
			want: []want{{0, ""}, {8, ""}, {0x1008, ""}, {0xffffffff81000001, "a+0x1"}},
		},
		{
			name: "end markers end the code, whatever shares their address",
			text: "81000000 T a\n81000100 T __thunk_end\n81000100 T _etext\n81000180 t exit\n82000000 t init\n82000010 T _einittext\n",
			want: []want{
				{0x810000ff, "a+0xff"},
				{0x81000100, ""},
				{0x8100017f, ""},
				{0x81000180, "exit+0x0"},
				{0x82000000, "init+0x0"},
				{0x82000010, ""},
				{0x82000020, ""},
			},
		},
		{
			name: "a long function ends at the marker",
			text: "81000000 T a\n81009000 T _etext\n",
			want: []want{{0x81008fff, "a+0x8fff"}, {0x81009000, ""}},
		},
		{
			name: "a module's own _etext is a name as others",
			text: "81000000 t _etext\t[mod]\n",
			want: []want{{0x81000004, "_etext+0x4 [mod]"}},
		},
		{
			name: "code more than 256 KiB away does not tell",
			text: "81000000 T a\n81040000 T b\n81080001 T c\n",
			want: []want{
				{0x8103ffff, "a+0x3ffff"},
				{0x81041fff, "b+0x1fff"},
				{0x81042000, ""},
				{0x81080000, ""},
			},
		},
		{
			name: "a module ends with the page after its last function, or where another begins",
			text: "c0000000 t a1\t[a]\nc0003000 t a2\t[a]\nc0009000 t b1\t[b]\nc0009100 t c1\t[c]\n",
			want: []want{
				{0xc0002fff, "a1+0x2fff [a]"},
				{0xc0004fff, "a2+0x1fff [a]"},
				{0xc0005000, ""},
				{0xc0008fff, ""},
				{0xc00090ff, "b1+0xff [b]"},
				{0xc0009100, "c1+0x0 [c]"},
			},
		},
		{
			name: "pieces of a module apart from each other",
			text: "c0000000 t a1\t[a]\nc0010000 t b1\t[b]\nc0020000 t a2\t[a]\n",
			want: []want{
				{0xc0000001, "a1+0x1 [a]"},
				{0xc0002000, ""},
				{0xc0010001, "b1+0x1 [b]"},
				{0xc0020001, "a2+0x1 [a]"},
			},
		},
		{
			name: "a BPF program does not reach the next",
			text: "c0000000 t bpf_prog_1_a\t[bpf]\nc0000100 t bpf_prog_2_b\t[bpf]\nc0004000 t bpf_prog_3_c\t[bpf]\n",
			want: []want{
				{0xc00000ff, "bpf_prog_1_a+0xff [bpf]"},
				{0xc0001fff, "bpf_prog_2_b+0x1eff [bpf]"},
				{0xc0002000, ""},
				{0xc0003fff, ""},
			},
		},
		{
			name: "modules far below the kernel, as on arm64",
			text: "ffff800080010000 T a\nffff800080010100 T _etext\nffff80007a000000 t m\t[mod]\nffff000000001000 t p\t[bpf]\n",
			want: []want{
				{0xffff000000001001, "p+0x1 [bpf]"},
				{0xffff000000003000, ""},
				{0xffff80007a000002, "m+0x2 [mod]"},
				{0xffff80007fffffff, ""},
				{0xffff800080010003, "a+0x3"},
			},
		},
		{
			name: "mapping symbols are no symbols",
			text: "81000000 t $x\n81000000 t a\n81000010 t $d\n81000018 t .Ltmp\n8100001c t L0\n81000020 t b\n",
			want: []want{{0x81000000, "a+0x0"}, {0x8100001c, "a+0x1c"}, {0x81000020, "b+0x0"}},
		},
		{
			name: "32 bits",
			text: "00001000 t __stubs_start\nc0008000 T stext\nc0008040 t __enable_mmu\nbf000000 t mod_init\t[mod]\n",
			want: []want{
				{0x1004, "__stubs_start+0x4"},
				{0x3000, ""},
				{0xbf000004, "mod_init+0x4 [mod]"},
				{0xbfffffff, ""},
				{0xc000803f, "stext+0x3f"},
				{0xc0008040, "__enable_mmu+0x0"},
				{0xffffffffc0008040, ""},
			},
		},
		{
			name: "names that end alike",
			text: "81000000 t __pfx_foo\n81000010 t foo\n81000020 t oo\n81000030 t xoo\n81000040 t oo\n81000050 t foo\n",
			want: []want{
				{0x81000000, "__pfx_foo+0x0"},
				{0x81000010, "foo+0x0"},
				{0x81000020, "oo+0x0"},
				{0x81000030, "xoo+0x0"},
				{0x81000040, "oo+0x0"},
				{0x81000050, "foo+0x0"},
			},
		},
		{
			name: "capital digits, and a name with a space",
			text: "FFFFFFFF8100ABCD T two words\n",
			want: []want{{0xffffffff8100abce, "two words+0x1"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := mustParse(t, tt.text)
			for _, w := range tt.want {
				got := ""
				if s, ok := table.Lookup(w.pc); ok {
					got = s.String()
				}
				if got != w.symbol {
					t.Errorf("%#x: got %q, want %q", w.pc, got, w.symbol)
				}
			}
		})
	}
}

func TestLookupFields(t *testing.T) {
	table := mustParse(t, "81000000 T a\n8100fff0 t b\t[mod]\n81010010 t c\t[mod]\n")
	got, ok := table.Lookup(0x81010001)
	want := kallsyms.Symbol{Name: "b", Module: "mod", Start: 0x8100fff0, End: 0x81010010, Offset: 0x11}
	if diff := cmp.Diff(want, got); diff != "" || !ok {
		t.Errorf("ok %v, (-want +got):\n%s", ok, diff)
	}
}

func TestNilTableKnowsNothing(t *testing.T) {
	var table *kallsyms.Table
	if s, ok := table.Lookup(0x81000000); ok {
		t.Errorf("got %v", s)
	}
}

func TestFixture(t *testing.T) {
	table := mustParse(t, string(fixture(t)))
	for _, w := range []want{
		{0xffffffff81000000, "srso_alias_untrain_ret+0x0"},
		{0xffffffff81e42dd0, "sk_skb_reason_drop+0x10"},
		{0xffffffff820339d4, "tcp_v4_rcv+0x14"},
		{0xffffffff81700000, ""}, // cut out
		{0xffffffff81100000, ""}, // a hole in the text; %pS says __entry_text_end+0xfe579
		{0xffffffff82209987, "__SCT__tp_func_ma_write+0x7"},
		{0xffffffff82209988, ""}, // _etext
		{0xffffffff82400000, ""}, // __start_rodata
		{0xffffffffc0a41234, "nft_do_chain+0x4 [nf_tables]"},
		{0xffffffffc0a44000, ""},
		{0xffffffffc0a60810, "veth_xmit_weak+0x10 [veth]"},
		{0xffffffffc0a64104, "dummy_setup+0x4 [dummy]"},
		{0xffffffffc0301150, "bpf_prog_6deef7357e7b4530_sd_fw_ingress+0x10 [bpf]"},
		{0xffffffffc0201010, "ftrace_trampoline+0x10 [__builtin__ftrace]"},
		{0xffffffffcfbdc203, ""},
	} {
		got := ""
		if s, ok := table.Lookup(w.pc); ok {
			got = s.String()
		}
		if got != w.symbol {
			t.Errorf("%#x: got %q, want %q", w.pc, got, w.symbol)
		}
	}
}

func TestFixtureAgainstModel(t *testing.T) {
	text := fixture(t)
	table, m := mustParse(t, string(text)), newModel(text)
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		pc := m[rnd.IntN(len(m))].address + uint64(rnd.IntN(9000))
		compare(t, table, m, pc)
	}
	for _, l := range m[len(m)-40:] {
		compare(t, table, m, l.address)
		compare(t, table, m, l.address+0x1800)
	}
}

// compare checks that table and model agree on pc.
func compare(t *testing.T, table *kallsyms.Table, m model, pc uint64) {
	t.Helper()
	want, wantOK := m.Lookup(pc)
	got, ok := table.Lookup(pc)
	if diff := cmp.Diff(want, got); diff != "" || ok != wantOK {
		t.Fatalf("%#x: ok %v, want %v (-want +got):\n%s", pc, ok, wantOK, diff)
	}
}

func TestLookupDoesNotAllocate(t *testing.T) {
	table := mustParse(t, string(fixture(t)))
	pcs := []uint64{0, 0xffffffff820339d4, 0xffffffffc0a41234, 0xffffffff82209988}
	if n := testing.AllocsPerRun(100, func() {
		for _, pc := range pcs {
			table.Lookup(pc)
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestTableSize holds the table to 3 MB for the 122,000 lines of a whole kernel.
func TestTableSize(t *testing.T) {
	text := fixture(t)
	table, held := heldBy(t, text)
	limit := uint64(3<<20) * uint64(bytes.Count(text, []byte("\n"))) / 122_000
	if held > limit {
		t.Errorf("table holds %d bytes, want at most %d", held, limit)
	}
	runtime.KeepAlive(table)
}

// heldBy returns the table of a text and the bytes it keeps.
func heldBy(tb testing.TB, text []byte) (*kallsyms.Table, uint64) {
	tb.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	table := mustParse(tb, string(text))
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(text)
	return table, max(after.HeapAlloc, before.HeapAlloc) - before.HeapAlloc
}

func TestConcurrentLookup(t *testing.T) {
	table := mustParse(t, string(fixture(t)))
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for pc := uint64(0xffffffff81000000); pc < 0xffffffff81100000; pc += 64 {
				table.Lookup(pc)
			}
		})
	}
	wg.Wait()
}

func TestFunction(t *testing.T) {
	table := mustParse(t, "ffffffff81000000 T a\nffffffff81000040 t b\nffffffff81000080 t a\nffffffff81000090 T ab\n"+
		"ffffffffc0000000 t a\t[mod]\nffffffffc0000040 t c\t[mod]\n")
	tests := map[string][]kallsyms.Range{
		"a":  {{Start: 0xffffffff81000000, End: 0xffffffff81000040}, {Start: 0xffffffff81000080, End: 0xffffffff81000090}},
		"b":  {{Start: 0xffffffff81000040, End: 0xffffffff81000080}},
		"ab": {{Start: 0xffffffff81000090, End: 0xffffffff81002000}},
		"c":  nil, // in a module
		"":   nil,
	}
	for name, want := range tests {
		at, image := table.Function(name)
		if !slices.Equal(at, want) || image != (kallsyms.Range{Start: 0xffffffff81000000, End: 0xffffffff81002000}) {
			t.Errorf("%q is at %x in %x, want %x", name, at, image, want)
		}
	}
	everywhere := append(tests["a"], kallsyms.Range{Start: 0xffffffffc0000000, End: 0xffffffffc0000040})
	if at := table.Everywhere("a"); !slices.Equal(at, everywhere) || (*kallsyms.Table)(nil).Everywhere("a") != nil {
		t.Errorf("a is everywhere at %x, want %x", at, everywhere)
	}
	if at, image := (*kallsyms.Table)(nil).Function("a"); at != nil || image != (kallsyms.Range{}) {
		t.Errorf("a nil table has %x in %x", at, image)
	}
}

func TestNames(t *testing.T) {
	table := mustParse(t, "ffffffff81000000 T a\nffffffff81000040 t b\nffffffff81000080 t a\nffffffffc0000000 t c\t[mod]\n")
	if got := slices.Collect(table.Names()); !slices.Equal(got, []string{"a", "b", "a", "c"}) {
		t.Errorf("%q", got)
	}
	for range table.Names() { // it can be left
		break
	}
	if got := slices.Collect((*kallsyms.Table)(nil).Names()); got != nil {
		t.Errorf("a nil table has %q", got)
	}
}

// TestFunctionOfFixture: a function is where a look-up finds it, and nowhere else.
func TestFunctionOfFixture(t *testing.T) {
	text := fixture(t)
	table, m := mustParse(t, string(text)), newModel(text)
	for i := 0; i < len(m); i += 97 {
		s, ok := table.Lookup(m[i].address)
		if !ok || s.Module != "" {
			continue
		}
		at, image := table.Function(s.Name)
		if !slices.Contains(at, kallsyms.Range{Start: s.Start, End: s.End}) || s.Start < image.Start || s.End > image.End {
			t.Errorf("%s is at %x in %x, want %x to %x among them", s.Name, at, image, s.Start, s.End)
		}
		for _, r := range at {
			if other, ok := table.Lookup(r.Start); !ok || other.Name != s.Name || other.Start != r.Start || other.End != r.End {
				t.Errorf("%s is not at %x: %+v", s.Name, r, other)
			}
		}
	}
}
