// Package filter is the expression language of dropwatch. Expressions compare attributes of a drop and
// header fields of its packet; the primitives of pcap-filter(7) work too. Help has the grammar.
//
// A comparison with a field that the drop does not have is false, with != too: an ARP packet has no
// port. With not before it it is true. If the drop may have the field, but it is not known, as the port
// of a packet without bytes, the comparison is unknown, and so is the expression unless the rest of it
// decides (Kleene's three-valued logic).
package filter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A Filter decides which drops match an expression. A nil Filter matches all. It never changes, so any
// number of goroutines may use it.
type Filter struct{ root node }

// Parse parses an expression. The error is an [*Error].
func Parse(text string) (*Filter, error) {
	tokens, err := lex(text)
	if err != nil {
		return nil, err
	}
	p := parser{text: text, tokens: tokens}
	root, err := p.expression()
	if err != nil {
		return nil, err
	}
	return &Filter{root}, nil
}

// And returns a filter that matches what both match.
func And(f, g *Filter) *Filter {
	switch {
	case f == nil:
		return g
	case g == nil:
		return f
	}
	return &Filter{newList(false, []node{f.root, g.root})}
}

// Points returns a filter that matches drops at the points to include, or at all if there are none,
// but not at those to exclude. A point is a layer or module of package knowledge, such as transport, tcp
// or link/qdisc; a reason that it has; or else a function, function+0x1a2, the trap of a hardware drop, or
// a glob of a function or trap. The error is an [*Error].
func Points(include, exclude []string) (*Filter, error) {
	in, err := points(include)
	if err != nil {
		return nil, err
	}
	out, err := points(exclude)
	if out == nil || err != nil {
		return in, err
	}
	return And(in, &Filter{&negation{out.root}}), nil
}

// points returns a filter that matches drops at any of the points; nil if there are none.
func points(names []string) (*Filter, error) {
	if len(names) == 0 {
		return nil, nil
	}
	l := &leaf{field: lookup["point"], op: equal}
	var all []node
	for _, name := range names {
		if n, ok := knowledge.ParseNode(name); ok {
			all = append(all, within(n))
		} else if isReason(name) {
			all = append(all, isOne("reason", name))
		} else if err := l.addPoint(name); err != nil {
			return nil, err
		}
	}
	if len(l.patterns) > 0 {
		l.field.kind.bind(l)
		all = append([]node{l}, all...)
	}
	return &Filter{newList(true, all)}, nil
}

// isReason reports whether package knowledge has a reason of a name. Functions have small letters.
func isReason(name string) bool {
	return slices.ContainsFunc(knowledge.Lookup(name), func(e *knowledge.Entry) bool {
		return e.Kind == knowledge.Reason && e.Name == name
	})
}

// within returns the expression that a drop is in a node of the network stack.
func within(n knowledge.Node) node {
	var all []node
	if n.Layer != knowledge.AnyLayer {
		all = append(all, isOne("layer", n.Layer.String()))
	}
	if n.Module != "" {
		all = append(all, isOne("layer.module", n.Module))
	}
	return newList(false, all)
}

// isOne returns the comparison of a field with a value that is valid.
func isOne(field, value string) node {
	l := &leaf{field: lookup[field], op: equal}
	l.field.kind.add(l, token{text: value})
	l.field.kind.bind(l)
	return l
}

// addPoint adds a location to a leaf of the field point.
func (l *leaf) addPoint(name string) error {
	whole := &Error{Text: name, End: len(name)}
	if strings.Contains(name, "/") {
		whole.Reason = fmt.Sprintf("unknown layer or module %s: %s", quoteForError(name),
			cmp.Or(knowledge.SuggestNode(name), "dropwatch points lists them"))
		return whole
	}
	if !isWord(name) {
		whole.Reason = fmt.Sprintf("invalid location %s: it is %s", quoteForError(name), l.field.kind.form())
		return whole
	}
	if reason := l.field.kind.add(l, token{text: name}); reason != "" {
		whole.Reason = reason
		return whole
	}
	return nil
}

// Decide returns whether a drop matches: Unknown if that depends on what is not known of it. It does not
// allocate.
func (f *Filter) Decide(e *event.Event) condition.Truth {
	if f == nil {
		return condition.True
	}
	return f.root.decide(e)
}

// Match reports whether a drop is known to match. It does not allocate.
func (f *Filter) Match(e *event.Event) bool { return f.Decide(e) == condition.True }

// String returns an equivalent expression, empty for nil.
func (f *Filter) String() string {
	if f == nil {
		return ""
	}
	var b strings.Builder
	f.root.write(&b, 0)
	return b.String()
}

// Needs returns the names of the fields in f that only the facts in g can provide, in the order of their
// first use.
func (f *Filter) Needs(g event.Facts) (names []string) {
	if f == nil {
		return nil
	}
	f.root.each(func(l *leaf) {
		if name := l.name(); l.onlyBy(g) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	})
	return names
}

// Reasons returns the reasons that f names in full, as the kernel writes them, in the order of their
// first use.
func (f *Filter) Reasons() []string { return f.Names("reason") }

// Names returns the values that f has for a field, in the order of their first use: names in full, and
// beginnings of container IDs.
func (f *Filter) Names(field string) (names []string) {
	if f == nil {
		return nil
	}
	f.root.each(func(l *leaf) {
		if l.field.name != field {
			return
		}
		for _, p := range l.patterns {
			if (p.isName() || p.start) && !slices.Contains(names, p.text) {
				names = append(names, p.text)
			}
		}
	})
	return names
}

// CanMatch reports whether f can match drops of which the facts in lacking are not known. If it cannot,
// a source that lacks them shows nothing.
func (f *Filter) CanMatch(lacking event.Facts) bool {
	return f == nil || f.root.can(true, func(l *leaf, want bool) bool { return l.canWithout(want, lacking) })
}

// CanMatchKind reports whether f can match events of a kind, by what it says of that and of TCP.
func (f *Filter) CanMatchKind(k event.Kind) bool {
	return f == nil || f.root.can(true, func(l *leaf, want bool) bool {
		if !l.ofKind() || slices.Contains(l.field.kinds, k) {
			return true
		}
		return (l.decide(&event.Event{Kind: k}) == condition.True) == want
	})
}

// NamesKind reports whether f compares the kind of an event, or what not every kind has.
func (f *Filter) NamesKind() (names bool) {
	if f != nil {
		f.root.each(func(l *leaf) { names = names || l.ofKind() })
	}
	return names
}

// ofKind reports whether the kind of an event may say what the comparison is.
func (l *leaf) ofKind() bool { return l.field.name == "kind" || l.field.kinds != nil }
