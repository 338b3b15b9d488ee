package app

import (
	"context"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/pflag"

	"dropwatch/internal/sink/jsonl"
	"dropwatch/internal/stage/filter"
)

// Version is set by the linker.
var Version = "devel"

func (a *App) versionCommand(_ context.Context, args []string) error {
	if err := a.parseOnlyFlags(newFlags("version"), args, "Usage: dropwatch version\n"); err != nil {
		return err
	}
	return a.printVersion()
}

func (a *App) printVersion() error {
	text := "dropwatch " + Version
	if info, ok := debug.ReadBuildInfo(); ok {
		text += " " + info.GoVersion
	}
	return a.answered(text + "\n")
}

// helpOptions are those of the command help.
type helpOptions struct{ man bool }

func (o *helpOptions) flags() *pflag.FlagSet {
	f := newFlags("help")
	f.BoolVar(&o.man, "man", false, "print the manual page, for man -l -")
	return f
}

// topics are what help tells besides commands.
var topics = []struct {
	name string
	text func() string
}{
	{"filter", filter.Help},
	{"json", jsonl.Schema},
}

func topicNames() (names []string) {
	for _, t := range topics {
		names = append(names, t.name)
	}
	return names
}

func (a *App) helpCommand(_ context.Context, args []string) error {
	var o helpOptions
	f := o.flags()
	usage := "Usage: dropwatch help [--man] [" + strings.Join(topicNames(), "|") + "]\n\n" + f.FlagUsagesWrapped(80)
	if err := a.parseFlags(f, args, usage); err != nil {
		return err
	}
	switch {
	case o.man:
		return a.write(manPage())
	case f.NArg() == 0:
		return a.write(globalHelp(new(globalOptions).flags()))
	}
	for _, t := range topics {
		if t.name == f.Arg(0) && f.NArg() == 1 {
			return a.write(t.text())
		}
	}
	return &usageError{fmt.Errorf("help: no such topic %q: give one of: %s", strings.Join(f.Args(), " "), strings.Join(topicNames(), ", "))}
}

// globalHelp is the text of --help.
func globalHelp(f *pflag.FlagSet) string {
	var b strings.Builder
	b.WriteString(`Watch the packets that the kernel drops.

Usage:
  dropwatch [options]             a session: type help there. From a pipe or a
                                  file, standard input is a script of commands
  dropwatch [options] COMMAND     a command, see below and COMMAND --help

Commands:
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-36s  %s\n", strings.TrimRight(c.name+" "+c.args, " "), c.help)
	}
	b.WriteString("\nOptions:\n" + f.FlagUsagesWrapped(80))
	b.WriteString(`
Exit codes: 0 done, 1 failed, 2 wrong usage, 128+N a session that
signal N ended.
`)
	return b.String()
}
