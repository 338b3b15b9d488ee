package filter_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"dropwatch/internal/stage/filter"
)

func TestHelpFitsATerminal(t *testing.T) {
	help := filter.Help()
	for line := range strings.Lines(help) {
		if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > 80 || strings.TrimRight(line, " ") != line {
			t.Errorf("%q is wider than 80 columns, or ends in spaces", line)
		}
	}
	for _, f := range filter.Fields() {
		if !strings.Contains(help, "\n  "+f.Name+" ") {
			t.Errorf("help does not have %s", f.Name)
		}
	}
}

// TestHelpIsRight reads the expressions that help begins with.
func TestHelpIsRight(t *testing.T) {
	_, rest, _ := strings.Cut(filter.Help(), "\n\n")
	examples, _, _ := strings.Cut(rest, "\n\n")
	if strings.Count(examples, "\n") != 3 {
		t.Fatalf("no four examples, but %q", examples)
	}
	for line := range strings.Lines(examples) {
		parse(t, strings.TrimSpace(line))
	}
}

func TestFields(t *testing.T) {
	names := make(map[string]bool)
	for _, f := range filter.Fields() {
		if f.Help == "" || f.Type == "" {
			t.Errorf("%s: no help, or no type", f.Name)
		}
		for _, name := range append(f.Aliases, f.Name) {
			if names[name] {
				t.Errorf("%s is the name of two fields", name)
			}
			if names[name] = true; parse(t, name).String() != f.Name {
				t.Errorf("%s is not %s", name, f.Name)
			}
		}
		for _, value := range f.Values {
			if text := f.Name + " " + value; parse(t, text).String() == "" {
				t.Errorf("%s is nothing", text)
			}
		}
	}
}
