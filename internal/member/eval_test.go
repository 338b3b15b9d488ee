package member

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dropwatch/internal/vmtest"
)

// TestEval: values that C defines, and those that it does not.
func TestEval(t *testing.T) {
	f := demo(t)
	minusOne := ^uint64(0)
	for _, test := range []struct {
		text   string
		values []Value
		want   uint64
		ok     bool
	}{
		{"n > -1", []Value{Number(0)}, 1, true},
		{"u > -1", []Value{Number(5)}, 0, true},           // -1 is converted to unsigned
		{"port > -1", []Value{Number(5)}, 1, true},        // port is promoted to int
		{"n", []Value{Number(1<<32 - 1)}, minusOne, true}, // the upper half of a register does not matter
		{"port", []Value{Number(0xabcd0050)}, 0x50, true},
		{"c", []Value{Number(0x80)}, minusOne - 127, true},
		{"n >> 1", []Value{Number(1<<32 - 8)}, minusOne - 3, true},
		{"u >> 1", []Value{Number(1<<32 - 8)}, 1<<31 - 4, true},
		{"n << u", []Value{Number(1), Number(40)}, 0, false},
		{"n << -u", []Value{Number(1), Number(1)}, 0, false},
		{"n / (n - 1)", []Value{Number(1)}, 0, false},
		{"n == 1 || n / (n - 1)", []Value{Number(1)}, 1, true},
		{"n && 1 / n", []Value{Number(0)}, 0, true},
		{"n && port", []Value{Number(1), {}}, 0, false},
		{"n && port", []Value{Number(0), {}}, 0, true},
		{"n || port", []Value{Number(2), {}}, 1, true},
		{"n", nil, 0, false},
		{"sk->sk_five", []Value{Number(0x1f)}, minusOne, true},
		{"sk->sk_five < 0", []Value{Number(0x10)}, 1, true},
		{"sk->sk_three - 1 < 0", []Value{Number(0)}, 1, true}, // 3 bits are promoted to int
		{"sk->sk_kind == KIND_NONE", []Value{Number(1<<32 - 1)}, 1, true},
		{"UINT == -1", nil, 1, true}, // UINT is an unsigned int
		{"WIDE >> 40", nil, 1, true},
		{"sk == NULL", []Value{Number(0)}, 1, true},
		{"!sk->sk_dev", []Value{Number(8)}, 0, true},
		{"&sk->sk_ack_backlog", []Value{Number(0x1000)}, 0x1020, true},
		{"(long)&sk->sk_ack_backlog - (long)sk", []Value{Number(0x1000)}, 32, true},
		{"(bool)big", []Value{Number(1 << 40)}, 1, true},
		{"(u8)n", []Value{Number(0x1ff)}, 0xff, true},
		{"ntohs(port) == 80", []Value{Number(swap(80, 2))}, 1, true},
		{"htonl(u)", []Value{Number(swap(0x7f000001, 4))}, 0x7f000001, true},
		{"sk->sk_state == TCP_LISTEN", []Value{Number(10)}, 1, true},
		{"'a'", nil, 97, true}, {"'\\n' + 0x10 + 010", nil, 34, true}, {"-ENOBUFS", nil, minusOne - 104, true},
		{`sk->sk_dev->name == "eth0"`, []Value{Bytes([]byte("eth0\x00junk"))}, 1, true},
		{`"eth0" != sk->sk_dev->name`, []Value{Bytes([]byte("eth0"))}, 0, true},
		{`name == "eth0"`, []Value{Bytes([]byte("eth01"))}, 0, true},
		{`name == "eth0"`, []Value{{}}, 0, false},
	} {
		v, ok := compiled(t, f, test.text).Eval(test.values)
		if ok != test.ok || ok && v.Number != test.want {
			t.Errorf("%s with %v: %#x, %v, want %#x, %v", test.text, test.values, v.Number, ok, test.want, test.ok)
		}
	}
}

// bitsOf returns the bits of a bit field from the integer that was read for it, as a source does.
// Of another Load they are the integer.
func (l Load) bitsOf(read uint64) uint64 {
	if l.BitSize == 0 {
		return normal(read, Int{l.Size, l.Signed})
	}
	return extend(read>>l.BitOffset, l.BitSize, l.Signed)
}

// TestBits: the bits of a bit field, from the integer that has them.
func TestBits(t *testing.T) {
	f := demo(t)
	for text, want := range map[string]uint64{"sk->sk_three": 5, "sk->sk_five": ^uint64(0) - 1, "sk->sk_state": 0xf5} {
		if got := compiled(t, f, text).Loads[0].bitsOf(0xfff5); got != want {
			t.Errorf("%s of 0xf5: %#x, want %#x", text, got, want)
		}
	}
}

// variables are arguments of demo, and their types in C.
var variables = map[string]string{
	"c": "signed char", "s": "short", "port": "unsigned short", "n": "int", "u": "unsigned", "word": "long", "big": "unsigned long",
}

// interesting are values that types treat differently.
var interesting = []uint64{
	0, 1, 2, 7, 31, 127, 128, 255, 0x8001, 0xffff, 0x7ffffff1, 0x80000003, 1<<32 - 1, 1 << 33, 1<<63 - 7, 1<<63 + 5,
	^uint64(0), ^uint64(0) - 5,
}

// TestArithmeticOfC: random expressions have the values that a C compiler gives them.
func TestArithmeticOfC(t *testing.T) {
	f, random := demo(t), rand.New(rand.NewPCG(1, 2))
	var program, want strings.Builder
	program.WriteString("#include <stdio.h>\nint main(void) {\n")
	for range 400 {
		text := randomExpression(random, 4)
		e, err := f.Compile(text)
		if err != nil && strings.Contains(err.Error(), "has no value") {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var declared strings.Builder
		values := make([]Value, len(e.Loads))
		for name, typ := range variables {
			n := interesting[random.IntN(len(interesting))]
			fmt.Fprintf(&declared, "%s %s = (%s)%#xul; ", typ, name, typ, n)
			for i, l := range e.Loads {
				if l.equal(compiled(t, f, name).Loads[0]) {
					values[i] = Number(n)
				}
			}
		}
		if v, ok := e.Eval(values); ok {
			fmt.Fprintf(&program, "{ %s printf(\"%%lx\\n\", (unsigned long)(%s)); }\n", &declared, text)
			fmt.Fprintf(&want, "%x %s %s\n", v.Number, text, &declared)
		}
	}
	program.WriteString("}\n")
	compareLines(t, runC(t, program.String()), want.String())
}

// randomExpression returns an expression of the variables, nested at most so deep.
func randomExpression(random *rand.Rand, depth int) string {
	pick := func(of ...string) string { return of[random.IntN(len(of))] }
	if depth == 0 || random.IntN(5) == 0 {
		return pick("c", "s", "port", "n", "u", "word", "big", "3", "1u", "-2", "0x80000000", "4294967295", "5l", "'a'", "017")
	}
	x, y := randomExpression(random, depth-1), randomExpression(random, depth-1)
	switch random.IntN(6) {
	case 0:
		return pick("-", "~", "!") + "(" + x + ")"
	case 1:
		return "(" + pick("int", "unsigned", "unsigned char", "short", "long", "unsigned long", "signed char") + ")(" + x + ")"
	}
	op := pick("+", "-", "*", "/", "%", "&", "|", "^", "<<", ">>", "<", "<=", ">", ">=", "==", "!=", "&&", "||")
	return "(" + x + " " + op + " " + y + ")"
}

// runC compiles a program, without the freedom that C has with overflows, and returns what it prints.
func runC(t *testing.T, program string) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "x.c")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	cc := exec.Command("gcc", "-O0", "-w", "-fwrapv", "-o", filepath.Join(dir, "x"), file)
	if out, err := cc.CombinedOutput(); err != nil {
		vmtest.SkipOrFail(t, fmt.Errorf("gcc: %w: %s", err, out))
	}
	out, err := exec.Command(filepath.Join(dir, "x")).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// compareLines compares the first word of each line.
func compareLines(t *testing.T, got, want string) {
	t.Helper()
	lines, wanted := strings.Split(got, "\n"), strings.Split(want, "\n")
	if len(lines) != len(wanted) || len(lines) < 200 {
		t.Fatalf("%d values, want %d", len(lines), len(wanted))
	}
	for i, line := range wanted {
		if first, rest, _ := strings.Cut(line, " "); lines[i] != first {
			t.Errorf("%s: C has %s, not %s", rest, lines[i], first)
		}
	}
}
