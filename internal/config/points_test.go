package config

import (
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dropwatch/internal/host"
	"dropwatch/internal/point"
)

// TestPointsText: the file that is printed has the built-in points as they are.
func TestPointsText(t *testing.T) {
	got, err := parsePoints("x.toml", []byte(PointsText(point.Builtin())))
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(point.Builtin())
	for i := range want {
		want[i].Layer, want[i].Module, want[i].Counters, want[i].Drops = 0, "", nil, nil
	}
	if diff := cmp.Diff(want, got.All); diff != "" || len(got.Notices) != 0 {
		t.Errorf("notices %q, points (-want +got):\n%s", got.Notices, diff)
	}
}

// TestPoint: a point has all that its table says, and values without a name get one.
func TestPoint(t *testing.T) {
	got, err := parsePoints("x.toml", []byte(`
[[point]]
name = "accept"
functions = ["tcp_conn_request", "nf_tables:f.isra.0"]
at = "return"
values = "return"
when = "$retval == 0"
stack = true
says = "{len} of {x}"
doubt = "; or {x}"
args = ["len=sk->sk_ack_backlog", "sk->sk_max_ack_backlog", "other->sk_max_ack_backlog", "ntohs(sk->__sk_dport)", "a == b",
  "x->qlen.counter", "src:ip", "1", "2"]
[[point.or]]
functions = ["g"]
args = { b = "skb->len", a = "skb->mark:x" }
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []point.Point{{
		Name: "accept", Stack: true, Says: "{len} of {x}", Doubt: "; or {x}",
		Form: point.Form{
			Functions: []string{"tcp_conn_request", "nf_tables:f.isra.0"}, At: point.Return, Values: point.Return, When: "$retval == 0",
			Args: []point.Arg{
				{Name: "len", Expr: "sk->sk_ack_backlog"}, {Name: "sk_max_ack_backlog", Expr: "sk->sk_max_ack_backlog"},
				{Name: "other_sk_max_ack_backlog", Expr: "other->sk_max_ack_backlog"},
				{Name: "sk_dport", Expr: "ntohs(sk->__sk_dport)"}, {Name: "b", Expr: "a == b"}, {Name: "qlen", Expr: "x->qlen.counter"},
				{Name: "src", Expr: "src:ip"}, {Name: "value", Expr: "1"}, {Name: "value2", Expr: "2"},
			},
		},
		Or: []point.Form{{
			Functions: []string{"g"}, Args: []point.Arg{{Name: "a", Expr: "skb->mark:x"}, {Name: "b", Expr: "skb->len"}},
		}},
	}}
	if diff := cmp.Diff(want, got.All); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// rtraceFile is what the README of rtrace-drop has, which guests take as well.
const rtraceFile = "../acceptance/testdata/rtrace.toml"

// TestRtrace: what the README of rtrace-drop has is taken as it stands, with the conditions of its program.
func TestRtrace(t *testing.T) {
	got, err := ReadPoints(host.New("/"), rtraceFile)
	if err != nil {
		t.Fatal(err)
	}
	type line struct {
		at   point.At
		args int
		when bool
	}
	want := map[string]line{
		"tcp_conn_request": {point.Entry, 3, true}, "tcp_v4_syn_recv_sock": {point.Entry, 2, true},
		"tcp_add_backlog": {point.Entry, 4, true}, "tcp_rcv_established": {point.Entry, 0, false},
		"skb_checksum_complete": {point.Return, 1, true}, "ipt_do_table": {point.Return, 9, true},
		"fib_validate_source": {point.Return, 1, true},
	}
	have := make(map[string]line)
	for _, p := range got.All {
		have[p.Name] = line{p.At, len(p.Args), p.When != ""}
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("%v, want %v", have, want)
	}
	notices := []string{
		rtraceFile + ":30: each call of tcp_rcv_established is an event: [[point]] can have a condition",
		rtraceFile + ":2: [basic] has no effect: for duration give --duration 30s; for protocol give the expression tcp",
		rtraceFile + ":10: [[filter]] has no effect: give the expression dst host 192.0.2.1 and dst port 80",
	}
	if diff := cmp.Diff(notices, got.Notices); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
	if args := got.All[0].Args; args[2].Name != "qlen" || args[2].Expr !=
		"((struct inet_connection_sock *)sk).icsk_accept_queue.qlen.counter" {
		t.Errorf("%+v", args)
	}
}

// TestFunctions: a function that is off is none, and two points of one function have two names.
func TestFunctions(t *testing.T) {
	got, err := parsePoints("x.toml", []byte(`
[[function]]
name = "a"
enable = false
[[function]]
name = "__f"
params = ["stack", "cgroup"]
[[ function ]] # again
name = "f"
enable = true
`))
	if err != nil {
		t.Fatal(err)
	}
	want := []point.Point{
		{Name: "f", Form: point.Form{Functions: []string{"__f"}}, Stack: true},
		{Name: "f_2", Form: point.Form{Functions: []string{"f"}}},
	}
	if diff := cmp.Diff(want, got.All); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	notices := []string{
		"x.toml:2: function a is off: enable is false",
		"x.toml:5: cgroup is not read: the owner of a socket is looked up",
		"x.toml:5: each call of __f is an event: [[point]] can have a condition",
		"x.toml:8: each call of f is an event: [[point]] can have a condition",
	}
	if diff := cmp.Diff(notices, got.Notices); diff != "" {
		t.Errorf("notices (-want +got):\n%s", diff)
	}
}

// TestPointErrors: what is wrong is said with its line, and what to write instead.
func TestPointErrors(t *testing.T) {
	const head = "[[point]]\nname = 'a'\nfunctions = ['f']\n"
	tests := map[string]string{
		"":                                  `x.toml: it has no point: add one below a line [[point]]`,
		"[[pont]]\nname = 'x'":              `x.toml:1: unknown key pont: did you mean point?`,
		head + "wen = 'x'":                  `x.toml:4: unknown key point.wen: did you mean when?`,
		head + "[[point.or]]\nstack = true": `x.toml:5: unknown key point.or.stack: dropwatch points --gen writes a file with all`,
		head + "at = 'exit'":                `x.toml:4: invalid value for point.at: give entry or return`,
		head + "functions = 'f'":            `x.toml:4: `,
		head + "args = 'f'":                 `x.toml:4: invalid value for args: give a list of texts, as in ["len = skb->len"]`,
		head + "args = [1]":                 `x.toml:4: invalid value for args: `,
		head + "args = {a = 1}":             `x.toml:4: invalid value for args: `,
		head + "args = ['a']\n[[point.or]]\nargs = 1": `x.toml:1: or number 1: invalid value for args: `,
		head + head:                                          `x.toml:4: a point before it has the name a, too: give it another name`,
		"# x\n\n[[point]]\nname = 'A'":                       `x.toml:3: invalid name "A" of a point: `,
		head + "[[point]]\nname = 'b'":                       `x.toml:4: point b: it has no function: name one`,
		head + "args = [" + strings.Repeat("'a',", 17) + "]": `x.toml:1: point a: it reads 17 values: at most 16`,
		strings.Repeat("[[filter]]\n", 101):                  `x.toml: it has 101 points and filters: at most 100 are possible`,
		"[[function]]\nskb = 1":                              `x.toml:1: the function has no name: name one`,
		"[[function]]\nname = 'f'\nlines = ['a.c:3']":        `x.toml:1: function f: lines of the source cannot be probed: remove lines`,
		"[[function]]\nname = 'f'\nparams = ['lineprobe']":   `x.toml:1: function f: lines of the source`,
		"[[function]]\nname = 'f'\nparams = ['stak']": `x.toml:3: invalid value for function.params: ` +
			`unknown parameter "stak": did you mean stack?`,
		"[[function]]\nname = 'f'\nskb = -1": `x.toml:3: invalid value for function.skb: give a whole number`,
		"[[function]]\nname = 'f()'":         `x.toml:1: point f: invalid name "f()" of a function`,
	}
	for text, want := range tests {
		p, err := parsePoints("x.toml", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q:\n%+v, %v\nwant %s", text, p, err, want)
		}
	}
	if _, err := ReadPoints(host.New("/"), t.TempDir()+"/none"); err == nil || !strings.Contains(err.Error(), "read the points in ") {
		t.Error(err)
	}
}

// FuzzPoints: any text is points that are right, or an error that names the file.
func FuzzPoints(f *testing.F) {
	rtrace, err := os.ReadFile(rtraceFile)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(rtrace))
	f.Add(PointsText(point.Builtin()[:3]))
	for _, text := range []string{
		"[point]\n", "[[point]]\nargs = {a.b = 1}", "point = [{name = 'a', functions = ['f']}]", "[[function]]\n\n[filter]",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePoints("x.toml", []byte(text))
		if err != nil {
			if !strings.HasPrefix(err.Error(), "x.toml:") {
				t.Error(err)
			}
			return
		}
		for _, p := range p.All {
			if err := p.Check(); err != nil {
				t.Error(err)
			}
		}
	})
}
