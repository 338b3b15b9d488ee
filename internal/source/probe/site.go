package probe

import (
	"fmt"
	"slices"
	"strconv"

	"dropwatch/internal/event"
	"dropwatch/internal/iptables"
	"dropwatch/internal/member"
	"dropwatch/internal/perf"
	"dropwatch/internal/point"
)

// A site is a function at which a point is.
type site struct {
	name      string   // of the point
	at        point.At // the call or the return of the function
	late      bool     // its values are read at the return, see paired
	stack     bool     // samples have the stack trace
	target    target   // what the kernel is told to probe
	function  *member.Function
	family    *iptables.Family // whose rules the function goes through; nil: it is another
	condition *formula         // nil: always
	args      []arg            // in the order in which they are shown
	facts     facts            // what is known of socket, packet and network namespace besides
	loads     []member.Load    // of all of these, each once
	fetched   int              // how many of them a kprobe event fetches; the others are for BPF alone
}

// An arg is a value that is shown.
type arg struct {
	name string // of the value, as the point has it
	formula
}

// A formula is an expression over the loads of a site.
type formula struct {
	*member.Expr
	loads []int // for each load of the expression its index in those of the site
}

// own selects the values of the expression's loads from those of the site.
func (f *formula) own(values []member.Value) (own [member.MaxLoads]member.Value) {
	for i, load := range f.loads {
		own[i] = values[load]
	}
	return own
}

// value evaluates the formula from the values of the site's loads.
func (f *formula) value(values []member.Value) (member.Value, bool) {
	own := f.own(values)
	return f.Eval(own[:len(f.loads)])
}

// newSite types the expressions of a point against a function.
func newSite(p *point.Point, t target, types *member.Types) (*site, error) {
	f, err := types.Function(t.name)
	if err != nil {
		return nil, err
	}
	s := &site{name: p.Name, at: p.At, late: p.Values == point.Return, stack: p.Stack, target: t, function: f}
	if s.late {
		s.family = families[f.Name]
	}
	if p.When != "" {
		c, err := s.compile(f, p.When)
		if err != nil {
			return nil, fmt.Errorf("condition at %s: %w", t.name, err)
		}
		s.condition = &c
	}
	for _, a := range p.Args {
		c, err := s.compile(f, a.Expr)
		if err != nil {
			return nil, fmt.Errorf("value %s at %s: %w", a.Name, t.name, err)
		}
		s.args = append(s.args, arg{a.Name, c})
	}
	s.facts.compile(s, f)
	if len(s.loads) > perf.MaxFetch-2 { // and the fields for the name of the thread and the stack address
		return nil, fmt.Errorf("%d values are to be read at %s, more than %d", len(s.loads), t.name, perf.MaxFetch-2)
	}
	s.fetched = len(s.loads)
	s.facts.compileHeaders(s, f)
	s.facts.compileTable(s, f)
	return s, nil
}

// families are those of iptables by the function that goes through their rules.
var families = map[string]*iptables.Family{"ipt_do_table": &iptables.IPv4, "ip6t_do_table": &iptables.IPv6}

// compile types an expression, and adds its loads to those of the site.
func (s *site) compile(f *member.Function, text string) (formula, error) {
	e, err := f.Compile(text)
	if err != nil {
		return formula{}, err
	}
	c := formula{Expr: e}
	for _, l := range e.Loads {
		if l.Arg == member.ReturnValue && s.at == point.Entry {
			return formula{}, fmt.Errorf("%s: there is no $retval when a function is called: let the point be at its return", text)
		}
		c.loads = append(c.loads, s.add(l))
	}
	return c, nil
}

// add returns the index of a load in those of the site.
func (s *site) add(l member.Load) int {
	fetch := func(l member.Load) string { return fmt.Sprint(fetchOf(l), l.Array) }
	if i := slices.IndexFunc(s.loads, func(other member.Load) bool { return fetch(other) == fetch(l) }); i >= 0 {
		return i
	}
	s.loads = append(s.loads, l)
	return len(s.loads) - 1
}

// ofReturn returns the indexes of the loads that are read at the return, or those that are read at the call.
func (s *site) ofReturn(is bool) (loads []int) {
	for i, l := range s.loads[:s.fetched] {
		if (l.Arg == member.ReturnValue) == is {
			loads = append(loads, i)
		}
	}
	return loads
}

// paired reports whether an event of the site needs what is read at its call and at its return: where a probe is at the
// return, that lacks the arguments, so that of a late site they alone are read at the call.
func (s *site) paired() bool { return s.at == point.Return && len(s.ofReturn(false)) > 0 }

// shown reports whether the call makes an event of kind Point, or the return.
func (s *site) shown(atReturn bool) bool { return atReturn == (s.at == point.Return) }

// probe returns the probe of the call of the function, or of its return.
func (s *site) probe(atReturn bool) (p perf.Probe, loads []int) {
	loads = s.ofReturn(atReturn)
	p = perf.Probe{Name: s.name, Function: s.target.name, Return: atReturn}
	for _, i := range loads {
		p.Fetch = append(p.Fetch, perf.Fetch{Name: fieldName(i), Expr: fetchOf(s.loads[i])})
	}
	if s.shown(atReturn) {
		p.Fetch = append(p.Fetch, perf.Fetch{Name: commField, Expr: "$comm:string"})
	}
	if s.paired() {
		p.Fetch = append(p.Fetch, perf.Fetch{Name: stackField, Expr: "$stack:u64"})
	}
	return p, loads
}

// filter returns what the kernel can test of the condition at the call, or at the return.
func (s *site) filter(atReturn bool) string {
	if s.condition == nil {
		return ""
	}
	filter, _ := s.condition.Filter(func(load int) string {
		i := s.condition.loads[load]
		if (s.loads[i].Arg == member.ReturnValue) != atReturn {
			return ""
		}
		return fieldName(i)
	})
	return filter
}

// matches reports whether the condition is true.
func (s *site) matches(values []member.Value) bool {
	if s.condition == nil {
		return true
	}
	own := s.condition.own(values)
	return s.condition.True(own[:len(s.condition.loads)])
}

// appendArgs appends the values of the point that could be read.
func (s *site) appendArgs(args []event.Arg, values []member.Value) []event.Arg {
	for i := range s.args {
		a := &s.args[i]
		v, ok := a.value(values)
		if !ok {
			continue
		}
		if one, ok := argOf(a.name, a.Expr, v); ok {
			args = append(args, one)
		}
	}
	return args
}

// argOf returns a value as it is displayed: as a number if that is one from 0 on. It returns false for an empty text,
// such as the name of an interface where there is none, which a [event.Arg] cannot have.
func argOf(name string, e *member.Expr, v member.Value) (a event.Arg, ok bool) {
	text := e.Format(v)
	n, err := strconv.ParseUint(text, 10, 64)
	if err == nil && (e.Show == member.Decimal || e.Show == member.Port) {
		return event.Arg{Name: name, Number: n}, true
	}
	return event.Arg{Name: name, Text: text}, text != ""
}
