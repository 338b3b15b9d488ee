package term

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestCompleterDo(t *testing.T) {
	tests := []struct {
		name  string
		line  string
		words []string
		want  string
		list  []string
	}{
		{"nothing", "x", nil, "", nil},
		{"unique", "sta", []string{"start"}, "rt ", nil},
		{"already whole", "start", []string{"start"}, " ", nil},
		{"common part", "s", []string{"start", "stats"}, "ta", nil},
		{"choice", "sta", []string{"start", "stats"}, "", []string{"start", "stats"}},
		{"one is the start of another", "set", []string{"set", "setup"}, "", []string{"set", "setup"}},
		{"others are ignored", "sta", []string{"stop", "start", "Stats"}, "rt ", nil},
		{"last word", "set al", []string{"alertmode"}, "ertmode ", nil},
		{"a directory", "replay no", []string{"nov/"}, "v/", nil},
		{"after a tab", "set\tal", []string{"alertmode"}, "ertmode ", nil},
		{"empty word", "set ", []string{"alertmode", "trunc"}, "", []string{"alertmode", "trunc"}},
		{"runes", "grü", []string{"grüße", "grün"}, "", []string{"grüße", "grün"}},
		{"not half a rune", "", []string{"é", "è"}, "", []string{"é", "è"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var listed []string
			c := &completer{
				complete: func(string) []string { return tt.words },
				list:     func(_ string, words []string) { listed = words },
			}
			line := []rune(tt.line)
			rest, _ := c.Do(append(line, []rune(" tail")...), len(line))
			got := ""
			for _, r := range rest {
				got += string(r)
			}
			if got != tt.want {
				t.Errorf("inserts %q, want %q", got, tt.want)
			}
			if diff := cmp.Diff(tt.list, listed); diff != "" {
				t.Errorf("list (-want +got):\n%s", diff)
			}
		})
	}
}

func TestCompleterSeesTheLeftOfTheCursor(t *testing.T) {
	words := []string{"start", "x"}
	c := &completer{complete: func(line string) []string {
		if line != "set st" {
			t.Errorf("asked for %q", line)
		}
		return words
	}}
	c.Do([]rune("set st tail"), 6)
	if diff := cmp.Diff([]string{"start", "x"}, words); diff != "" {
		t.Errorf("the caller's candidates changed:\n%s", diff)
	}
}

func TestCompleterOff(t *testing.T) {
	for _, c := range []*completer{
		{},
		{off: true, complete: func(string) []string { return []string{"start"} }},
	} {
		if rest, _ := c.Do(nil, 0); rest != nil {
			t.Errorf("inserts %q", rest)
		}
	}
}

func TestTable(t *testing.T) {
	tests := []struct {
		width int
		want  string
	}{
		{80, "a    bb   ccc\n"},
		{10, "a    bb\nccc\n"},
		{1, "a\nbb\nccc\n"},
	}
	for _, tt := range tests {
		if got := table([]string{"a", "bb", "ccc"}, tt.width); got != tt.want {
			t.Errorf("table in %d columns = %q, want %q", tt.width, got, tt.want)
		}
	}
}
