package probe

import (
	"fmt"
	"iter"
	"os"
	"reflect"
	"slices"
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

// TestBacklogLimit: the limit of a socket's backlog is that of the kernel's release, of which the queues are the only sign.
func TestBacklogLimit(t *testing.T) {
	if _, err := os.Stat("/sys/kernel/btf/vmlinux"); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	p, _ := point.Lookup("tcp_backlog")
	typed, err := Type(&p, member.Running(), table{"tcp_add_backlog"})
	if err != nil {
		t.Fatal(err)
	}
	f := typed.Probed[0]
	const rcvbuf, sndbuf = 131072, 87040
	for name, tt := range map[string]struct{ backlog, rmem, limit uint64 }{
		"not full, a wrong checksum":  {100, 100, 0},
		"at the least limit":          {rcvbuf, sndbuf/2 + 65536, 0},
		"from October 2022 on":        {rcvbuf + 1, sndbuf/2 + 65536, rcvbuf + sndbuf/2 + 65536},
		"before that":                 {rcvbuf + sndbuf, 65536 + 1, rcvbuf + sndbuf + 65536},
		"since April 2024":            {2*rcvbuf + sndbuf/2, 65536 + 1, 2*rcvbuf + sndbuf/2 + 65536},
		"since April 2024, much more": {1 << 20, 1 << 20, 2*rcvbuf + sndbuf/2 + 65536},
	} {
		values := map[string]uint64{
			"$retval": 1, "sk->sk_backlog.len": tt.backlog, "sk->sk_backlog.rmem_alloc.counter": tt.rmem, "sk->sk_rcvbuf": rcvbuf,
			"sk->sk_sndbuf": sndbuf,
		}
		full := evaluate(t, f.Function, f.When, values)
		if (full != 0) != (tt.limit != 0) {
			t.Errorf("%s: the condition is %d", name, full)
		}
		limit := slices.IndexFunc(typed.Args, func(a point.Arg) bool { return a.Name == "limit" })
		if got := evaluate(t, f.Function, f.Args[limit], values); full != 0 && got != tt.limit {
			t.Errorf("%s: limit %d, want %d", name, got, tt.limit)
		}
	}
}

// evaluate evaluates an expression over the values of others by their text, 0 if they are not among these.
func evaluate(t *testing.T, f *member.Function, e *member.Expr, values map[string]uint64) uint64 {
	t.Helper()
	loads := make([]member.Value, len(e.Loads))
	for text, number := range values {
		x, err := f.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		for i := range e.Loads {
			if reflect.DeepEqual(e.Loads[i], x.Loads[0]) {
				loads[i] = member.Number(number)
			}
		}
	}
	v, ok := e.Eval(loads)
	if !ok {
		t.Fatalf("%s has no value", e.Text)
	}
	return v.Number
}
