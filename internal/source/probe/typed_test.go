package probe

import (
	"fmt"
	"iter"
	"os"
	"strings"
	"testing"

	"dropwatch/internal/member"
	"dropwatch/internal/point"
	"dropwatch/internal/vmtest"
)

// TestType: the form of a point is the first that this kernel can do. The error is of the first form with a function that
// the kernel has, or of the first.
func TestType(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	types, symbols := member.Running(), table{"tcp_conn_request", "udp_rcv", "copied.isra.0", "udp_err", "udp_err"}
	at := func(function, when string, args ...point.Arg) point.Form {
		return point.Form{Functions: strings.Fields(function), When: when, Args: args}
	}
	length, wrong := point.Arg{Name: "len", Expr: "skb->len"}, point.Arg{Name: "no", Expr: "skb->lenn"}
	for name, tt := range map[string]struct {
		form point.Form
		or   []point.Form
		want string // the functions, or what the error says
	}{
		"first":         {at("udp_rcv", "skb->len > 100", length), []point.Form{at("tcp_conn_request", "")}, "udp_rcv"},
		"two functions": {at("gone udp_rcv tcp_conn_request", "skb->len > 100", length), nil, "udp_rcv tcp_conn_request"},
		"other form":    {at("gone", ""), []point.Form{at("udp_rcv", "", length)}, "udp_rcv"},
		"no function":   {at("gone went", ""), nil, "this kernel has no function gone: it may be inlined"},
		"only a copy":   {at("copied", ""), nil, "this kernel has function copied only as copied.isra.0, "},
		"two of a name": {at("gone udp_err", ""), nil, "this kernel has several functions udp_err: "},
		"no member":     {at("udp_rcv", "", wrong), []point.Form{at("gone", "")}, "value no at udp_rcv: skb->lenn: struct sk_buff has no"},
		"closest":       {at("gone", ""), []point.Form{at("udp_rcv", "", wrong), at("udp_rcv", "1 +")}, "value no at udp_rcv: "},
		"no condition":  {at("udp_rcv", "skb->len >"), nil, "condition at udp_rcv: "},
		"too much":      {at("tcp_conn_request", "", manyValues()...), nil, " values are to be read at tcp_conn_request, more than "},
		"at entry":      {at("udp_rcv", "$retval < 0"), nil, "condition at udp_rcv: $retval < 0: there is no $retval when"},
	} {
		typed, err := Type(&point.Point{Name: "x", Form: tt.form, Or: tt.or}, types, symbols)
		if err != nil {
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%s: %v\nwant %s", name, err, tt.want)
			}
			continue
		}
		var functions []string
		for i, f := range typed.Probed {
			functions = append(functions, f.Name)
			if typed.sites[i].function != f.Function || len(f.Args) != len(typed.Args) || (f.When == nil) != (typed.When == "") {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if got := strings.Join(functions, " "); got != tt.want || typed.Or != nil {
			t.Errorf("%s: at %s, want %s", name, got, tt.want)
		}
	}
}

// manyValues are values of 144 bytes, each of which is read alone.
func manyValues() (all []point.Arg) {
	for _, base := range []string{"skb", "((struct sk_buff *)sk)", "((struct sk_buff *)af_ops)"} {
		for i := range 4 {
			a := point.Arg{Name: fmt.Sprintf("n%d", len(all)), Expr: "0"}
			for j := range 12 {
				a.Expr += fmt.Sprintf(" + %s->cb[%d]", base, 12*i+j)
			}
			all = append(all, a)
		}
	}
	return all
}

// TestTypeIsQuick: what is like a function that is not there is looked up only for the text of the error.
func TestTypeIsQuick(t *testing.T) {
	searched := 0
	_, err := Type(&point.Point{Name: "x", Form: point.Form{Functions: []string{"gone"}}}, nil, counted{table{"gone.isra.0"}, &searched})
	if err == nil || searched != 0 {
		t.Errorf("%d searches", searched)
	}
	if !strings.Contains(err.Error(), "only as gone.isra.0") || searched != 1 {
		t.Errorf("%v, %d searches", err, searched)
	}
}

// counted counts how often all names are read.
type counted struct {
	table
	n *int
}

func (c counted) Names() iter.Seq[string] {
	*c.n++
	return c.table.Names()
}
