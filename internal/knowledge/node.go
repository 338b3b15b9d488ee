package knowledge

import (
	"slices"
	"strings"
	"sync"

	"dropwatch/internal/suggest"
)

// A Node is a part of the tree of layers and modules: a layer, a module of one layer, or
// a module of all layers that have one of that name.
type Node struct {
	Layer  Layer  // AnyLayer: all
	Module string // empty: all of the layer
}

// ParseNode reads the name of a node: "transport", "tcp" or "link/qdisc", in letters of
// either case. It returns false if there is none of that name.
func ParseNode(name string) (Node, bool) {
	n, ok := nodes()[strings.ToLower(name)]
	return n, ok
}

// NodeNames returns the names of all nodes, sorted.
func NodeNames() (names []string) {
	for name := range nodes() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Modules returns the names of all modules, sorted.
var Modules = sync.OnceValue(func() (names []string) {
	for name, n := range nodes() {
		if n.Layer == AnyLayer && n.Module != "" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
})

// SuggestNode asks for the node that a name may stand for; empty if none is like it.
func SuggestNode(name string) string { return suggest.Question(strings.ToLower(name), NodeNames()) }

// nodes are all nodes by name.
var nodes = sync.OnceValue(func() map[string]Node {
	all := make(map[string]Node)
	for _, e := range index() {
		all[e.Module] = Node{Module: e.Module}
		if e.Layer != AnyLayer {
			all[e.Layer.String()] = Node{Layer: e.Layer}
			all[e.Layer.String()+"/"+e.Module] = Node{e.Layer, e.Module}
		}
	}
	return all
})

// Has reports whether an Entry is in the node.
func (n Node) Has(e *Entry) bool {
	return (n.Layer == AnyLayer || n.Layer == e.Layer) && (n.Module == "" || n.Module == e.Module)
}
