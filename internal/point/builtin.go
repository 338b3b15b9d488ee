package point

import (
	"slices"
	"sync"

	"dropwatch/internal/knowledge"
)

// Builtin returns the points that dropwatch has, by layer and module. The caller may not change them.
var Builtin = sync.OnceValue(func() []Point {
	var all []Point
	for _, table := range []struct {
		layer  knowledge.Layer
		points []Point
	}{{knowledge.Link, linkPoints}, {knowledge.Network, networkPoints}, {knowledge.Transport, transportPoints}} {
		for _, p := range table.points {
			p.Layer = table.layer
			all = append(all, p)
		}
	}
	return all
})

// Lookup returns the built-in point of that name.
func Lookup(name string) (Point, bool) {
	i := slices.IndexFunc(Builtin(), func(p Point) bool { return p.Name == name })
	if i < 0 {
		return Point{}, false
	}
	return Builtin()[i], true
}

// Explaining returns the built-in points that say more of drops, by the name of their entry in package knowledge.
func Explaining(drops string) []Point {
	return slices.DeleteFunc(slices.Clone(Builtin()), func(p Point) bool { return !slices.Contains(p.Drops, drops) })
}

// Names returns the names of the built-in points, in their order.
func Names() (names []string) {
	for _, p := range Builtin() {
		names = append(names, p.Name)
	}
	return names
}

// args makes values of pairs of a name and an expression.
func args(pairs ...string) (all []Arg) {
	for pair := range slices.Chunk(pairs, 2) {
		all = append(all, Arg{pair[0], pair[1]})
	}
	return all
}
