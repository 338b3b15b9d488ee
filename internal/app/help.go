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
	name, help string
	text       func() string
}{
	{"filter", "the language of expressions, with all its fields", filter.Help},
	{"json", "the schema of the lines of --json", jsonl.Schema},
}

// helpWords are all topics, commands among them.
func helpWords() (names []string) {
	for _, t := range topics {
		names = append(names, t.name)
	}
	for _, c := range commands() {
		names = append(names, c.name)
	}
	return names
}

func helpHelp(f *pflag.FlagSet) string {
	var b strings.Builder
	b.WriteString("Usage: dropwatch help [--man] [topic]\n\nTopics:\n")
	for _, t := range topics {
		fmt.Fprintf(&b, "  %-8s  %s\n", t.name, t.help)
	}
	b.WriteString("  COMMAND   a command and its options\n\nOptions:\n" + f.FlagUsagesWrapped(80))
	return b.String()
}

func (a *App) helpCommand(ctx context.Context, args []string) error {
	var o helpOptions
	f := o.flags()
	if err := a.parseFlags(f, args, helpHelp(f)); err != nil {
		return err
	}
	switch {
	case f.NArg() > 1, f.NArg() == 1 && o.man:
		return &usageError{fmt.Errorf("help: takes one topic, or --man, but got %q too", f.Arg(f.NArg()-1))}
	case f.NArg() == 1:
		return a.helpTopic(ctx, f.Arg(0))
	case o.man:
		return a.write(manPage())
	}
	return a.write(globalHelp(new(globalOptions).flags()))
}

func (a *App) helpTopic(ctx context.Context, name string) error {
	for _, t := range topics {
		if t.name == name {
			return a.write(t.text())
		}
	}
	for _, c := range commands() {
		if c.name == name {
			return c.run(a, ctx, []string{"--help"})
		}
	}
	return &usageError{fmt.Errorf("help: unknown topic %q: give one of: %s", name, strings.Join(helpWords(), ", "))}
}

// globalHelp is the text of --help.
func globalHelp(f *pflag.FlagSet) string {
	var b strings.Builder
	b.WriteString(`Watch the packets that the kernel drops.

Usage:
  dropwatch [options] COMMAND ...  a command, see below and COMMAND --help
  dropwatch [options]              a session: type help there. From a pipe or a
                                   file, standard input is a script of commands

Commands:
`)
	for _, c := range commands() {
		fmt.Fprintf(&b, "  %-10s  %s\n", c.name, c.help)
	}
	b.WriteString("\nOptions:\n" + f.FlagUsagesWrapped(80))
	b.WriteString(`
Exit codes: 0 done, 1 failed, 2 wrong usage, 128+N a session that signal N
ended. To begin: dropwatch doctor, then dropwatch watch.
`)
	return b.String()
}
