package app

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/pflag"
)

// shells are those that completion knows, with how to write a script for each.
var shells = []struct {
	name   string
	script func(syntax) string
}{
	{"bash", bashCompletion},
	{"zsh", zshCompletion},
	{"fish", fishCompletion},
}

func (a *App) completionCommand(_ context.Context, args []string) error {
	const help = "Usage: dropwatch completion bash|zsh|fish\n\nThe script says how to load it.\n"
	f := newFlags("completion")
	if err := a.parseFlags(f, args, help); err != nil {
		return err
	}
	if f.NArg() != 1 {
		return &usageError{fmt.Errorf("completion: got %d shells: give one of: %s", f.NArg(), strings.Join(shellNames(), ", "))}
	}
	for _, s := range shells {
		if s.name == f.Arg(0) {
			return a.write(s.script(newSyntax()))
		}
	}
	return &usageError{fmt.Errorf("completion: unknown shell %q: give one of: %s", f.Arg(0), strings.Join(shellNames(), ", "))}
}

func shellNames() (names []string) {
	for _, s := range shells {
		names = append(names, s.name)
	}
	return names
}

// syntax is all that can be typed on the command line.
type syntax struct {
	options  []option // before the command
	commands []verb
}

// A verb is a command as completion sees it.
type verb struct {
	name, help string
	options    []option
	words      []string // what can follow it, besides options
	file       bool     // its first argument is the name of one
}

// An option is one as completion and the manual page see it.
type option struct {
	short, long string // without their dashes; short may be empty
	help        string
	arg         string   // the name of its value; empty: it takes none
	values      []string // that it can have, if they are few
	standard    string   // its value if it is not given, if that is worth telling
}

// file tells whether the value is the name of a file.
func (o option) file() bool { return o.arg == "file" }

func newSyntax() syntax {
	s := syntax{options: options(new(globalOptions).flags())}
	for _, c := range commands() {
		v := verb{name: c.name, help: c.help, options: options(c.flags), file: c.file}
		if c.words != nil {
			v.words = c.words()
		}
		s.commands = append(s.commands, v)
	}
	return s
}

// zeros are values that say of an option that it is not given.
var zeros = map[string]bool{"": true, "0": true, "0s": true, "[]": true}

// options reads a set of options, which has --help though it does not say so.
func options(f *pflag.FlagSet) (all []option) {
	f.VisitAll(func(p *pflag.Flag) {
		arg, help := pflag.UnquoteUsage(p)
		o := option{short: p.Shorthand, long: p.Name, help: help, arg: arg, values: p.Annotations[valuesKey]}
		if arg != "" && !zeros[p.DefValue] {
			o.standard = p.DefValue
		}
		all = append(all, o)
	})
	return append(all, option{short: "h", long: "help", help: "print help"})
}

// dashed gives the words by which an option is typed.
func (o option) dashed() []string {
	if o.short == "" {
		return []string{"--" + o.long}
	}
	return []string{"-" + o.short, "--" + o.long}
}

// verbNames gives the commands.
func (s syntax) verbNames() (names []string) {
	for _, v := range s.commands {
		names = append(names, v.name)
	}
	return names
}

// dump is the command that is also a program, dwdump.
func (s syntax) dump() verb {
	for _, v := range s.commands {
		if v.name == "dump" {
			return v
		}
	}
	return verb{}
}

// quoted puts s in single quotes for bash and zsh.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
