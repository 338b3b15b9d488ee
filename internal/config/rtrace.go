package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/point"
	"dropwatch/internal/suggest"
)

// functionSettings are those of a function in a file of rtrace-drop. Its numbers of the arguments skb and sk are
// not needed: the kernel's types say which they are.
type functionSettings struct {
	Name   string   `toml:"name"`
	Enable *bool    `toml:"enable"` // nil: true
	Skb    uint32   `toml:"skb"`
	Sk     uint32   `toml:"sk"`
	Params []param  `toml:"params"`
	Exprs  []string `toml:"exprs"`
	Expr   []string `toml:"expr"` // exprs, as its README has it once
	Lines  []string `toml:"lines"`
}

// basicSettings are those of the whole of a run of rtrace-drop.
type basicSettings struct {
	Debug    bool   `toml:"debug"`
	BTFPath  string `toml:"btf_path"`
	PinPath  string `toml:"pin_path"`
	Vmlinux  string `toml:"vmlinux"`
	Ksyms    string `toml:"ksyms"`
	Duration uint32 `toml:"duration"` // seconds; 0: no end
	Protocol string `toml:"protocol"`
	Recv     bool   `toml:"recv"`
}

// filterSettings are the packets that rtrace-drop takes; those of any of several.
type filterSettings struct {
	Pid uint32 `toml:"pid"` // 0: any
	Dst string `toml:"dst"` // address and port, which are any if they are 0
	Src string `toml:"src"`
}

// A param is a value of params. It is a struct, as in a list go-toml does not ask a string type to parse itself.
type param struct{ name string }

// params are the values that rtrace-drop knows; none of them has an effect here but stack.
var params = []string{"basic", "stack", "kretprobe", "cgroup", "lineprobe"}

// UnmarshalText parses the value.
func (p *param) UnmarshalText(text []byte) error {
	if p.name = string(text); !slices.Contains(params, p.name) {
		return fmt.Errorf("unknown parameter %q: %s", text,
			cmp.Or(suggest.Question(p.name, params), "give one of: "+strings.Join(params, ", ")))
	}
	return nil
}

// addFunction adds the point of a function, unless it is off, and says what of it has no effect.
func (r *pointsReader) addFunction(table string, i int, s *functionSettings) {
	path := fmt.Sprintf("%s.%d", table, i)
	if s.Enable != nil && !*s.Enable {
		r.notice(path, "function "+s.Name+" is off: enable is false")
		return
	}
	if slices.Contains(s.Params, param{"cgroup"}) {
		r.notice(path, "cgroup is not read: the owner of a socket is looked up")
	}
	if _, ok := conditions[s.Name]; !ok && s.Name != "" {
		r.notice(path, "each call of "+s.Name+" is an event: [[point]] can have a condition")
	}
	r.add(table, i, func() (point.Point, error) { return s.point(r.All) })
}

// notice says what of a table has no effect.
func (r *pointsReader) notice(path, what string) {
	r.Notices = append(r.Notices, r.where(path)+": "+event.Escape(what))
}

// conditions are those that rtrace-drop tests of some functions, with its mistakes corrected; the file has none.
var conditions = map[string]string{
	"tcp_conn_request": "sk->sk_ack_backlog > sk->sk_max_ack_backlog || " +
		"((struct inet_connection_sock *)sk)->icsk_accept_queue.qlen.counter > sk->sk_max_ack_backlog",
	"tcp_v4_syn_recv_sock": "sk->sk_ack_backlog > sk->sk_max_ack_backlog",
	"tcp_add_backlog": "(unsigned)sk->sk_backlog.len + (unsigned)sk->sk_backlog.rmem_alloc.counter > " +
		"(unsigned)sk->sk_rcvbuf + ((unsigned)sk->sk_sndbuf >> 1) + 65536",
	"__skb_checksum_complete": "$retval != 0",
	"ipt_do_table":            "$retval == 0",
	"fib_validate_source":     "$retval < 0",
}

// point returns the point of a function, with a name that none before it has.
func (s *functionSettings) point(before []point.Point) (p point.Point, err error) {
	if s.Name == "" {
		return p, errors.New(`the function has no name: name one of the kernel, as in name = "tcp_conn_request"`)
	}
	if len(s.Lines) > 0 || slices.Contains(s.Params, param{"lineprobe"}) {
		return p, fmt.Errorf("function %s: lines of the source cannot be probed: remove lines and lineprobe; "+
			"the function itself is probed then", s.Name)
	}
	p = point.Point{Name: identifierName(s.Name), Stack: slices.Contains(s.Params, param{"stack"})}
	for i := 2; slices.ContainsFunc(before, func(q point.Point) bool { return q.Name == p.Name }); i++ {
		p.Name = fmt.Sprintf("%s_%d", identifierName(s.Name), i)
	}
	p.Functions, p.When = []string{s.Name}, conditions[s.Name]
	if slices.Contains(s.Params, param{"kretprobe"}) {
		p.At = point.Return
		p.Args = []point.Arg{{Name: "retval", Expr: "$retval"}}
	}
	p.Args = parseList(p.Args, slices.Concat(s.Exprs, s.Expr))
	return p, nil
}

// foreign says what to do instead of settings that are not those of a point.
func (r *pointsReader) foreign(s *pointsFile) {
	if b := s.Basic; b != nil {
		var instead []string
		if b.Duration > 0 {
			instead = append(instead, fmt.Sprintf("for duration give --duration %ds", b.Duration))
		}
		if expr, ok := protocols[b.Protocol]; ok {
			instead = append(instead, "for protocol give the expression "+expr)
		}
		r.notice("basic", "[basic] has no effect: "+cmp.Or(strings.Join(instead, "; "), "nothing of it is needed"))
	}
	for i, f := range s.Filter {
		what := "[[filter]] selects nothing, so it has no effect"
		if expr := f.expression(); expr != "" {
			what = "[[filter]] has no effect: give the expression " + expr
		}
		r.notice(fmt.Sprintf("filter.%d", i), what)
	}
}

// protocols are the expressions for the values of protocol.
var protocols = map[string]string{"icmp": "icmp", "tcp": "tcp", "udp": "udp", "tcp-syn": "tcp.flags has syn"}

// expression returns what selects the same; empty if that is all.
func (f *filterSettings) expression() string {
	var all []string
	if f.Pid > 0 {
		all = append(all, fmt.Sprintf("pid %d", f.Pid))
	}
	for _, end := range [][2]string{{"src", f.Src}, {"dst", f.Dst}} {
		host, port, _ := strings.Cut(end[1], ":")
		if host != "" && host != "0.0.0.0" {
			all = append(all, end[0]+" host "+host)
		}
		if port != "" && port != "0" {
			all = append(all, end[0]+" port "+port)
		}
	}
	return strings.Join(all, " and ")
}
