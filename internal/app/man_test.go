package app

import (
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"dropwatch/internal/stage/filter"
)

// formatter runs a program on the manual page; the test is skipped without it.
func formatter(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(manPage())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return string(out)
}

func TestManPageLint(t *testing.T) {
	if out := formatter(t, "mandoc", "-T", "lint"); out != "" {
		t.Errorf("mandoc:\n%s", out)
	}
}

func TestManPageWarnings(t *testing.T) {
	if out := formatter(t, "groff", "-man", "-ww", "-z", "-Tutf8"); out != "" {
		t.Errorf("groff:\n%s", out)
	}
}

// TestManPageFits: as shown on a terminal, without fonts, it fits into 80
// columns, and no roff is left in it.
func TestManPageFits(t *testing.T) {
	out := formatter(t, "groff", "-man", "-Tutf8", "-rLL=80n", "-P-cbu")
	for line := range strings.Lines(out) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 80 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	wanted := strings.NewReplacer(", * ", "", "_*'", "") // that stand for themselves
	for _, roff := range []string{`\f`, `\(`, `\-`, "\n.", "*"} {
		if strings.Contains(wanted.Replace(out), roff) {
			t.Errorf("%q is left in the page", roff)
		}
	}
}

// TestManPageIsWhole: it has every section, option and command.
func TestManPageIsWhole(t *testing.T) {
	page := manPage()
	for _, section := range []string{
		"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "SESSION COMMANDS",
		"OPTIONS OF WATCH", "OPTIONS OF RECORD", "OPTIONS OF REPLAY", "OPTIONS OF DUMP", "OPTIONS OF DOCTOR", "OPTIONS OF HELP",
		"SOURCES", "EXPRESSIONS", "JSON LINES", "EXIT STATUS", "ENVIRONMENT", "FILES", "PRIVILEGES", "EXAMPLES", "DIFFERENCES FROM THE C PROGRAM", "SEE ALSO",
	} {
		if n := strings.Count(page, "\n.SH "+section+"\n"); n != 1 {
			t.Errorf("section %s: %d times", section, n)
		}
	}
	s := newSyntax()
	all := s.options
	for _, v := range s.commands {
		all = append(all, v.options...)
	}
	for _, o := range all {
		for _, word := range o.dashed() {
			if !strings.Contains(page, bold(word)) {
				t.Errorf("option %s is missing", word)
			}
		}
	}
	for _, v := range s.commands {
		if !strings.Contains(page, "\n.TP\n"+bold(v.name)) {
			t.Errorf("command %s is missing", v.name)
		}
	}
	for _, f := range filter.Fields() {
		if !strings.Contains(page, "\n.TP 18\n"+bold(f.Name)+"\n") {
			t.Errorf("field %s is missing", f.Name)
		}
	}
	for _, name := range sourceNames()[1:] {
		if !strings.Contains(page, "\n.TP\n"+bold(name)+"\n") {
			t.Errorf("source %s is missing", name)
		}
	}
	for _, u := range new(App).verbs().Usages() {
		if !strings.Contains(page, "\n.TP\n"+markup(usageMarkup(u.Words))+"\n") {
			t.Errorf("session command %s is missing", u.Words)
		}
	}
}

func TestMarkup(t *testing.T) {
	for in, want := range map[string]string{
		"plain":            "plain",
		"a *b-c* d-e":      `a \fBb\-c\fR d-e`,
		"see *--x*":        `see \fB\-\-x\fR`,
		"give -x or --y":   `give \-x or \-\-y`,
		"(-x)":             `(\-x)`,
		"-w":               `\-w`,
		`back\slash`:       `back\eslash`,
		"*it's* it's":      `\fBit\(aqs\fR it's`,
		"~/a ^b `c`":       `\(ti/a \(hab \(gac\(ga`,
		"*a* and *b*":      `\fBa\fR and \fBb\fR`,
		"set trunc <len>":  "set trunc <len>",
		"devlink-trap (8)": "devlink-trap (8)",
	} {
		if got := markup(in); got != want {
			t.Errorf("markup(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestManual(t *testing.T) {
	m := new(manual)
	m.section("A B")
	m.text(".dot at the start\n'quote\n\nsecond")
	m.item("*x*", "y.")
	m.bullet("z")
	m.example(".a\n\n'b -c\\n'\n")
	want := ".SH A B\n\\&.dot at the start\n\\&'quote\n.PP\nsecond\n.TP\n\\fBx\\fR\ny.\n.IP \\(bu 4\nz\n" +
		".PP\n.RS 4\n.nf\n\\&.a\n\n\\(aqb \\-c\\en\\(aq\n.fi\n.RE\n"
	if got := m.b.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWrap(t *testing.T) {
	m := new(manual)
	m.fill(strings.Repeat("word ", 15) + "x.y .z " + strings.Repeat("w", 90) + " end")
	for line := range strings.Lines(m.b.String()) {
		if strings.HasPrefix(line, ".") || len(line) > maxLine+1 && strings.Contains(line, " ") {
			t.Errorf("line %q", line)
		}
	}
}
