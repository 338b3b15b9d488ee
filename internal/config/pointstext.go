package config

import (
	"fmt"
	"strconv"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/point"
)

// pointsHead is what a file of points begins with.
const pointsHead = `# Points: functions of the kernel at which packets are dropped, what to read there,
# and when. dropwatch points test FILE says what this kernel can do of it.
#
# functions  of the same arguments; each that the kernel has is probed
# at         entry, when the function is called, or return, with $retval
# values     of a point at return, when they are read: entry, which is the default, or
#            return: that costs less, but needs that the function has not freed the packet
# when       the condition, in C over the arguments of the function; none: always
# args       what is read: a name, and an expression
# or         what to do on a kernel that lacks a member or function of the above
# stack      true records the kernel stack, too
# says       what happened, with {name} for a value
# doubt      what is added to that where the value certain is false
`

// PointsText returns a file of points. Parsed, it gives these points, but for their places in the tree and their
// counters.
func PointsText(points []point.Point) string {
	var b strings.Builder
	b.WriteString(pointsHead)
	for i := range points {
		p := &points[i]
		fmt.Fprintf(&b, "\n# %v/%s\n", p.Layer, p.Module)
		if len(p.Counters) > 0 {
			b.WriteString(event.Wrap("Kernel counters: "+strings.Join(p.Counters, ", "), "# ", "# ", event.Columns-1))
		}
		b.WriteString(pointText(p))
	}
	return b.String()
}

// pointText returns the table of a point.
func pointText(p *point.Point) string {
	var b strings.Builder
	fmt.Fprintf(&b, "[[point]]\nname = %s\n", quote(p.Name))
	writeForm(&b, &p.Form)
	if p.Stack {
		b.WriteString("stack = true\n")
	}
	if p.Says != "" {
		fmt.Fprintf(&b, "says = %s\n", quote(p.Says))
	}
	if p.Doubt != "" {
		fmt.Fprintf(&b, "doubt = %s\n", quote(p.Doubt))
	}
	for i := range p.Or {
		b.WriteString("[[point.or]]\n")
		writeForm(&b, &p.Or[i])
	}
	return b.String()
}

// examplePoint is the point that is printed in a configuration, as a comment.
var examplePoint = point.Point{
	Name: "backlog_of_443",
	Form: point.Form{
		Functions: []string{"tcp_conn_request"}, When: "sk->sk_num == 443 && sk->sk_ack_backlog > sk->sk_max_ack_backlog / 2",
		Args: []point.Arg{{Name: "qlen", Expr: "sk->sk_ack_backlog"}, {Name: "limit", Expr: "sk->sk_max_ack_backlog"}},
	},
	Says: "accept queue of port 443: {qlen} of {limit}",
}

// writeForm writes a form as a file of points has it, so that to read it again gives the same form.
func writeForm(b *strings.Builder, f *point.Form) {
	all := make([]string, len(f.Functions))
	for i, name := range f.Functions {
		all[i] = quote(name)
	}
	fmt.Fprintf(b, "functions = [%s]\nat = %s\n", strings.Join(all, ", "), quote(f.At.String()))
	if f.Values != point.Entry {
		fmt.Fprintf(b, "values = %s\n", quote(f.Values.String()))
	}
	if f.When != "" {
		fmt.Fprintf(b, "when = %s\n", quote(f.When))
	}
	if len(f.Args) == 0 {
		return
	}
	b.WriteString("args = [\n")
	for _, a := range f.Args {
		fmt.Fprintf(b, "  %s,\n", quote(a.Name+" = "+a.Expr))
	}
	b.WriteString("]\n")
}

// quote quotes a text as TOML has it; without quotes in it, as a literal, in which a backslash is none.
func quote(text string) string {
	if !strings.ContainsAny(text, "'\n") {
		return "'" + text + "'"
	}
	return strconv.Quote(text)
}
