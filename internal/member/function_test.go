package member

import (
	"strings"
	"testing"

	"github.com/cilium/ebpf/btf"
	"github.com/google/go-cmp/cmp"
)

func TestFunction(t *testing.T) {
	types := fixtureTypes(t)
	for name, want := range map[string]string{
		"listen":     "struct sock *listen(struct sock *sk)",
		"nothing":    "void nothing(void)",
		"by_value":   "int by_value(struct stat pair, struct sock *sk)",
		"print":      "int print(char *format, ...)",
		"same":       "int same(struct sock *sk)",
		"ext:ext_in": "int ext_in(struct ext_conn *ct)",
		"ext_in":     "int ext_in(struct ext_conn *ct)",
		"other:both": "int both(void)",
	} {
		f, err := types.Function(name)
		if err != nil || f.String() != want {
			t.Errorf("%s: %s, %v, want %s", name, f, err, want)
		}
	}
	f, err := types.Function("ext_in")
	if err != nil || f.Module != "ext" {
		t.Errorf("%+v: %v", f, err)
	}
	f, err = types.Function("copy.constprop.0.isra.0")
	if err != nil || !f.Optimized || f.Name != "copy.constprop.0.isra.0" || len(f.Args) != 1 {
		t.Errorf("%+v: %v", f, err)
	}
	if diff := cmp.Diff([]Arg{{"sk", "struct sock *"}}, f.Args); diff != "" {
		t.Error(diff)
	}
}

// TestInRegisters: no structs by value, and no arguments whose number is not known.
func TestInRegisters(t *testing.T) {
	types := fixtureTypes(t)
	for name, want := range map[string]bool{"listen": true, "nothing": true, "by_value": false, "small": false, "print": false} {
		if f, err := types.Function(name); err != nil || f.InRegisters() != want {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

func TestFunctionErrors(t *testing.T) {
	types := fixtureTypes(t)
	for name, want := range map[string]string{
		"liste": "this kernel and its modules have no types for a function liste: did you mean listen?",
		"unheard_of": "this kernel and its modules have no types for a function unheard_of: " +
			"it may be a macro, inlined, or of a module that is not loaded",
		"ext:listen":       "module ext has no types for a function listen: did you mean listen?",
		"gone:x":           "module gone has no types (BTF) here: it is not loaded, or was built without them",
		"x\x1b[2J":         `this kernel and its modules have no types for a function x\x1b[2J: `,
		"x\x1b:y":          `module x\x1b has no types (BTF) here: it is not loaded, or was built without them`,
		"both":             "modules ext, other have a function both each: name one as in ext:both",
		"demo.part.0":      "demo.part.0 is only a part of function demo, without its arguments: use demo",
		"demo.isra.0.cold": "demo.isra.0.cold is only a part of function demo, without its arguments: use demo",
		"sock":             "this kernel and its modules have no types for a function sock: ",
		"twice": "this kernel has several functions twice, with different arguments: " +
			"(struct sock *sk) and (struct net_device *dev): use another function",
		"": "this kernel and its modules have no types for a function ",
	} {
		_, err := types.Function(name)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s:\n got %v\nwant %s", name, err, want)
		}
	}
	types.kernel = func() (*btf.Spec, error) { return nil, btf.ErrNotSupported }
	want := "read the types of the kernel: not supported: boot one built with CONFIG_DEBUG_INFO_BTF"
	if _, err := types.Function("demo"); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestRegisters: arguments that are in no register of their own number cannot be read.
func TestRegisters(t *testing.T) {
	types := fixtureTypes(t)
	for _, test := range []struct{ function, text, want string }{
		{"by_value", "sk->lo", "sk: cannot be read: argument pair has the type struct stat, larger than a register"},
		{"by_value", "pair.a", "pair: has the type struct stat: only pointers and integers can be read from a register"},
		{"small", "addr.s_addr", "addr: has the type struct in_addr: only pointers and integers can be read from a register"},
		{"nothing", "$retval == 0", "$retval: nothing returns nothing"},
		{"nothing", "sk", "sk: nothing has no argument sk, and this kernel no such constant of an enum: it has $retval"},
	} {
		f, err := types.Function(test.function)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Compile(test.text); err == nil || err.Error() != test.want {
			t.Errorf("%s of %s:\n got %v\nwant %s", test.text, test.function, err, test.want)
		}
	}
	f, err := types.Function("small")
	if err != nil {
		t.Fatal(err)
	}
	if e := compiled(t, f, "sk->lo"); e.Loads[0].Arg != 1 {
		t.Errorf("%+v", e.Loads)
	}
}

// TestConstants: a module has its own, besides those of the kernel.
func TestConstants(t *testing.T) {
	f, err := fixtureTypes(t).Function("ext_in")
	if err != nil {
		t.Fatal(err)
	}
	v, ok := compiled(t, f, "EXT_ON + TCP_LISTEN").Eval(nil)
	if !ok || v.Number != 17 {
		t.Errorf("%d, %v", v.Number, ok)
	}
}
