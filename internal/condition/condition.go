// Package condition is the part of a filter expression that a source evaluates in the
// kernel, before it makes an event: an expression over the few fields that are known there.
// A field that is not known makes a test neither true nor false but unknown, as in Kleene's
// three-valued logic.
package condition

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A Truth is the value of an expression. It is also a Node: the constant.
type Truth uint8

const (
	False   Truth = iota // the drop does not match
	Unknown              // the kernel's side cannot decide
	True                 // the drop matches
)

// String returns the word.
func (t Truth) String() string { return [...]string{"false", "unknown", "true"}[min(t, True)] }

// truth is True or False.
func truth(b bool) Truth {
	if b {
		return True
	}
	return False
}

// A Field is a property of a drop that a source may know. A drop may lack it.
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
	DstPort                // of TCP, UDP and SCTP
	Src                    // address of IP or ARP
	Dst                    // address of IP or ARP
	IfName                 // name of the interface
	fields
)

// fieldNames are the names of fields in conditions that are printed, in the order of the constants.
var fieldNames = [fields]string{
	"reason", "pc", "ifindex", "netns", "socket", "protocol", "length", "network", "transport", "srcport", "dstport",
	"src", "dst", "ifname",
}

// String returns the name.
func (f Field) String() string { return fieldNames[f] }

// Tags are the ethertypes of VLAN tags in linux/if_ether.h: ETH_P_8021Q, ETH_P_8021AD,
// ETH_P_QINQ1. A drop has the ethertype that follows them.
var Tags = [...]uint16{0x8100, 0x88a8, 0x9100}

// A Node is an expression in negation normal form: a Truth, a Test or a Group.
type Node interface {
	// String returns the same text for equal nodes.
	String() string

	// Size is how many values it compares with, at least 1.
	Size() int

	// Each calls f for every Test.
	Each(f func(*Test))

	not() Node
	may() Node
	certain() bool
}

// A Test is true if a field has one of several values: Spans of a field that is a number,
// Nets of Src and Dst, Names of IfName.
type Test struct {
	Field Field // that is tested
	Spans []Span
	Nets  []netip.Prefix // an address is never in one of the other family
	Names []Name

	Other  bool  // true for all other values instead
	Absent Truth // the value for a drop without the field
}

// A Span is the numbers from Lo to Hi, both included.
type Span struct {
	Lo, Hi uint64 // Lo is at most Hi
}

// A Name matches a name that is equal to Text or, with Prefix, begins with it.
type Name struct {
	Text   string // without a wildcard
	Prefix bool   // any name that begins with Text
}

// A Group is true if all nodes are, or with Or if any is. It has at least two nodes, of
// which none is a Group of the same kind.
type Group struct {
	Or    bool // any node, instead of all
	Nodes []Node
}

// NewTest returns a Test, or a Truth if its value is always the same.
func NewTest(t Test) Node {
	if t.values() == 0 && truth(t.Other) == t.Absent {
		return t.Absent
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

// May is n with true in place of whatever is always unknown: what it rejects, n rejects too.
func May(n Node) Node { return n.may() }

// Must is n with false in place of that: what it accepts, n accepts too.
func Must(n Node) Node { return Not(May(Not(n))) }

// join makes a group of the nodes, without those that do not change its value: duplicates
// and constants.
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

// flat replaces groups of the same kind by their nodes.
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

// Size is 1.
func (t Truth) Size() int { return 1 }

// Each calls nothing: a constant has no tests.
func (t Truth) Each(func(*Test)) {}

func (t Truth) certain() bool { return t != Unknown }
func (t Truth) not() Node     { return True - t }

// may, certain and not are as in [Node].
func (t Truth) may() Node {
	if t == Unknown {
		return True
	}
	return t
}

// Size is 1 more than the number of values.
func (t *Test) Size() int { return 1 + t.values() }

// Each calls f for the test itself.
func (t *Test) Each(f func(t *Test)) { f(t) }

func (t *Test) certain() bool { return true }

func (t *Test) not() Node {
	other := *t
	other.Other, other.Absent = !t.Other, True-t.Absent
	return &other
}

func (t *Test) may() Node {
	if t.Absent != Unknown {
		return t
	}
	may := *t
	may.Absent = True
	return NewTest(may)
}

// String returns a form such as "srcport in [{53 53}]": with "not in" for all other values,
// "or none" where it is true for a drop without the field, and "or none?" where it is
// unknown.
func (t *Test) String() string {
	word, none := "in", [...]string{"", " or none?", " or none"}[t.Absent]
	if t.Other {
		word = "not in"
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

// Size is the sum of the sizes of the nodes.
func (g *Group) Size() int {
	size := 0
	for _, n := range g.Nodes {
		size += n.Size()
	}
	return size
}

// Each calls f for the tests of all nodes.
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

// each returns what f returns for each node.
func (g *Group) each(f func(Node) Node) []Node {
	all := make([]Node, len(g.Nodes))
	for i, n := range g.Nodes {
		all[i] = f(n)
	}
	return all
}

// String returns the nodes, in parentheses, with && or || between them.
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

// MaxSize is the largest size of a condition that is given to a source.
const MaxSize = 256

// Certain reports whether n is unknown only for drops of which a field that it tests is.
func Certain(n Node) bool { return n.certain() }
