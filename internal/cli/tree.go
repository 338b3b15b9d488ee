package cli

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dropwatch/internal/suggest"
)

// A commandLine is one use of a Program. The error of the verb is kept apart from
// those of parsing, which cobra returns.
type commandLine struct {
	*Program
	typed []string // the arguments as they were typed
	err   error    // of the verb
}

// cobra builds the tree of commands. It is built for each command line, as
// cobra keeps state in it.
func (l *commandLine) cobra() *cobra.Command {
	root := &cobra.Command{
		Use: l.Name, Short: l.Short, TraverseChildren: true, SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		Args:              l.refuseWords, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return l.run(func() error { return l.Default(cmd.Context()) })
		},
	}
	root.SetOut(l.Out)
	addFlags(root, l.Global, l.Values)
	root.Flags().SetInterspersed(false)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { l.err = l.PrintHelp(cmd.Name()) })
	for _, v := range l.Verbs {
		c := l.command(v)
		if v.Name == "help" {
			root.SetHelpCommand(c)
			continue
		}
		root.AddCommand(c)
	}
	return root
}

// command builds the command of one verb.
func (l *commandLine) command(v *Verb) *cobra.Command {
	c := &cobra.Command{Use: v.Name, Short: v.Short, Hidden: false, ValidArgsFunction: v.complete, Args: cobra.ArbitraryArgs}
	c.RunE = func(cmd *cobra.Command, words []string) error {
		args := Args{Words: words, Line: l.typed[slices.Index(l.typed, v.Name)+1:]}
		if dash := cmd.ArgsLenAtDash(); dash >= 0 && v.Command {
			args.Words, args.Command = words[:dash], words[dash:]
		}
		if v.Args == "" || v.Args == "[options]" {
			if len(args.Words) > 0 {
				return fmt.Errorf("unexpected argument %q", args.Words[0])
			}
		}
		return l.run(func() error { return v.Run(cmd.Context(), args) })
	}
	addFlags(c, v.Flags, v.Values)
	return c
}

// run runs a verb, unless an option in front of it did all there is to do. It
// returns nil so that cobra does not take an error of the verb for one of parsing.
func (l *commandLine) run(verb func() error) error {
	done, err := l.Before()
	if err == nil && !done {
		err = verb()
	}
	l.err = err
	return nil
}

// addFlags adds flags to a command, with the completion of their values.
func addFlags(c *cobra.Command, f *pflag.FlagSet, values map[string]func() []string) {
	if f == nil {
		return
	}
	c.Flags().SortFlags = false
	c.Flags().AddFlagSet(f)
	f.VisitAll(func(flag *pflag.Flag) {
		if flag.NoOptDefVal == "" { // it takes a value
			_ = c.RegisterFlagCompletionFunc(flag.Name, completeFlag(flag, values[flag.Name])) // a flag has one
		}
	})
}

// refuseWords returns an error for words that are not a verb.
func (l *commandLine) refuseWords(_ *cobra.Command, words []string) error {
	if len(words) == 0 {
		return nil
	}
	return fmt.Errorf("unknown command %q%s", words[0], l.didYouMean(words[0], l.VerbNames()))
}

// didYouMean returns a suggestion to append to an error; empty if no name is close.
func (p *Program) didYouMean(typed string, names []string) string {
	if question := suggest.Question(typed, names); question != "" {
		return ": " + question
	}
	return ""
}
