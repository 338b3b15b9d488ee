package filter

import (
	"slices"
	"strings"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
)

// A Lookup returns the numbers that a name stands for on this host: none if there is no such name. Ok is
// false if that is not known: a drop with one of the numbers, or if there are none any drop, may have the name.
type Lookup = func(name string) (numbers []condition.Span, ok bool)

// A Resolver resolves names to numbers. The names of a nil Lookup are not known.
type Resolver struct {
	Reason   Lookup // numbers of a reason, by its name in Event.Reason
	Function Lookup // addresses that may be in a function, now or later
	Netns    Lookup // inodes that may have the name, now or later
}

// Kernel returns the condition of f for a source to test in the kernel: where it is true the drop matches
// f, where it is false it does not.
func (f *Filter) Kernel(r Resolver) condition.Node {
	if f == nil {
		return condition.True
	}
	return f.root.condition(&r)
}

// Beyond returns the names of the fields that a condition cannot compare, or can only by other fields of the kernel
// than some.
func (f *Filter) Beyond(some condition.Fields) (names []string) {
	f.root.each(func(l *leaf) {
		c := l.condition(&Resolver{})
		if name := l.name(); (!condition.Certain(c) || condition.Asks(c)&^some != 0) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	})
	return names
}

// A Split is a Filter in two parts, for a source that counts most drops by their kind (such as location
// and reason) in the kernel, and reports only some of them whole.
type Split struct {
	// Kernel is the condition for the kernel: a drop for which it is false is rejected, one for
	// which it is true is counted or reported, and one for which it is unknown is reported
	// whole. It is nil if there is nothing to test.
	Kernel condition.Node

	// Rest is the filter for the drops that were counted: the part of f that the kernel does not
	// decide, and for which their kind suffices.
	Rest *Filter

	// Whole are the fields, if any, that can be compared only for drops that are reported whole.
	Whole []string
}

// Split splits f for a source whose counts have the facts in kind. Fields that headers can provide too,
// such as proto, do not count as fields of the kind, and those of an owner only if the kernel named the
// socket.
func (f *Filter) Split(r Resolver, kind event.Facts) Split {
	if f == nil {
		return Split{}
	}
	var rest []node
	s := Split{Kernel: condition.True}
	for _, n := range conjuncts(f.root) {
		c := n.condition(&r)
		if isOf(n, kind) && !condition.Certain(c) {
			c, rest = condition.May(c), append(rest, n)
			if usesOwner(n) {
				c = condition.And(c, namedOwner)
			}
		}
		s.Kernel = condition.And(s.Kernel, withHeaders(n, c))
		if !isOf(n, kind) || usesOwner(n) {
			s.addWhole(n, &r)
		}
	}
	if len(rest) > 0 {
		s.Rest = &Filter{newList(false, rest)}
	}
	if s.Kernel.Size() > condition.MaxSize {
		s.Kernel, s.Whole = condition.Unknown, f.Needs(^event.Facts(0))
	}
	return s
}

// withHeaders makes a condition on headers unknown for packets of which the kernel has no headers.
func withHeaders(n node, c condition.Node) condition.Node {
	uses := false
	n.each(func(l *leaf) { uses = uses || l.usesHeaders() })
	if !uses || c == condition.Node(condition.Unknown) {
		return c
	}
	there := condition.Has(condition.Network)
	return condition.Or(condition.And(there, c), condition.And(condition.Not(there), condition.Unknown))
}

// usesHeaders reports whether a leaf needs headers of the packet. The kernel's own ethertype is none.
func (l *leaf) usesHeaders() bool {
	k, ok := kernelFields[l.field.name]
	return l.field.part != notInPacket && !(ok && k.fields[0] == condition.Protocol)
}

// addWhole adds the fields in n that the kernel cannot compare.
func (s *Split) addWhole(n node, r *Resolver) {
	n.each(func(l *leaf) {
		if name := l.name(); !condition.Certain(l.condition(r)) && !slices.Contains(s.Whole, name) {
			s.Whole = append(s.Whole, name)
		}
	})
}

// conjuncts returns nodes that match, all of them, exactly if n matches.
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

// isOf reports whether every field in n is provided by facts in kind only.
func isOf(n node, kind event.Facts) bool {
	all := true
	n.each(func(l *leaf) { all = all && l.provides()&^kind == 0 })
	return all
}

// namedOwner is true if the kernel names the socket, which then is part of the kind, and otherwise
// unknown: the headers may lead to a socket.
var namedOwner = condition.Or(condition.Has(condition.Socket), condition.Unknown)

// usesOwner reports whether a field in n is one of the owner.
func usesOwner(n node) (uses bool) {
	n.each(func(l *leaf) { uses = uses || l.provides()&event.FactOwner != 0 })
	return uses
}

// condition joins the conditions of the operands as decide joins their values.
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

// condition of what is unknown stays unknown.
func (n *negation) condition(r *Resolver) condition.Node { return condition.Not(n.node.condition(r)) }

// layers are the conditions for a packet to have the fields that begin with these names.
var layers = map[string]condition.Node{
	"ip": network(event.EtherIPv4), "ipv6": network(event.EtherIPv6), "arp": network(event.EtherARP),
	"tcp": transport(6), "udp": transport(17), "sctp": transport(132), "icmp": transport(1), "icmpv6": transport(58),
	"gre": transport(47), "esp": transport(50), "ipip": condition.Or(transport(4), transport(41)),
}

// network and transport return the condition that the outermost packet has this
// protocol.
func network(n uint64) condition.Node   { return having(condition.Network, n) }
func transport(n uint64) condition.Node { return having(condition.Transport, n) }

// having returns the condition that a field has a value.
func having(f condition.Field, n uint64) condition.Node {
	return condition.NewTest(condition.Test{Field: f, Spans: []condition.Span{{Lo: n, Hi: n}}})
}

// A kernelField is what the kernel knows of a field: the field has the values of all of these.
type kernelField struct {
	fields []condition.Field // at least one
	vague  bool              // equal numbers do not decide: dropwatch compares the name
}

// kernelFields are the fields of which the kernel knows something.
var kernelFields = func() map[string]kernelField {
	all := map[string]kernelField{
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

// by returns a kernelField.
func by(fields ...condition.Field) kernelField { return kernelField{fields: fields} }

// condition returns Unknown for what the kernel cannot test.
func (l *leaf) condition(r *Resolver) condition.Node {
	if l.scope != outermost {
		return condition.Unknown
	}
	k, isKnown := kernelFields[l.field.name]
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

// condition compares as the function test does.
func (k *kernelField) condition(l *leaf, r *Resolver) condition.Node {
	var has, found condition.Node = condition.False, condition.False
	for _, f := range k.fields {
		has = condition.Or(has, l.has(f))
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

// has returns the condition that a drop has the field. If the kernel does not know the field, but the drop
// may have it, that is unknown; but the operator exists is about whether the field is known.
func (l *leaf) has(f condition.Field) condition.Node {
	absent := l.absentInKernel(f)
	if l.op == exists && l.field.part == notInPacket {
		absent = condition.False
	}
	return condition.NewTest(condition.Test{Field: f, Other: true, Absent: absent})
}

// absentInKernel returns the value of a test if the kernel does not know the field: every drop has one of
// those that are unknown.
func (l *leaf) absentInKernel(f condition.Field) condition.Truth {
	switch f {
	case condition.IfIndex, condition.IfName, condition.Netns, condition.Protocol, condition.Length:
		return condition.Unknown
	}
	return condition.False
}

// found returns the condition that a field has one of the leaf's values.
func (l *leaf) found(f condition.Field, r *Resolver) condition.Node {
	switch {
	case len(l.patterns) > 0:
		all := make([]condition.Node, len(l.patterns))
		for i := range l.patterns {
			all[i] = l.patterns[i].condition(f, r, l.absentInKernel(f))
		}
		return condition.Or(all...)
	case len(l.nets) > 0:
		return condition.NewTest(condition.Test{Field: f, Nets: l.nets})
	}
	t := condition.Test{Field: f, Absent: l.absentInKernel(f)}
	for _, s := range l.numbers {
		t.Spans = append(t.Spans, condition.Span{Lo: s.lo, Hi: s.hi})
	}
	return condition.NewTest(t)
}

// condition returns the condition that a field has a value whose name matches.
func (p *pattern) condition(f condition.Field, r *Resolver, absent condition.Truth) condition.Node {
	if f == condition.IfName {
		return p.ofName(absent)
	}
	lookup := map[condition.Field]Lookup{condition.Reason: r.Reason, condition.PC: r.Function, condition.Netns: r.Netns}[f]
	if lookup == nil || !p.isName() {
		return condition.Unknown
	}
	numbers, ok := lookup(p.text)
	if !ok && len(numbers) == 0 {
		return condition.Unknown
	}
	found := condition.NewTest(condition.Test{Field: f, Spans: numbers, Absent: absent})
	if !ok {
		return condition.And(found, condition.Unknown)
	}
	return found
}

// isName reports whether a pattern is a name in full and not a number.
func (p *pattern) isName() bool {
	return !p.glob && !p.start && p.re == nil && !strings.HasPrefix(p.text, "0x")
}

// ofName returns the condition that the name of the interface matches. The kernel can compare a name or
// its beginning.
func (p *pattern) ofName(absent condition.Truth) condition.Node {
	n := condition.Name{Text: p.text}
	if p.glob {
		n.Text, n.Prefix = strings.CutSuffix(p.text, "*")
	}
	if p.re != nil || p.glob && (!n.Prefix || strings.Contains(n.Text, "*")) {
		return condition.Unknown
	}
	return condition.NewTest(condition.Test{Field: condition.IfName, Names: []condition.Name{n}, Absent: absent})
}
