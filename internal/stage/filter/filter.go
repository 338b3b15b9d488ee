// Package filter is the expression language of dropwatch: one over every
// attribute of a drop and every decoded header field of its packet, with the
// familiar words of pcap-filter(7). Help has its grammar.
//
// A comparison with a field that the drop does not have is false, also !=, and
// so not before it is true.
package filter

import (
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// A Filter says which drops are wanted. A nil Filter wants all. It does not
// change, and any number of goroutines may use it.
type Filter struct{ root node }

// Parse reads an expression. The error is an *Error.
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

// And wants what both want.
func And(f, g *Filter) *Filter {
	switch {
	case f == nil:
		return g
	case g == nil:
		return f
	}
	return &Filter{newList(false, []node{f.root, g.root})}
}

// Points wants the drops at the points to include, or everywhere if there are
// none, but not at those to exclude. A point is a function, function+0x1a2, the
// trap of a hardware drop, or a glob of a function or a trap. The error is an
// *Error.
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

// points wants the drops at any of the points.
func points(names []string) (*Filter, error) {
	if len(names) == 0 {
		return nil, nil
	}
	l := &leaf{field: lookup["point"], op: equal}
	for _, name := range names {
		if err := l.addPoint(name); err != nil {
			return nil, err
		}
	}
	l.field.kind.bind(l)
	return &Filter{l}, nil
}

func (l *leaf) addPoint(name string) error {
	whole := &Error{Text: name, End: len(name)}
	if !isWord(name) {
		whole.Reason = fmt.Sprintf("%s is no drop point: it is %s", quoteForError(name), l.field.kind.form())
		return whole
	}
	if reason := l.field.kind.add(l, token{text: name}); reason != "" {
		whole.Reason = reason
		return whole
	}
	return nil
}

// Match says whether a drop is wanted. It does not allocate.
func (f *Filter) Match(e *event.Event) bool { return f == nil || f.root.match(e) }

// Stage rejects the drops that are not wanted.
func (f *Filter) Stage() pipeline.Stage { return f.Match }

// String gives an expression that is the same. It is empty for nil.
func (f *Filter) String() string {
	if f == nil {
		return ""
	}
	var b strings.Builder
	f.root.write(&b, 0)
	return b.String()
}

// A Given is a set of what a source may or may not know of drops.
type Given uint16

// What not every source gives.
const (
	Packet    Given = 1 << iota // bytes of the packet
	Protocol                    // Packet.Proto
	Length                      // Packet.Len
	Reason                      // since Linux 5.17
	Interface                   // Port
	Stack
	Running // Task
	Trap    // of hardware drops
	Cookie
	Namespace // Netns
	Owner
)

// Needs gives the names of the fields in f that nothing but g can give, in
// order of their first use.
func (f *Filter) Needs(g Given) (names []string) {
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

// Reasons gives the reasons that f names in full, as the kernel writes them, in
// order of their first use.
func (f *Filter) Reasons() (names []string) {
	if f == nil {
		return nil
	}
	f.root.each(func(l *leaf) {
		if l.field.name != "reason" {
			return
		}
		for _, p := range l.patterns {
			if p.isName() && !slices.Contains(names, p.text) {
				names = append(names, p.text)
			}
		}
	})
	return names
}

// NeedsPacket gives the names of the fields in f that only the bytes of a
// packet can give.
func (f *Filter) NeedsPacket() []string { return f.Needs(Packet) }

// CanMatch says whether f may want a drop of which nothing in lacking is known.
// If not, a source that does not give it has nothing to show.
func (f *Filter) CanMatch(lacking Given) bool { return f == nil || f.root.can(true, lacking) }
