package kallsyms_test

import (
	"bytes"
	"testing"

	"dropwatch/kallsyms"
)

// FuzzParse checks that a text gives an error or a table, and that the table
// answers as the model does and never with a symbol that pc is not in.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"",
		"ffffffff81000000 T _text\nffffffff81000000 T a\nffffffff81001000 t b\nffffffff81004000 T _etext\n",
		"81000010 W weak\n81000010 T strong\n81000000 D d\n0 A x\n",
		"c0a40000 t __pfx_f\t[nf_tables]\nc0a40010 t f\t[nf_tables]\nc0a60000 d f\t[veth]\nc0a50000 t $x\t[veth]\n",
		"c0201000 t ftrace_trampoline\t[__builtin__ftrace]\nc0301000 t bpf_prog_1\t[bpf]\nc0301040 t bpf_prog_2\t[bpf]\n",
		"fffffffffffffff0 T top\nffffffffffffffff t last\n1 t first\n",
		"00000000 T a\n", "81000000 T a", "81000000 T a\r\n", "x\n",
	} {
		f.Add([]byte(text), uint64(0xffffffff81000fff))
	}
	f.Fuzz(func(t *testing.T, text []byte, pc uint64) {
		if bytes.Count(text, []byte("\n")) > 64 {
			return // the model is slow
		}
		table, err := kallsyms.Parse(bytes.NewReader(text))
		if (err == nil) == (table == nil) {
			t.Fatalf("table %v and error %v", table != nil, err)
		}
		if err != nil {
			return
		}
		m := newModel(text)
		pcs := []uint64{pc, 0, ^uint64(0)}
		for _, l := range m {
			a := l.address
			pcs = append(pcs, a-1, a, a+1, a+4095, a+4096, a+8191, a+8192, a+1<<16, a+256<<10, a&^4095+8192)
		}
		for _, pc := range pcs {
			if s, ok := table.Lookup(pc); ok && (pc < s.Start || pc >= s.End || pc-s.Start != s.Offset) {
				t.Fatalf("%#x is not in %+v", pc, s)
			}
			compare(t, table, m, pc)
		}
	})
}
