package filter

import (
	"strings"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// A node is an expression that was read.
type node interface {
	match(e *event.Event) bool

	// write gives the text, in parentheses if it binds less than outside does.
	write(b *strings.Builder, outside binding)

	// can says whether match may be want for a drop without what lacks.
	can(want bool, lacking Given) bool

	// condition is what of match the kernel's side can tell.
	condition(*Resolver) condition.Node

	each(func(*leaf))
}

// A binding says how close an operator holds its operands.
type binding int

const (
	orBinds binding = iota
	andBinds
	notBinds
)

// A list joins nodes by and, or by or.
type list struct {
	or    bool
	nodes []node
}

// newList joins nodes; a list of the same kind among them becomes part of it.
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

func (l *list) match(e *event.Event) bool {
	for _, n := range l.nodes {
		if n.match(e) == l.or {
			return l.or
		}
	}
	return !l.or
}

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

func (l *list) can(want bool, lacking Given) bool {
	for _, n := range l.nodes {
		if n.can(want, lacking) == (l.or == want) {
			return l.or == want
		}
	}
	return l.or != want
}

func (l *list) each(f func(*leaf)) {
	for _, n := range l.nodes {
		n.each(f)
	}
}

// A negation is what its node is not.
type negation struct{ node node }

func (n *negation) match(e *event.Event) bool { return !n.node.match(e) }

func (n *negation) write(b *strings.Builder, _ binding) {
	b.WriteString("not ")
	n.node.write(b, notBinds)
}

func (n *negation) can(want bool, lacking Given) bool { return n.node.can(!want, lacking) }

func (n *negation) each(f func(*leaf)) { n.node.each(f) }

// A leaf compares a field with values.
type leaf struct {
	field  *field
	scope  scope
	op     op
	values []string // as they are written

	// What the values are; a kind of field has one of these.
	numbers  spans
	patterns []pattern
	nets     nets
	macs     macs

	test func(*event.Event, *event.Headers) bool
}

func (l *leaf) match(e *event.Event) bool { return l.test(e, l.scope.headers(e)) }

func (l *leaf) name() string { return scopeNames[l.scope] + l.field.name }

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

// given is what gives the field. A packet in another is nothing but bytes.
func (l *leaf) given() Given {
	if l.scope != outermost {
		return Packet
	}
	return l.field.given
}

// onlyBy says that nothing else than g gives the field.
func (l *leaf) onlyBy(g Given) bool { return l.given() != 0 && l.given()&^g == 0 }

// can: a field that is lacking makes its comparison false.
func (l *leaf) can(want bool, lacking Given) bool { return !want || !l.onlyBy(lacking) }

func (l *leaf) each(f func(*leaf)) { f(l) }

// A scope says whose headers a field is of.
type scope uint8

const (
	outermost scope = iota
	inner           // of the packet in a tunnel
	quoted          // of the packet that an ICMP error is about
)

var scopeNames = [...]string{inner: "inner.", quoted: "quoted."}

// noHeaders are those of a drop without bytes.
var noHeaders event.Headers

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

// An op compares.
type op string

const (
	exists       op = "" // the field is there; of a yes or no, it is yes
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

func (o op) negative() bool { return o == notEqual || o == notMatches }
