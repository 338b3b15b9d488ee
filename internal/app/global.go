package app

import (
	"strings"

	"github.com/spf13/pflag"

	"dropwatch/internal/capture"
	"dropwatch/internal/cli"
)

// A lookupMethod is a way to name the location of a drop (-l). Its names and its
// greeting are those of the C program.
type lookupMethod struct{ name, help, greeting string }

// methods are in the order in which --lmethod list prints them. The first is the default.
var methods = []lookupMethod{
	{"kas", "use /proc/kallsyms", "Initializing kallsyms db"},
	{"none", "show raw addresses", "Initializing null lookup method"},
}

// methodNames are the values of -l. List is not a method: it prints them.
func methodNames() (names []string) {
	for _, m := range methods {
		names = append(names, m.name)
	}
	return append(names, "list")
}

// globalFlags are the options in front of the verb.
type globalFlags struct {
	defaults
	methodName  string
	method      lookupMethod
	demangle    bool
	showVersion bool
}

// flags adds them, with what a session has set as defaults.
func (o *globalFlags) flags() *pflag.FlagSet {
	f := cli.NewFlags()
	f.StringVarP(&o.methodName, "lmethod", "l", methods[0].name,
		"name the location of a drop by this `method`: kas (/proc/kallsyms), none (raw addresses); list prints them")
	f.BoolVar(&o.demangle, "demangle", false, "show Rust and C++ names as their source has them")
	f.BoolVar(&o.takeover, "takeover", o.takeover, "stop the monitoring of other programs without asking")
	f.BoolVarP(&o.showVersion, "version", "V", false, "print the version, and which sources work")
	return f
}

// prepare does what the options in front of the verb ask for. Done means that
// nothing else is to be run.
func (a *App) prepare(o *globalFlags) (done bool, err error) {
	switch {
	case o.showVersion:
		return true, a.printVersion()
	case o.methodName == "list":
		return true, a.write(listMethods())
	case o.inSession: // the session has chosen the method
		return false, nil
	}
	for _, m := range methods {
		if m.name == o.methodName {
			o.method = m
		}
	}
	if o.method.name == "" {
		return false, usagef("unknown lookup method %q: give kas, none or list", o.methodName)
	}
	if o.method.name == "kas" {
		a.runner.Symbols = &capture.Symbols{Demangle: o.demangle}
	}
	return false, nil
}

// listMethods is what --lmethod list prints, in the words of the C program.
func listMethods() string {
	var b strings.Builder
	b.WriteString("Available lookup methods:\n")
	for _, m := range methods {
		b.WriteString(m.name + " - " + m.help + "\n")
	}
	return b.String()
}
