package repl

import (
	"slices"
	"strings"
	"testing"
)

func TestComplete(t *testing.T) {
	var (
		all      = strings.Fields("exit help set start stop show stats status filter dump quit")
		settings = strings.Fields("alertlimit alertmode trunc queue sw hw rcvbuf source takeover")
		booleans = []string{"true", "false"}
	)
	tests := map[string][]string{
		"":                   all,
		"  ":                 all,
		"s":                  all, // the terminal picks those that fit
		"bogus":              all,
		"set":                all,
		"set ":               settings,
		" set\t":             settings,
		"set s":              settings,
		"set set":            settings,
		"set sw ":            booleans,
		"set sw t":           booleans,
		"set hw ":            booleans,
		"set takeover ":      booleans,
		"set alertmode ":     {"summary", "packet"},
		"set alertmode pa":   {"summary", "packet"},
		"set trunc ":         nil,
		"set sw true ":       nil,
		"set alertmode x y":  nil,
		"set bogus ":         nil,
		"bogus ":             nil,
		"start ":             nil,
		"dump ":              nil, // its own to complete
		"filter tcp ":        nil,
		"set source ":        {"auto", "bpf", "netdm", "trace"},
		"help sta":           all,
		"set sw\u00a0":       booleans,
		"set sw \xff":        booleans,
		"set trunc 12 true ": nil,
	}
	for line, want := range tests {
		if got := language.Complete(line); !slices.Equal(got, want) {
			t.Errorf("Complete(%q) = %q, want %q", line, got, want)
		}
	}
}

// TestHelp: the C program's lines are there, in its order and its own bytes;
// the transcript "help" has those of dropwatch between them.
func TestHelp(t *testing.T) {
	const fromC = "exit\t\t\t\t - Quit dropwatch\n" +
		"help\t\t\t\t - Display this message\n" +
		"set:\n" +
		"\talertlimit <number>\t - capture only this many alert packets\n" +
		"\talertmode <mode>\t - set mode to \"summary\" or \"packet\"\n" +
		"\ttrunc <len>\t\t - truncate packets to this length. Only applicable when \"alertmode\" is set to \"packet\"\n" +
		"\tqueue <len>\t\t - queue up to this many packets in the kernel. Only applicable when \"alertmode\" is set to \"packet\"\n" +
		"\tsw <true | false>\t - monitor software drops\n" +
		"\thw <true | false>\t - monitor hardware drops\n" +
		"start\t\t\t\t - start capture\n" +
		"stop\t\t\t\t - stop capture\n" +
		"show\t\t\t\t - show existing configuration\n" +
		"stats\t\t\t\t - show statistics\n"
	rest := strings.SplitAfter(fromC, "\n")
	for line := range strings.Lines(language.Help()) {
		if line == rest[0] {
			rest = rest[1:]
		}
	}
	if len(rest) != 1 {
		t.Errorf("not in the help, in order: %q", rest)
	}
}

// TestUsages: every entry can be typed, and the help has it.
func TestUsages(t *testing.T) {
	help := strings.Join(strings.Fields(language.Help()), " ")
	for _, u := range language.Usages() {
		name, arg, _ := strings.Cut(strings.TrimPrefix(u.Words, "set "), " ")
		if !strings.Contains(help, " - "+u.Help) || !strings.Contains(language.Help(), name) {
			t.Errorf("%q is not in the help", u)
		}
		before := strings.TrimSuffix(u.Words, strings.TrimSpace(name+" "+arg))
		if !slices.Contains(language.Complete(before), name) {
			t.Errorf("%q cannot be completed after %q", name, before)
		}
	}
	if got, want := len(language.Usages()), strings.Count(language.Help(), " - "); got != want {
		t.Errorf("%d usages, %d lines of help", got, want)
	}
	for line := range strings.Lines(language.Help()) {
		width := len(strings.TrimSpace(line)) // of what goes on in column 35
		if _, text, ok := strings.Cut(line, " - "); ok {
			width = len(strings.TrimSpace(text))
		}
		if width > 80-35 && !strings.Contains(line, "Only applicable") { // as the C program has it
			t.Errorf("%q does not fit a terminal", line)
		}
	}
}
