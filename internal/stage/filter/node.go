package filter

import (
	"slices"
	"strings"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// possible reports whether a leaf can be wanted, or not.
type possible func(l *leaf, wanted bool) bool

// A node is a parsed expression.
type node interface {
	// decide returns whether a drop matches, Unknown if that depends on what is not known.
	decide(e *event.Event) condition.Truth

	// write writes the expression, in parentheses if it binds less than its outside does.
	write(b *strings.Builder, outside binding)

	// can reports whether decide can return want, if leaf says it of a leaf.
	can(want bool, leaf possible) bool

	// condition returns the condition for the kernel; Unknown where the kernel cannot decide.
	condition(*Resolver) condition.Node

	// each calls a function for every leaf.
	each(func(*leaf))

	// at returns the expression for drops of which only the place is known.
	at(*Place) node
}

// A binding is the precedence of an operator.
type binding int

const (
	orBinds binding = iota
	andBinds
	notBinds
)

// A list joins nodes by and or, if the field or is set, by or.
type list struct {
	or    bool
	nodes []node
}

// newList joins nodes. Lists of the same kind among them are replaced by their nodes.
func newList(or bool, nodes []node) node {
	if len(nodes) == 1 {
		return nodes[0]
	}
	l := &list{or: or}
	for _, n := range nodes {
		if inner, ok := n.(*list); ok && inner.or == or {
			l.nodes = append(l.nodes, inner.nodes...)
		} else {
			l.nodes = append(l.nodes, n)
		}
	}
	return l
}

// decide returns the value of an operand that decides alone, and otherwise Unknown if an
// operand is unknown.
func (l *list) decide(e *event.Event) condition.Truth {
	decisive := truth(l.or)
	result := condition.True - decisive
	for _, n := range l.nodes {
		switch n.decide(e) {
		case decisive:
			return decisive
		case condition.Unknown:
			result = condition.Unknown
		}
	}
	return result
}

// write puts parentheses where the list binds less than what is around it.
func (l *list) write(b *strings.Builder, outside binding) {
	word, binds := " and ", andBinds
	if l.or {
		word, binds = " or ", orBinds
	}
	if binds < outside {
		b.WriteByte('(')
		defer b.WriteByte(')')
	}
	for i, n := range l.nodes {
		if i > 0 {
			b.WriteString(word)
		}
		n.write(b, binds)
	}
}

// can is the value of the operands' can, joined as the list joins its nodes.
func (l *list) can(want bool, leaf possible) bool {
	for _, n := range l.nodes {
		if n.can(want, leaf) == (l.or == want) {
			return l.or == want
		}
	}
	return l.or != want
}

// each visits the leaves from left to right.
func (l *list) each(f func(*leaf)) {
	for _, n := range l.nodes {
		n.each(f)
	}
}

// A negation matches if its node does not.
type negation struct{ node node }

// decide turns True and False round; Unknown stays, as it lies in the middle of
// them.
func (n *negation) decide(e *event.Event) condition.Truth { return condition.True - n.node.decide(e) }

// write needs no parentheses of its own: not binds most.
func (n *negation) write(b *strings.Builder, _ binding) {
	b.WriteString("not ")
	n.node.write(b, notBinds)
}

// can: a negation is true if its node is false.
func (n *negation) can(want bool, leaf possible) bool { return n.node.can(!want, leaf) }

func (n *negation) each(f func(*leaf)) { n.node.each(f) }

// A leaf compares a field with values.
type leaf struct {
	field  *field // which never changes
	scope  scope  // whose headers are compared
	op     op
	values []string // as an expression has them

	// The values, parsed. Which of these are used depends on the kind of the field.
	numbers  spans
	patterns []pattern
	nets     nets
	macs     macs

	test func(*event.Event, *event.Headers) condition.Truth // set by kind.bind
}

// decide runs the test on the headers of the leaf's scope.
func (l *leaf) decide(e *event.Event) condition.Truth { return l.test(e, l.scope.headers(e)) }

// name is the field's name with its scope, as an expression has it.
func (l *leaf) name() string { return scopeNames[l.scope] + l.field.name }

// write prints several values in braces, which have the operator == or !=.
func (l *leaf) write(b *strings.Builder, _ binding) {
	b.WriteString(l.name())
	if l.op == exists {
		return
	}
	b.WriteString(" " + string(l.op) + " ")
	if len(l.values) == 1 {
		b.WriteString(l.values[0])
		return
	}
	b.WriteString("{" + strings.Join(l.values, ", ") + "}")
}

// provides returns the facts any of which provides the field. An inner or quoted packet needs bytes.
func (l *leaf) provides() event.Facts {
	if l.scope != outermost {
		return event.FactPacket
	}
	return l.field.facts
}

// onlyBy reports whether nothing but g provides the field, or the values that it is compared with.
func (l *leaf) onlyBy(g event.Facts) bool {
	return l.provides() != 0 && l.provides()&^g == 0 || l.ofTCP()&g != 0
}

// ofTCP returns what must be known of what TCP did.
func (l *leaf) ofTCP() event.Facts {
	f := l.field
	known := func(s span) bool { return !f.tcpOf.contain(s.lo) }
	if f.tcpOf != nil && (l.op == exists || slices.ContainsFunc(l.numbers, known)) {
		return 0
	}
	return f.tcp
}

// needs returns the facts that must have been found out before the field is compared.
func (l *leaf) needs() event.Facts {
	if l.scope != outermost {
		return event.FactPacket
	}
	return l.field.facts | l.field.needs
}

func (l *leaf) can(want bool, leaf possible) bool { return leaf(l, want) }

// canWithout: a comparison with a field that is lacking is never true. It is false only for a drop that does not
// have the field at all, or if the operator is exists.
func (l *leaf) canWithout(want bool, lacking event.Facts) bool {
	return !l.onlyBy(lacking) || !want && (l.field.part != notInPacket || l.field.missing == nil || l.op == exists)
}

func (l *leaf) each(f func(*leaf)) { f(l) }

// A scope is the packet whose headers a field belongs to.
type scope uint8

const (
	outermost scope = iota
	inner           // of the packet in a tunnel
	quoted          // of the packet that an ICMP error is about
)

// scopeNames are the prefixes of field names, by scope.
var scopeNames = [...]string{inner: "inner.", quoted: "quoted."}

// noHeaders are the headers of a drop without bytes.
var noHeaders event.Headers

// headers returns the headers of the packet that s stands for.
func (s scope) headers(e *event.Event) *event.Headers {
	f := e.Packet.Flow
	switch {
	case f == nil:
		return &noHeaders
	case s == inner:
		return &f.Inner
	case s == quoted:
		return &f.Quoted
	}
	return &f.Headers
}

// An op is an operator of comparison.
type op string

const (
	exists       op = "" // the field is present, or true
	equal        op = "=="
	notEqual     op = "!="
	less         op = "<"
	lessEqual    op = "<="
	greater      op = ">"
	greaterEqual op = ">="
	matches      op = "~"
	notMatches   op = "!~"
	has          op = "has"
)

// negative reports whether a comparison is true if no value is found.
func (o op) negative() bool { return o == notEqual || o == notMatches }
