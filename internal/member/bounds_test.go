package member

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cilium/ebpf/btf"
)

func TestBounds(t *testing.T) {
	f := demo(t)
	sum := func(n int) string {
		var terms []string
		for i := range n {
			terms = append(terms, fmt.Sprintf("sk->sk_tail[%d]", i))
		}
		return strings.Join(terms, "+")
	}
	next := func(n int) string { return "sk" + strings.Repeat("->sk_next[0]", n) }
	for text, want := range map[string]string{
		sum(MaxLoads):                    "",
		sum(MaxLoads + 1):                "reads 17 different values, more than 16",
		next(MaxOffsets / 2):             "",
		next(MaxOffsets/2 + 1):           "follows more than 7 pointers",
		strings.Repeat("(", 1000) + "n":  "the expression is nested deeper than 64 levels",
		strings.Repeat("!", 1000) + "n":  "the expression is nested deeper than 64 levels",
		strings.Repeat(" ", MaxText+1):   "the expression has 1025 bytes, more than 1024",
		"n" + strings.Repeat("[0]", 300): "n[0]: n has the type int, which has no elements",
		strings.Repeat("n+", 500) + "n":  "",
	} {
		_, err := f.Compile(text)
		if (err == nil) != (want == "") || err != nil && !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%.40s: %v, want %s", text, err, want)
		}
	}
}

// FuzzCompile: what compiles keeps the bounds, and is evaluated, displayed and filtered without
// a fault, with what was read and without.
func FuzzCompile(f *testing.F) {
	for _, seed := range []string{
		"sk->sk_ack_backlog > sk->sk_max_ack_backlog", "((struct sock *)(sk->sk_nfct - 2))->sk_stats[1].b & 7", "(u8)n << 3 >= -1l",
		`name == "eth\x30" || !sk->sk_dev`, "sk->sk_v6_daddr:ip", "ntohs(sk->sk_dport):x",
		"$retval == -ENOBUFS && $arg3", "*&(*sk->sk_next)->lo / 'a'",
		"(enum kind)n:enum", "(const struct ext_conn * const *)sk", "n ? 1 : 2", "sk->sk_five % 0x7fu",
		"((bool)(big))[3]", "sk->sk_text[2]:string",
	} {
		f.Add(seed)
	}
	functions := []*Function{demo(f)}
	if _, err := os.Stat(filepath.Join(folder, "vmlinux")); err == nil {
		functions = append(functions, fewTypes(f, "tcp_conn_request"))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, function := range functions {
			e, err := function.Compile(text)
			if (err == nil) == (e == nil) {
				t.Fatalf("%v and %v", e, err)
			}
			if err == nil {
				exercise(t, e)
			}
		}
	})
}

// exercise does with an expression what sources do.
func exercise(t *testing.T, e *Expr) {
	if len(e.Loads) > MaxLoads || len(e.Text) > MaxText {
		t.Fatalf("%+v", e)
	}
	values := make([]Value, len(e.Loads))
	e.Eval(values)
	for i, l := range e.Loads {
		integer, bytes := l.Size == 1 || l.Size == 2 || l.Size == 4 || l.Size == 8, l.Array > 0
		if len(l.Offsets) > MaxOffsets || integer == bytes || l.BitOffset+l.BitSize > l.Size*8 {
			t.Fatalf("%+v", l)
		}
		values[i] = Value{Known: true, Number: l.bitsOf(uint64(i) - 1), Bytes: make([]byte, l.Array)}
	}
	if v, ok := e.Eval(values); ok && e.Format(v) == "" && e.Show != Text {
		t.Fatalf("%s has no text for %+v", e.Text, v)
	}
	if filter, _ := e.Filter(fieldName); len(filter) > maxFilter {
		t.Fatalf("%d bytes of filter", len(filter))
	}
}

// fewTypes returns a function of this kernel, whose types are only those that it uses: they are
// searched in a moment.
func fewTypes(t testing.TB, name string) *Function {
	var fn *btf.Func
	spec, err := btf.LoadKernelSpec()
	if err == nil {
		err = spec.TypeByName(name, &fn)
	}
	if err != nil {
		t.Fatal(err)
	}
	few := specOf(t, fn)
	types := &Types{
		kernel:  func() (*btf.Spec, error) { return few, nil },
		modules: func() ([]string, error) { return nil, nil },
	}
	f, err := types.Function(name)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestConcurrently: what is read once is shared.
func TestConcurrently(t *testing.T) {
	types := fixtureTypes(t)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for _, name := range []string{"demo", "ext_in", "unheard_of", "same"} {
				f, err := types.Function(name)
				if err != nil {
					continue
				}
				for _, text := range []string{"sk->sk_ext->use == TCP_LISTEN", "(enum kind)sk->n:enum", "EXT_ON", "((struct sok *)ct)->x"} {
					_, _ = f.Compile(text)
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkTrue: what an event costs whose condition the kernel did not test.
func BenchmarkTrue(b *testing.B) {
	e, err := demo(b).Compile("sk->sk_ack_backlog > sk->sk_max_ack_backlog && sk->sk_state == TCP_LISTEN")
	if err != nil {
		b.Fatal(err)
	}
	values := []Value{Number(129), Number(128), Number(10)}
	b.ReportAllocs()
	for b.Loop() {
		if !e.True(values) {
			b.Fatal("not full")
		}
	}
}
