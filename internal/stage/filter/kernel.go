package filter

import (
	"slices"
	"strings"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A Lookup gives the numbers that a name stands for on this host: none if it
// stands for nothing. It is not ok if that cannot be told.
type Lookup = func(name string) (numbers []condition.Span, ok bool)

// A Resolver knows names. Of what it has no Lookup for nothing can be told.
type Resolver struct {
	Reason   Lookup // by the name that Event.Reason has
	Function Lookup // the addresses that may be in a function, now or later
	Netns    Lookup // the inodes that may have the name, now or later
}

// Kernel gives what the kernel's side can test: where it is true f wants the
// drop, and where it is false f does not.
func (f *Filter) Kernel(r Resolver) condition.Node {
	if f == nil {
		return condition.True
	}
	return f.root.condition(&r)
}

// A Split is a Filter in two parts, for a source whose kernel's side counts most
// drops by what kind they are and sends us only some of them whole.
type Split struct {
	// Kernel is for the kernel's side to reject drops where it is false, to
	// count or send them where it is true, and where it is unknown to send
	// them whole. It is nil if there is nothing to test at all.
	Kernel condition.Node

	// Rest is for us to test on the kinds of drops that were counted.
	Rest *Filter

	// Whole are the fields that only the whole of a drop can tell, if any: it
	// is sent if it comes to them.
	Whole []string
}

// Split splits f where a kind says what is in kind. Fields that headers give, too,
// such as proto, are nevertheless not those of the kind, and an Owner is only if
// the kernel named the socket.
func (f *Filter) Split(r Resolver, kind Given) Split {
	if f == nil {
		return Split{}
	}
	var rest []node
	s := Split{Kernel: condition.True}
	for _, n := range conjuncts(f.root) {
		c := n.condition(&r)
		if isOf(n, kind) {
			c, rest = condition.May(c), append(rest, n)
			if asksOwner(n) {
				c = condition.And(c, namedOwner)
			}
		}
		s.Kernel = condition.And(s.Kernel, c)
		s.addWhole(n, c, &r)
	}
	if len(rest) > 0 {
		s.Rest = &Filter{newList(false, rest)}
	}
	if s.Kernel.Size() > condition.MaxSize {
		s.Kernel, s.Whole = condition.Unknown, f.Needs(^Given(0))
	}
	return s
}

// addWhole enters the fields that make a condition unknown.
func (s *Split) addWhole(n node, c condition.Node, r *Resolver) {
	if condition.Certain(c) {
		return
	}
	n.each(func(l *leaf) {
		if name := l.name(); !condition.Certain(l.condition(r)) && !slices.Contains(s.Whole, name) {
			s.Whole = append(s.Whole, name)
		}
	})
}

// StageOf rejects the drops that are not wanted, of those that s.Kernel has
// passed. Events that are not Single are of drops that were counted.
func (f *Filter) StageOf(s Split) pipeline.Stage {
	return func(e *event.Event) bool {
		if e.Single {
			return f.Match(e)
		}
		return s.Rest.Match(e)
	}
}

// conjuncts are the nodes that all have to match for n to match.
func conjuncts(n node) (all []node) {
	switch n := n.(type) {
	case *list:
		if n.or {
			break
		}
		for _, part := range n.nodes {
			all = append(all, conjuncts(part)...)
		}
		return all
	case *negation:
		l, ok := n.node.(*list)
		if !ok || !l.or {
			break
		}
		for _, part := range l.nodes {
			all = append(all, conjuncts(&negation{part})...)
		}
		return all
	}
	return []node{n}
}

// isOf says that a kind gives every field in n, and nothing else does.
func isOf(n node, kind Given) bool {
	all := true
	n.each(func(l *leaf) { all = all && l.given()&^kind == 0 })
	return all
}

// namedOwner: the owner of a drop is that of its kind if the kernel names the
// socket. If not, the headers may tell.
var namedOwner = condition.Or(condition.Has(condition.Socket), condition.Unknown)

func asksOwner(n node) (any bool) {
	n.each(func(l *leaf) { any = any || l.given()&Owner != 0 })
	return any
}

func (l *list) condition(r *Resolver) condition.Node {
	all := make([]condition.Node, len(l.nodes))
	for i, n := range l.nodes {
		all[i] = n.condition(r)
	}
	if l.or {
		return condition.Or(all...)
	}
	return condition.And(all...)
}

func (n *negation) condition(r *Resolver) condition.Node { return condition.Not(n.node.condition(r)) }

// layers are what a packet must have for it to have the fields that begin with
// their names.
var layers = map[string]condition.Node{
	"ip": network(0x0800), "ipv6": network(0x86dd), "arp": network(0x0806),
	"tcp": transport(6), "udp": transport(17), "sctp": transport(132), "icmp": transport(1), "icmpv6": transport(58),
	"gre": transport(47), "esp": transport(50), "ipip": condition.Or(transport(4), transport(41)),
}

func network(n uint64) condition.Node   { return having(condition.Network, n) }
func transport(n uint64) condition.Node { return having(condition.Transport, n) }

func having(f condition.Field, n uint64) condition.Node {
	return condition.NewTest(condition.Test{Field: f, Spans: []condition.Span{{Lo: n, Hi: n}}})
}

// A known is what the kernel's side knows of a field, which is any of several.
type known struct {
	fields []condition.Field
	vague  bool // a drop that has a value may match: the names of values are ours
}

// knowns are those fields of which the kernel's side knows something.
var knowns = func() map[string]known {
	all := map[string]known{
		"reason": by(condition.Reason), "pc": by(condition.PC), "netns.inode": by(condition.Netns),
		"point":  {fields: []condition.Field{condition.PC}, vague: true},
		"symbol": {fields: []condition.Field{condition.PC}, vague: true},
		"netns":  {fields: []condition.Field{condition.Netns}, vague: true},
		"iface":  by(condition.IfName), "ifindex": by(condition.IfIndex), "len": by(condition.Length),
		"proto": by(condition.Protocol), "arp": by(condition.Protocol), "ip": by(condition.Protocol), "ip6": by(condition.Protocol),
		"ip.proto": by(condition.Transport), "ipv6.proto": by(condition.Transport),
		"host": by(condition.Src, condition.Dst),
	}
	for _, prefix := range []string{"", "ip.", "ipv6.", "arp."} {
		all[prefix+"src"], all[prefix+"dst"] = by(condition.Src), by(condition.Dst)
		all[prefix+"addr"] = by(condition.Src, condition.Dst)
	}
	for _, prefix := range []string{"", "tcp.", "udp.", "sctp."} {
		all[prefix+"srcport"], all[prefix+"dstport"] = by(condition.SrcPort), by(condition.DstPort)
		all[prefix+"port"] = by(condition.SrcPort, condition.DstPort)
	}
	return all
}()

func by(fields ...condition.Field) known { return known{fields: fields} }

func (l *leaf) condition(r *Resolver) condition.Node {
	if l.scope != outermost {
		return condition.Unknown
	}
	k, isKnown := knowns[l.field.name]
	first, _, dotted := strings.Cut(l.field.name, ".")
	layer, isLayer := layers[first]
	switch {
	case isKnown && isLayer && dotted:
		return condition.And(layer, k.condition(l, r))
	case isKnown:
		return k.condition(l, r)
	case isLayer && dotted:
		return condition.And(layer, condition.Unknown)
	case isLayer:
		return layer
	}
	return condition.Unknown
}

// condition compares as test does.
func (k *known) condition(l *leaf, r *Resolver) condition.Node {
	var has, found condition.Node = condition.False, condition.False
	for _, f := range k.fields {
		has = condition.Or(has, condition.Has(f))
		found = condition.Or(found, l.found(f, r))
	}
	if k.vague {
		has, found = condition.And(has, condition.Unknown), condition.And(found, condition.Unknown)
	}
	switch {
	case l.op == exists && len(l.numbers) == 0:
		return has
	case l.op.negative():
		return condition.And(has, condition.Not(found))
	}
	return found
}

// found is that a field has one of the leaf's values.
func (l *leaf) found(f condition.Field, r *Resolver) condition.Node {
	switch {
	case len(l.patterns) > 0:
		all := make([]condition.Node, len(l.patterns))
		for i := range l.patterns {
			all[i] = l.patterns[i].condition(f, r)
		}
		return condition.Or(all...)
	case len(l.nets) > 0:
		return condition.NewTest(condition.Test{Field: f, Nets: l.nets})
	}
	t := condition.Test{Field: f}
	for _, s := range l.numbers {
		t.Spans = append(t.Spans, condition.Span{Lo: s.lo, Hi: s.hi})
	}
	return condition.NewTest(t)
}

func (p *pattern) condition(f condition.Field, r *Resolver) condition.Node {
	if f == condition.IfName {
		return p.ofName()
	}
	lookup := map[condition.Field]Lookup{condition.Reason: r.Reason, condition.PC: r.Function, condition.Netns: r.Netns}[f]
	if lookup == nil || !p.isName() {
		return condition.Unknown
	}
	numbers, ok := lookup(p.text)
	if !ok {
		return condition.Unknown
	}
	return condition.NewTest(condition.Test{Field: f, Spans: numbers})
}

// isName says that a pattern is one name in full, and no number.
func (p *pattern) isName() bool {
	return !p.glob && !p.start && p.re == nil && !strings.HasPrefix(p.text, "0x")
}

// ofName is the condition of an interface's name.
func (p *pattern) ofName() condition.Node {
	n := condition.Name{Text: p.text}
	if p.glob {
		n.Text, n.Prefix = strings.CutSuffix(p.text, "*")
	}
	if p.re != nil || p.glob && (!n.Prefix || strings.Contains(n.Text, "*")) {
		return condition.Unknown
	}
	return condition.NewTest(condition.Test{Field: condition.IfName, Names: []condition.Name{n}})
}
