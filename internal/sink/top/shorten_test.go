package top

import "testing"

// TestShorten: what tells two names apart stays where a name is cut.
func TestShorten(t *testing.T) {
	for _, tt := range []struct {
		name  string
		width int
		want  string
	}{
		{"__udp4_lib_rcv+0x9a2", 20, "__udp4_lib_rcv+0x9a2"},
		{"__udp4_lib_rcv+0x9a2", 17, "__udp4_lib…+0x9a2"},
		{"python3/23456?", 12, "pyth…/23456?"},
		{"python3/23456?", 8, "…/23456?"},
		{"python3/23456?", 7, "23456?"},
		{"python3/4194304?", 8, "4194304?"},
		{"python3/23456?", 5, "pyth…"},
		{"python3/812", 8, "pyt…/812"},
		{"default/web", 8, "default…"},
		{"unknown", 4, "unk…"},
	} {
		if got := shorten(tt.name, tt.width); got != tt.want {
			t.Errorf("%s in %d columns: %s, want %s", tt.name, tt.width, got, tt.want)
		}
	}
}
