package app

import (
	"fmt"
	"strings"

	"dropwatch/internal/stage/filter"
)

// manDate is when the text below was changed last.
const manDate = "2026-11-21"

// manPage is the manual page, in roff.
func manPage() string {
	m := new(manual)
	fmt.Fprintf(&m.b, ".TH DROPWATCH 8 %s %s \"System Manager's Manual\"\n", manDate, roffArgument("dropwatch "+Version))
	m.section("NAME")
	m.text("dropwatch, dwdump - watch the packets that the kernel drops")
	m.synopsis()
	m.section("DESCRIPTION")
	m.text(manDescription)
	m.section("OPTIONS")
	m.options(options(new(globalOptions).flags()))
	m.section("COMMANDS")
	m.commands()
	m.section("SESSION COMMANDS")
	m.text(manSession)
	for _, u := range new(App).verbs().Usages() {
		m.item(usageMarkup(u.Words), sentence(u.Help))
	}
	m.verbs()
	m.sources()
	m.expressions()
	m.section("JSON LINES")
	m.text(manJSON)
	m.reference()
	return m.b.String()
}

func (m *manual) synopsis() {
	m.section("SYNOPSIS")
	m.b.WriteString(".B dropwatch\n" + `[\fIoptions\fR]` + "\n")
	for _, c := range commands() {
		fmt.Fprintf(&m.b, ".br\n.B dropwatch\n"+`[\fIoptions\fR]`+"\n%s\n", usageLine(c))
	}
	m.b.WriteString(".br\n.B dwdump\n" + `[\fIoptions\fR]` + "\n")
}

// usageLine is a command and its arguments, in bold what is typed as it stands.
func usageLine(c command) string {
	line := bold(c.name)
	for _, arg := range strings.Fields(c.args) {
		word := strings.Trim(arg, "[]")
		set := italic(word)
		if strings.HasPrefix(word, "-") || strings.Contains(word, "|") {
			set = bold(word)
		}
		line += " " + strings.Replace(arg, word, set, 1)
	}
	return line
}

// verbs adds the options of each command that has some besides --help.
func (m *manual) verbs() {
	for _, v := range newSyntax().commands {
		if len(v.options) == 1 {
			continue
		}
		m.section("OPTIONS OF " + strings.ToUpper(v.name))
		if prose, ok := manVerbs[v.name]; ok {
			m.text(prose)
		}
		m.options(v.options)
	}
}

func (m *manual) sources() {
	m.section("SOURCES")
	m.text(manSources)
	for _, s := range manLadder {
		m.item("*"+s.term+"*", s.text)
	}
}

// expressions tells of their language, and lists its fields.
func (m *manual) expressions() {
	m.section("EXPRESSIONS")
	m.text(manExpressions)
	m.b.WriteString(".PD 0\n")
	for _, o := range manOperators {
		m.row(o.term, o.text)
	}
	m.b.WriteString(".PD\n.PP\n")
	m.text(manWords)
	m.subsection("Fields of a drop")
	m.b.WriteString(".PD 0\n")
	inner := false
	for _, f := range filter.Fields() {
		if f.Inner && !inner {
			inner = true
			m.subsection("Fields of a packet")
		}
		m.row("*"+f.Name+"*", fieldHelp(f))
	}
	m.b.WriteString(".PD\n")
}

// fieldHelp is what a field is, with the names that it can have if they are few.
func fieldHelp(f filter.Field) string {
	help := f.Help
	if n := len(f.Values); n > 0 && n < 8 {
		help += " (" + strings.Join(f.Values, ", ") + ")"
	}
	return sentence(help)
}

func (m *manual) commands() {
	for _, c := range commands() {
		m.b.WriteString(".TP\n" + usageLine(c) + "\n")
		m.fill(sentence(c.help))
	}
}

func (m *manual) options(all []option) {
	for _, o := range all {
		var names []string
		for _, word := range o.dashed() {
			names = append(names, bold(word))
		}
		term := strings.Join(names, ", ")
		if o.arg != "" {
			term += " " + italic(o.arg)
		}
		m.b.WriteString(".TP\n" + term + "\n")
		m.plain(sentence(o.help))
		if o.standard != "" {
			m.fill("The default is *" + o.standard + "*.")
		}
	}
}

// reference adds what is neither an option nor a command.
func (m *manual) reference() {
	m.section("EXIT STATUS")
	for _, e := range manExits {
		m.item("*"+e.term+"*", e.text)
	}
	m.section("ENVIRONMENT")
	for _, e := range manEnvironment {
		m.item("*"+e.term+"*", e.text)
	}
	m.section("FILES")
	for _, f := range manFiles {
		m.item("*"+f.term+"*", f.text)
	}
	m.section("PRIVILEGES")
	for _, p := range manPrivileges {
		m.item("*"+p.term+"*", p.text)
	}
	m.section("EXAMPLES")
	for i, e := range manExamples {
		if i > 0 {
			m.b.WriteString(".PP\n")
		}
		m.fill(e.text)
		m.example(e.term)
	}
	m.section("DIFFERENCES FROM THE C PROGRAM")
	m.text("What C dropwatch prints, this program prints as well, byte for byte, but for what follows.")
	for _, d := range manDifferences {
		m.bullet(d)
	}
	m.section("SEE ALSO")
	m.text("*jq*(1), *tshark*(1), *wireshark*(1), *pcap-filter*(7), *capabilities*(7), *modprobe*(8), *devlink-trap*(8)")
}

// usageMarkup makes the words bold that are typed as they stand, of an entry
// such as "set trunc <len>".
func usageMarkup(words string) string {
	plain, arg, found := strings.Cut(words, " <")
	if found {
		return "*" + plain + "* <" + arg
	}
	plain, arg, found = strings.Cut(words, " [")
	if found {
		return "*" + plain + "* [" + arg
	}
	return "*" + words + "*"
}

// sentence makes one of the text of a help.
func sentence(help string) string {
	if help == "" {
		return ""
	}
	return strings.ToUpper(help[:1]) + strings.TrimSuffix(help[1:], ".") + "."
}

// roffArgument quotes an argument of a macro.
func roffArgument(s string) string {
	return `"` + strings.ReplaceAll(literal(s), `"`, `\(dq`) + `"`
}
