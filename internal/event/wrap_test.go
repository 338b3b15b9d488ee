package event

import "testing"

func TestWrap(t *testing.T) {
	for _, test := range []struct {
		text, first, indent string
		width               int
		want                string
	}{
		{"one two three four five six", "why: ", "     ", 25, "why: one two three four\n     five six\n"},
		{"one two three four five six", "why: ", "     ", 0, "why: one two three four five six\n"},
		{"a-word-that-is-longer-than-that b", "  ", "  ", 22, "  a-word-that-is-longer-than-that\n  b\n"},
		{"one two three four five six", "", "", 3, "one two three four\nfive six\n"}, // too narrow
		{"ééééééééé ééééééééé ééé", "", "", 24, "ééééééééé ééééééééé ééé\n"},
		{"", "why: ", "     ", 25, ""},
		{"a", "", "", 25, "a\n"},
		{"one two three four five six", "why: ", "  ", 26, "why: one two three four\n  five six\n"},
		{"one two three four five six seven", "", "      ", 26, "one two three four five\n      six seven\n"},
	} {
		if got := Wrap(test.text, test.first, test.indent, test.width); got != test.want {
			t.Errorf("%q in %d: %q, want %q", test.text, test.width, got, test.want)
		}
	}
}
