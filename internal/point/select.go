package point

import (
	"cmp"
	"fmt"
	"slices"

	"dropwatch/internal/knowledge"
	"dropwatch/internal/suggest"
)

// All is the word for all built-in points.
const All = "all"

// Select returns the built-in points of a word: that point, those of a layer or module, or all of them. The error
// suggests a name.
func Select(word string) ([]Point, error) {
	if p, ok := Lookup(word); ok {
		return []Point{p}, nil
	}
	node, isNode := knowledge.ParseNode(word)
	all := slices.DeleteFunc(slices.Clone(Builtin()), func(p Point) bool {
		return word != All && !(isNode && node.Has(&knowledge.Entry{Layer: p.Layer, Module: p.Module}))
	})
	switch {
	case len(all) > 0:
		return all, nil
	case isNode:
		return nil, fmt.Errorf("%s has no points that can be probed", word)
	}
	return nil, fmt.Errorf("unknown point %q: %s", word, cmp.Or(suggest.Question(word, Words()), "dropwatch points lists them"))
}

// Words returns the words that [Select] takes, sorted.
func Words() []string {
	words := append([]string{All}, Names()...)
	for _, node := range knowledge.NodeNames() {
		if _, err := Select(node); err == nil {
			words = append(words, node)
		}
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// Add adds points to others. One whose name is there already takes its place.
func Add(to []Point, more ...Point) []Point {
	for _, p := range more {
		if i := slices.IndexFunc(to, func(q Point) bool { return q.Name == p.Name }); i >= 0 {
			to[i] = p
			continue
		}
		to = append(to, p)
	}
	return to
}
