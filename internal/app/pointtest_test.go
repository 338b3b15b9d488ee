package app

import (
	"os"
	"strings"
	"testing"

	"dropwatch/internal/member"
	"dropwatch/internal/point"
	"dropwatch/internal/vmtest"
)

// TestTyped: the form of a point is the first that this kernel can do; the error says what is wrong with the first.
func TestTyped(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	types := member.Running()
	has := func(name string) bool { return name == "tcp_conn_request" || name == "udp_rcv" }
	at := func(function, when string, args ...point.Arg) point.Form {
		return point.Form{Functions: []string{function}, When: when, Args: args}
	}
	length, wrong := point.Arg{Name: "len", Expr: "skb->len"}, point.Arg{Name: "no", Expr: "skb->lenn"}
	for name, test := range map[string]struct {
		p    point.Point
		want string // what is printed, or the error
	}{
		"first": {point.Point{Name: "x", Form: at("udp_rcv", "skb->len > 100", length)},
			"x: possible\n  at entry of int udp_rcv(struct sk_buff *skb)\n  when skb->len > 100\n    len  unsigned int  +"},
		"other form":   {point.Point{Name: "x", Form: at("gone", ""), Or: []point.Form{at("udp_rcv", "", length)}}, "x: possible\n"},
		"no function":  {point.Point{Name: "x", Form: at("gone", "")}, "this kernel has no function gone: it may be inlined"},
		"no member":    {point.Point{Name: "x", Form: at("udp_rcv", "", wrong)}, "value no at udp_rcv: skb->lenn: struct sk_buff has no"},
		"both wrong":   {point.Point{Name: "x", Form: at("gone", ""), Or: []point.Form{at("udp_rcv", "", wrong)}}, "value no at udp_rcv: "},
		"no condition": {point.Point{Name: "x", Form: at("udp_rcv", "skb->len >")}, "condition at udp_rcv: "},
		"at entry":     {point.Point{Name: "x", Form: at("udp_rcv", "$retval < 0")}, "condition at udp_rcv: $retval is known at"},
	} {
		var b strings.Builder
		p, err := typed(&test.p, types, has)
		if err != nil {
			b.WriteString(err.Error())
		} else {
			p.appendTo(&b, "possible")
		}
		if !strings.HasPrefix(b.String(), test.want) {
			t.Errorf("%s: %s\nwant %s", name, b.String(), test.want)
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
