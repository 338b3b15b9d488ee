package knowledge

import (
	"slices"
	"testing"
)

func TestNodes(t *testing.T) {
	for name, want := range map[string]Node{
		"transport": {Layer: Transport}, "TCP": {Module: "tcp"}, "link/qdisc": {Link, "qdisc"}, "Hardware": {Layer: Hardware},
		"kernel": {Module: "kernel"},
	} {
		if got, ok := ParseNode(name); !ok || got != want {
			t.Errorf("%s: %+v, want %+v", name, got, want)
		}
	}
	for _, name := range []string{"", "/", "transport/", "/tcp", "link/tcp", "any layer", "NO_SOCKET", "tcp_v4_rcv"} {
		if got, ok := ParseNode(name); ok {
			t.Errorf("%q: %+v, want none", name, got)
		}
	}
	for _, name := range []string{"transport", "tcp", "link/qdisc"} {
		if !slices.Contains(NodeNames(), name) {
			t.Errorf("%s is not listed", name)
		}
	}
	if all := Modules(); !slices.Contains(all, "tcp") || slices.Contains(all, "transport") || slices.Contains(all, "link/qdisc") {
		t.Errorf("modules %q", all)
	}
	if got, want := SuggestNode("Trasport"), "did you mean transport?"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestNodesAreNoPoints: a name is of a node or of a function or trap, never of both, so that
// options that take either are unambiguous. Each point is in the nodes that its fields say.
func TestNodesAreNoPoints(t *testing.T) {
	for _, e := range All() {
		if n, ok := ParseNode(e.Name); ok && e.Kind != Reason {
			t.Errorf("%v %s has the name of a node: %+v", e.Kind, e.Name, n)
		}
		if e.Module == "" {
			t.Errorf("%s has no module", e.Name)
		}
		for _, n := range []Node{{Layer: e.Layer}, {Module: e.Module}, {e.Layer, e.Module}} {
			if !n.Has(e) {
				t.Errorf("%s is not in %+v", e.Name, n)
			}
		}
		if (Node{Layer: e.Layer, Module: "other"}).Has(e) || e.Layer != Link && (Node{Layer: Link}).Has(e) {
			t.Errorf("%s is where it should not be", e.Name)
		}
	}
}
