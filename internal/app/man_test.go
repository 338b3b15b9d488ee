package app

import (
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/vmtest"
)

// formatter runs a program on the manual page; the test is skipped without it.
func formatter(t *testing.T, name string, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		vmtest.SkipOrFail(t, err)
	}
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(testManual(t))
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
	wanted := strings.NewReplacer("; * ", "", "_*'", "") // that stand for themselves
	for _, roff := range []string{`\f`, `\(`, `\-`, "\n.", "*"} {
		if strings.Contains(wanted.Replace(out), roff) {
			t.Errorf("%q is left in the page", roff)
		}
	}
}

// TestManPageIsWhole: it has every section, option and command.
func TestManPageIsWhole(t *testing.T) {
	page := testManual(t)
	for _, section := range []string{
		"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "COMMANDS", "SESSION COMMANDS",
		"OPTIONS OF WATCH", "OPTIONS OF RECORD", "OPTIONS OF REPLAY", "OPTIONS OF DUMP", "OPTIONS OF DOCTOR", "OPTIONS OF HELP",
		"SOURCES", "OWNERS", "LEDGER", "PRIVILEGES", "DIFFERENCES", "EXPRESSIONS", "JSON LINES",
		"EXIT STATUS", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO",
	} {
		if n := strings.Count(page, "\n.SH "+section+"\n"); n != 1 {
			t.Errorf("section %s: %d times", section, n)
		}
	}
	p := testProgram(t)
	flags := []*pflag.FlagSet{p.Global}
	for _, v := range p.Verbs {
		flags = append(flags, v.Flags)
		if !strings.Contains(page, "\n.TP\n"+bold(v.Name)) {
			t.Errorf("command %s is missing", v.Name)
		}
	}
	for _, f := range flags {
		if f == nil {
			continue
		}
		f.VisitAll(func(flag *pflag.Flag) {
			if !strings.Contains(page, bold("--"+flag.Name)) {
				t.Errorf("option --%s is missing", flag.Name)
			}
		})
	}
	for _, f := range filter.Fields() {
		if !strings.Contains(page, "\n.TP 18\n"+bold(f.Name)+"\n") {
			t.Errorf("field %s is missing", f.Name)
		}
	}
	for _, name := range capture.SourceNames()[1:] {
		if !strings.Contains(page, "\n.TP\n"+bold(name)+"\n") {
			t.Errorf("source %s is missing", name)
		}
	}
	language := sessionLanguage(func(defaults) *cli.Program { return p })
	for _, u := range language.Usages() {
		m := new(cli.Page)
		m.Item(usageMarkup(u.Words), "")
		if !strings.Contains(page, "\n"+strings.TrimSuffix(m.String(), "\n")) {
			t.Errorf("session command %s is missing", u.Words)
		}
	}
}

// testManual is the manual page.
func testManual(t *testing.T) string {
	t.Helper()
	p := testProgram(t)
	return manPage(p, func(defaults) *cli.Program { return p })
}

// bold is how the page has a word that is typed as it stands.
func bold(word string) string { return `\fB` + strings.ReplaceAll(word, "-", `\-`) + `\fR` }
