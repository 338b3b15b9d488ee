// Package condition is what a source can be asked to test by itself, before it
// makes an event: an expression over the few things that the kernel's side knows
// of a drop. Something may not be known there, and then the expression may be
// neither true nor false: logic is Kleene's, of three values.
package condition

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A Truth is what an expression comes to. It is also a Node, which is always that.
type Truth uint8

const (
	False Truth = iota
	Unknown
	True
)

// String gives the word.
func (t Truth) String() string { return [...]string{"false", "unknown", "true"}[min(t, True)] }

func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// A Field is something that may be known of a drop, and that a drop may not have.
type Field uint8

const (
	Reason    Field = iota // number of enum skb_drop_reason
	PC                     // the address that freed the packet
	IfIndex                // of the interface, in its namespace
	Netns                  // inode of the namespace
	Socket                 // its cookie, or another number of its own, if the kernel names one
	Protocol               // ethertype that the kernel has; not known if it is one of Tags
	Length                 // bytes of the packet
	Network                // ethertype of the network header
	Transport              // number of the protocol behind the IP header and all extensions
	SrcPort                // of TCP, UDP and SCTP
	DstPort
	Src // address of IP or ARP
	Dst
	IfName
	fields
)

var fieldNames = [fields]string{
	"reason", "pc", "ifindex", "netns", "socket", "protocol", "length", "network", "transport", "srcport", "dstport", "src", "dst", "ifname",
}

// String gives the name.
func (f Field) String() string { return fieldNames[f] }

// Tags are the ethertypes of VLAN tags in linux/if_ether.h: ETH_P_8021Q,
// ETH_P_8021AD, ETH_P_QINQ1. What is behind them counts.
var Tags = [...]uint16{0x8100, 0x88a8, 0x9100}

// A Node is an expression in negation normal form: a Truth, a Test or a Group.
type Node interface {
	// Evaluate tells what it comes to.
	Evaluate(*Facts) Truth

	// String gives a form that equal nodes share.
	String() string

	// Size is how many values it compares with, at least 1.
	Size() int

	// Each calls f for every Test.
	Each(f func(*Test))

	not() Node
	may() Node
	certain() bool
}

// A Test tells whether a field has one of several values. Those are Spans, of a
// Field that is a number; Nets, of an address; and Names.
type Test struct {
	Field Field
	Spans []Span
	Nets  []netip.Prefix // an address is in none of the other family's
	Names []Name

	Other  bool // it is true for all other values instead
	Absent bool // it is true for a drop without the field
}

// A Span is the numbers from Lo to Hi.
type Span struct{ Lo, Hi uint64 }

// A Name is a text, or what all begins with it.
type Name struct {
	Text   string
	Prefix bool
}

// A Group is true if all nodes are, or with Or if any is. It has at least two.
type Group struct {
	Or    bool
	Nodes []Node
}

// NewTest gives a test, or its outcome if that is always the same.
func NewTest(t Test) Node {
	if t.values() == 0 && t.Other == t.Absent {
		return truth(t.Other)
	}
	return &t
}

func (t *Test) values() int { return len(t.Spans) + len(t.Nets) + len(t.Names) }

// Has is true if a drop has the field.
func Has(f Field) Node { return NewTest(Test{Field: f, Other: true}) }

// And is true if all nodes are.
func And(nodes ...Node) Node { return join(false, nodes) }

// Or is true if any node is.
func Or(nodes ...Node) Node { return join(true, nodes) }

// Not is true if n is false.
func Not(n Node) Node { return n.not() }

// May is n with whatever is always unknown taken for true: what it rejects, n
// rejects.
func May(n Node) Node { return n.may() }

// Must is n with it taken for false: what it accepts, n accepts.
func Must(n Node) Node { return Not(May(Not(n))) }

// join leaves out what does not change the outcome.
func join(or bool, nodes []Node) Node {
	var all []Node
	seen := make(map[string]bool)
	for _, n := range flat(or, nodes) {
		switch key := n.String(); {
		case n == Node(truth(or)):
			return n
		case n != Node(truth(!or)) && !seen[key]:
			all, seen[key] = append(all, n), true
		}
	}
	switch len(all) {
	case 0:
		return truth(!or)
	case 1:
		return all[0]
	}
	return &Group{or, all}
}

// flat opens the groups that are joined as the whole is.
func flat(or bool, nodes []Node) (all []Node) {
	for _, n := range nodes {
		if g, ok := n.(*Group); ok && g.Or == or {
			all = append(all, g.Nodes...)
		} else {
			all = append(all, n)
		}
	}
	return all
}

func (t Truth) Evaluate(*Facts) Truth { return t }
func (t Truth) Size() int             { return 1 }
func (t Truth) Each(func(*Test))      {}
func (t Truth) certain() bool         { return t != Unknown }
func (t Truth) not() Node             { return True - t }

func (t Truth) may() Node {
	if t == Unknown {
		return True
	}
	return t
}

// Evaluate tells what it comes to.
func (t *Test) Evaluate(f *Facts) Truth {
	switch {
	case f.Unknown.Has(t.Field):
		return Unknown
	case f.Absent.Has(t.Field):
		return truth(t.Absent)
	}
	return truth(t.finds(f) != t.Other)
}

func (t *Test) finds(f *Facts) bool {
	switch t.Field {
	case Src, Dst:
		a := f.Addrs[t.Field-Src]
		return slices.ContainsFunc(t.Nets, func(p netip.Prefix) bool { return p.Contains(a) })
	case IfName:
		return slices.ContainsFunc(t.Names, func(n Name) bool {
			return n.Text == f.IfName || n.Prefix && strings.HasPrefix(f.IfName, n.Text)
		})
	}
	n := f.Numbers[t.Field]
	return slices.ContainsFunc(t.Spans, func(s Span) bool { return s.Lo <= n && n <= s.Hi })
}

func (t *Test) Size() int            { return 1 + t.values() }
func (t *Test) Each(f func(t *Test)) { f(t) }
func (t *Test) may() Node            { return t }
func (t *Test) certain() bool        { return true }

func (t *Test) not() Node {
	other := *t
	other.Other, other.Absent = !t.Other, !t.Absent
	return &other
}

// String gives a form such as "srcport in [{53 53}]", with "not in" for other
// values and "or none" for a drop without.
func (t *Test) String() string {
	word, none := "in", ""
	if t.Other {
		word = "not in"
	}
	if t.Absent {
		none = " or none"
	}
	values := fmt.Sprint(t.Spans)
	switch t.Field {
	case Src, Dst:
		values = fmt.Sprint(t.Nets)
	case IfName:
		values = fmt.Sprintf("%+v", t.Names)
	}
	return fmt.Sprintf("%v %s %s%s", t.Field, word, values, none)
}

// Evaluate tells what it comes to.
func (g *Group) Evaluate(f *Facts) Truth {
	result := truth(!g.Or)
	for _, n := range g.Nodes {
		if t := n.Evaluate(f); g.Or {
			result = max(result, t)
		} else {
			result = min(result, t)
		}
	}
	return result
}

func (g *Group) Size() int {
	size := 0
	for _, n := range g.Nodes {
		size += n.Size()
	}
	return size
}

func (g *Group) Each(f func(*Test)) {
	for _, n := range g.Nodes {
		n.Each(f)
	}
}

func (g *Group) not() Node { return join(!g.Or, g.each(Node.not)) }
func (g *Group) may() Node { return join(g.Or, g.each(Node.may)) }

func (g *Group) certain() bool {
	return !slices.ContainsFunc(g.Nodes, func(n Node) bool { return !n.certain() })
}

func (g *Group) each(f func(Node) Node) []Node {
	all := make([]Node, len(g.Nodes))
	for i, n := range g.Nodes {
		all[i] = f(n)
	}
	return all
}

// String gives its nodes with && or || between, in parentheses.
func (g *Group) String() string {
	operator := " && "
	if g.Or {
		operator = " || "
	}
	all := make([]string, len(g.Nodes))
	for i, n := range g.Nodes {
		all[i] = n.String()
	}
	return "(" + strings.Join(all, operator) + ")"
}

// MaxSize bounds what a source has to take.
const MaxSize = 256

// Certain says that n is only unknown of a drop of which something it asks for is.
func Certain(n Node) bool { return n.certain() }
