package app

import (
	"os"
	"slices"
	"strings"
	"testing"

	"dropwatch/internal/capture"
)

// TestSourcesAreInOrder: the manual page, the help topic and the README name the sources as
// they are tried, and the one that a session tries first.
func TestSourcesAreInOrder(t *testing.T) {
	var tried, described []string
	for _, c := range capture.Candidates(false) {
		tried = append(tried, c.Name)
	}
	for _, e := range manSourceList {
		described = append(described, e.term)
	}
	if !slices.Equal(described, tried) {
		t.Errorf("the manual page describes %q, and tried are %q", described, tried)
	}
	first := capture.Candidates(true)[0].Name
	if want := "a session's *start* and *dump* use *" + first + "* first"; !strings.Contains(manSources, want) {
		t.Errorf("the manual page lacks %q", want)
	}
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(readme), "There are three sources:")
	last := 0
	for _, name := range tried {
		at := strings.Index(text, "`"+name+"`")
		if at < last {
			t.Errorf("the README does not name %s in the order %q", name, tried)
		}
		last = at
	}
}
