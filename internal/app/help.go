package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/cli"
	"dropwatch/internal/sink/jsonl"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/suggest"
)

// completion is the verb that prints completion scripts.
func (a *App) completion(p *cli.Program) *cli.Verb {
	names := func([]string) []string { return cli.Shells }
	return &cli.Verb{
		Name: "completion", Args: "bash|zsh|fish", Short: "print a script that completes words in a shell",
		Notes: "The script says how to load it.", Words: names,
		Run: func(_ context.Context, args cli.Args) error {
			if len(args.Words) != 1 {
				return usagef("completion: name one shell: %s", strings.Join(cli.Shells, ", "))
			}
			script, err := p.CompletionScript(args.Words[0])
			if err != nil {
				return usagef("completion: %v", err)
			}
			return a.write(script)
		},
	}
}

// A topic is something that help explains besides verbs.
type topic struct {
	name, help string
	text       func() string
}

// topics returns them in the order in which help lists them. They are built on
// demand, as schema and field list are made from the program itself.
func topics() []topic {
	all := []topic{
		{"filter", "filter expressions, with all their fields", filter.Help},
		{"json", "the schema of the lines of --json", jsonl.Schema},
		{"reasons", "the reasons, functions and traps that explain knows", reasonList},
	}
	for _, t := range proseTopics {
		all = append(all, topic{t.name, t.help, t.text})
	}
	return all
}

// topicNames are the names of all topics.
func topicNames() (names []string) {
	for _, t := range topics() {
		names = append(names, t.name)
	}
	return names
}

// help is the verb that prints help: for the program, a verb or a topic, or the
// manual page.
func (a *App) help(p *cli.Program, program programFunc) *cli.Verb {
	var man bool
	f := cli.NewFlags()
	f.BoolVar(&man, "man", false, "print the manual page, for man -l -")
	names := func() (all []string) {
		for _, name := range append(topicNames(), p.VerbNames()...) {
			if !slices.Contains(all, name) { // a topic may be about a verb
				all = append(all, name)
			}
		}
		return all
	}
	return &cli.Verb{
		Name: "help", Args: "[--man] [topic]", Short: "print this help, that of a command or topic, or the manual page",
		Notes: topicList(), Flags: f, InSession: false,
		Words: func(before []string) []string {
			if len(before) > 0 {
				return nil
			}
			return names()
		},
		Run: func(_ context.Context, args cli.Args) error {
			switch n := len(args.Words); {
			case n > 1, n == 1 && man:
				return usagef("help: unexpected argument %q: give one topic, or --man", args.Words[n-1])
			case n == 1:
				return a.helpOn(p, args.Words[0], names())
			case man:
				return a.write(manPage(p, program))
			}
			return p.PrintHelp(p.Name)
		},
	}
}

// topicList lists the topics in the help of help.
func topicList() string {
	var b strings.Builder
	b.WriteString("Topics:\n")
	for _, t := range topics() {
		fmt.Fprintf(&b, "  %-11s  %s\n", t.name, t.help)
	}
	return b.String() + "  COMMAND      a command and its options"
}

// helpOn prints the help of a topic or a verb. Topics come first: a verb's help is also there with --help. The error of
// a name that is neither suggests one that is.
func (a *App) helpOn(p *cli.Program, name string, names []string) error {
	for _, t := range topics() {
		if t.name == name {
			return a.write(t.text())
		}
	}
	for _, verb := range p.VerbNames() {
		if verb == name {
			return p.PrintHelp(name)
		}
	}
	return usagef("help: unknown topic %q: %s", name, suggest.Choice(name, names))
}
