package filter

import (
	"dropwatch/internal/condition"
	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// A Place is what a kernel counter knows of the drops that it counts. Zero values are not known.
type Place struct {
	Netns  event.Netns      // where it counts
	IfName string           // of the interface that it is of
	Entry  *knowledge.Entry // of the counter; it has the layer and the module of its drops
}

// DecidePlace returns whether drops at a place match, Unknown if that depends on more than the place,
// as on their reason or their packets.
func (f *Filter) DecidePlace(p *Place) condition.Truth {
	if f == nil {
		return condition.True
	}
	return f.root.at(p).decide(&event.Event{Netns: p.Netns, Port: event.Port{IfName: p.IfName}})
}

// at returns the same expression where each name of a location is looked up at p.
func (l *list) at(p *Place) node {
	of := &list{or: l.or, nodes: make([]node, len(l.nodes))}
	for i, n := range l.nodes {
		of.nodes[i] = n.at(p)
	}
	return of
}

func (n *negation) at(p *Place) node { return &negation{n.node.at(p)} }

// at returns a leaf that is unknown unless the place has the field.
func (l *leaf) at(p *Place) node {
	of, known := *l, p.Entry != nil
	switch l.field.name {
	case "netns", "netns.inode":
		known = p.Netns != event.Netns{}
	case "iface":
		known = p.IfName != ""
	case "layer":
		enum(one(func(*event.Event) (uint64, bool) { return uint64(p.Entry.Layer), true }), stackLayers).bind(&of)
	case "layer.module":
		label{get: text(func(*event.Event) string { return p.Entry.Module })}.bind(&of)
	default:
		known = false
	}
	if !known {
		of.test = func(*event.Event, *event.Headers) condition.Truth { return condition.Unknown }
	}
	return &of
}
