package cli

import (
	"strings"

	"github.com/spf13/pflag"
)

// Synopsis adds the section SYNOPSIS.
func (p *Program) Synopsis(m *Page) {
	m.Section("SYNOPSIS")
	m.b.WriteString(".B " + p.Name + "\n" + `[\fIoptions\fR]` + "\n")
	for _, v := range p.Verbs {
		m.b.WriteString(".br\n.B " + p.Name + "\n" + `[\fIoptions\fR]` + "\n" + v.usageLine() + "\n")
	}
	m.b.WriteString(".br\n.B " + p.Alias + "\n" + `[\fIoptions\fR]` + "\n")
}

// usageLine returns the verb and its arguments in roff: bold what is typed as it
// stands, italic what it stands for.
func (v *Verb) usageLine() string {
	line := bold(v.Name)
	for _, arg := range strings.Fields(v.Args) {
		word := strings.Trim(arg, "[]")
		set := italic(word)
		if strings.HasPrefix(word, "-") || strings.Contains(word, "|") {
			set = bold(word)
		}
		line += " " + strings.Replace(arg, word, set, 1)
	}
	return line
}

// Commands adds the section COMMANDS, with a line about each verb.
func (p *Program) Commands(m *Page) {
	m.Section("COMMANDS")
	for _, v := range p.Verbs {
		m.b.WriteString(".TP\n" + v.usageLine() + "\n")
		m.Fill(Sentence(v.Short))
	}
}

// GlobalOptions adds the section OPTIONS, with the flags in front of the verb.
func (p *Program) GlobalOptions(m *Page) {
	m.Section("OPTIONS")
	m.options(p.Global)
}

// VerbOptions adds a section for each verb that has flags besides --help.
func (p *Program) VerbOptions(m *Page) {
	for _, v := range p.Verbs {
		if v.Flags == nil || !v.Flags.HasFlags() {
			continue
		}
		m.Section("OPTIONS OF " + strings.ToUpper(v.Name))
		if v.Manual != "" {
			m.Text(v.Manual)
		}
		m.options(v.Flags)
	}
}

// unset are the default values that mean that a flag is not set. They are not worth
// a sentence.
var unset = map[string]bool{"": true, "0": true, "0s": true, "[]": true, "false": true}

// options adds a list of flags in the order in which they were defined.
func (m *Page) options(f *pflag.FlagSet) {
	f.VisitAll(func(flag *pflag.Flag) {
		value, help := pflag.UnquoteUsage(flag)
		m.option(flag.Shorthand, flag.Name, value)
		m.Plain(Sentence(help))
		if value != "" && !unset[flag.DefValue] {
			m.Fill("The default is *" + flag.DefValue + "*.")
		}
	})
	m.option("h", "help", "")
	m.Plain("Print help.")
}

// option adds the term of an option: its names, and the name of its value.
func (m *Page) option(short, long, value string) {
	term := bold("--" + long)
	if short != "" {
		term = bold("-"+short) + ", " + term
	}
	if value != "" {
		term += " " + italic(value)
	}
	m.b.WriteString(".TP\n" + term + "\n")
}
