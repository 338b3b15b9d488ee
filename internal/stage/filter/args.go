package filter

import (
	"math"
	"slices"
	"strings"

	"dropwatch/internal/event"
)

// argsPrefix begins the names of the fields that are in Event.Args.
const argsPrefix = "args."

// fieldOf returns the field of a name in an expression. Every name that begins with args. has one.
func fieldOf(name string) (*field, bool) {
	if f, ok := lookup[name]; ok {
		return f, true
	}
	arg, ok := strings.CutPrefix(name, argsPrefix)
	if !ok || arg == "" {
		return nil, false
	}
	return &field{name: name, facts: event.FactArgs, kind: argument(arg)}, true
}

// An argument is the field of the Arg of that name, in any case. Its value is a number or a text, which
// only the event shows, so a leaf may have both sorts of values.
type argument string

// The kinds that read the values.
var (
	argNumber = integer{max: math.MaxUint64}
	argText   = label{what: "a text"}
)

// ops are all that numbers and texts have: which an argument is, its value shows.
func (argument) ops() []op {
	return []op{equal, notEqual, less, lessEqual, greater, greaterEqual, matches, notMatches}
}

func (argument) form() string { return "a number, or a text with * for anything, or after ~ a regexp" }

func (argument) names() []string { return nil }

// add adds a number where that is possible, and otherwise a text.
func (argument) add(l *leaf, t token) string {
	_, isNumber := argNumber.span(strings.ToLower(t.text))
	switch l.op {
	case matches, notMatches:
		return argText.add(l, t)
	case equal, notEqual:
		if !isNumber || t.kind == quote {
			return argText.add(l, t)
		}
	}
	return argNumber.add(l, t)
}

// bind makes the test: a number is compared with numbers, a text with texts.
func (k argument) bind(l *leaf) {
	if len(l.numbers) > 0 {
		l.numbers = l.numbers.ordered(l.op)
	}
	l.test = test(l, k.get, func(a *event.Arg) bool {
		if a.Text == "" {
			return l.numbers.contain(a.Number)
		}
		for i := range l.patterns {
			if l.patterns[i].match(a.Text) {
				return true
			}
		}
		return false
	})
}

// in returns the index of the value; -1 if it is not there.
func (k argument) in(args []event.Arg) int {
	return slices.IndexFunc(args, func(a event.Arg) bool { return strings.EqualFold(a.Name, string(k)) })
}

// get is the values function of the field: what was read at the drop or, if that is not there, at the point before it.
func (k argument) get(e *event.Event, _ *event.Headers, is func(*event.Arg) bool) (has, found bool) {
	i := k.in(e.Args)
	switch {
	case i >= 0:
		return true, is(&e.Args[i])
	case e.Reached == nil:
		return false, false
	}
	if i = k.in(e.Reached.Args); i < 0 {
		return false, false
	}
	return true, is(&e.Reached.Args[i])
}
