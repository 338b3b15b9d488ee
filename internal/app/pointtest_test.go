package app

import (
	"strings"
	"testing"

	"dropwatch/internal/member"
	"dropwatch/internal/point"
	"dropwatch/internal/source/probe"
)

// TestAppendTyped: of each function the condition, and the type of each value with what is read for it.
func TestAppendTyped(t *testing.T) {
	p := point.Point{Name: "x", Form: point.Form{Args: []point.Arg{{Name: "len"}, {Name: "seven"}}}}
	udp := &member.Function{Name: "udp_rcv", Return: "int", Args: []member.Arg{{Name: "skb", Type: "struct sk_buff *"}}}
	length := &member.Expr{Type: "unsigned int", Loads: []member.Load{{Offsets: []int64{112}, Size: 4}}}
	args := []*member.Expr{length, {Type: "int"}}
	var b strings.Builder
	appendTyped(&b, &probe.Typed{Point: p, Probed: []probe.TypedFunction{
		{Function: udp, When: &member.Expr{Text: "skb->len > 100"}, Args: args}, {Function: &member.Function{Name: "f", Return: "void"}},
	}}, "possible", []probe.Tester{probe.Attached})
	const want = `x: possible
  at entry of int udp_rcv(struct sk_buff *skb)
  by BPF attached to the function (fentry)
  when skb->len > 100
    len    unsigned int  +112(skb):u32
    seven  int           constant
  at entry of void f(void)
`
	if b.String() != want {
		t.Errorf("%s\nwant %s", b.String(), want)
	}
}

// TestValuesText: without BPF the values of a return are those of the call, whatever the point says.
func TestValuesText(t *testing.T) {
	back := point.Form{At: point.Return}
	late := point.Form{At: point.Return, Values: point.Return}
	for i, tt := range []struct {
		by   probe.Tester
		form point.Form
		want string
	}{
		{probe.Attached, point.Form{}, ""}, {probe.Attached, back, ", values kept from the call"},
		{probe.Attached, late, ", values read at the return"}, {probe.BPF, late, ", values read at the return"},
		{probe.Filters, late, ", values kept from the call"},
	} {
		if got := valuesText(tt.by, &tt.form); got != tt.want {
			t.Errorf("%d: %q, want %q", i, got, tt.want)
		}
	}
}

// TestTesterText: BPF that is attached to a function is called by where it runs.
func TestTesterText(t *testing.T) {
	for want, got := range map[string]string{
		"BPF attached to the function (fexit)":   testerText(probe.Attached, point.Return),
		"a kprobe event and BPF":                 testerText(probe.BPF, point.Return),
		"a kprobe event and the kernel's filter": testerText(probe.Filters, point.Entry),
	} {
		if got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// TestLoadsOf: loads are written as kprobe events have them, with the arguments by their names.
func TestLoadsOf(t *testing.T) {
	f := &member.Function{Args: []member.Arg{{Name: "skb", Type: "struct sk_buff *"}, {}}}
	for want, loads := range map[string][]member.Load{
		"constant":     nil,
		"skb:u64":      {{Size: 8}},
		"$retval:s32":  {{Arg: member.ReturnValue, Size: 4, Signed: true}},
		"+8($arg2):u8": {{Arg: 1, Offsets: []int64{8}, Size: 1}},
		"+0(-2(skb)):b3@5/32 +16(skb):string[16] +4(skb):bytes[6]": {
			{Offsets: []int64{-2, 0}, Size: 4, BitSize: 3, BitOffset: 5}, {Offsets: []int64{16}, Array: 16, String: true},
			{Offsets: []int64{4}, Array: 6},
		},
	} {
		if got := loadsOf(f, &member.Expr{Loads: loads}); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}
