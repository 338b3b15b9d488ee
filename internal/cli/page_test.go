package cli

import (
	"strings"
	"testing"
)

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
	m := new(Page)
	m.Section("A B")
	m.Text(".dot at the start.\n'quote goes\non\n\nsecond")
	m.Item("*x*", "y.")
	m.Bullet("z")
	m.Example(".a\n\n'b -c\\n'\n")
	want := ".SH A B\n\\&.dot at the start.\n\\&'quote goes on\n.PP\nsecond\n.TP\n\\fBx\\fR\ny.\n.IP \\(bu 4\nz\n" +
		".PP\n.RS 4\n.nf\n\\&.a\n\n\\(aqb \\-c\\en\\(aq\n.fi\n.RE\n"
	if got := m.b.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestWrap(t *testing.T) {
	m := new(Page)
	m.Fill(strings.Repeat("word ", 15) + "x.y .z " + strings.Repeat("w", 90) + " end")
	for line := range strings.Lines(m.b.String()) {
		if strings.HasPrefix(line, ".") || len(line) > maxLine+1 && strings.Contains(line, " ") {
			t.Errorf("line %q", line)
		}
	}
}
