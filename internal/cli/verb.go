// Package cli reads command lines: one table of [Verb]s gives parsing, help,
// suggestions, shell completion and sections of the manual page. It is built on
// spf13/cobra, and knows nothing of what the verbs do.
package cli

import (
	"context"
	"io"

	"github.com/spf13/pflag"
)

// A Verb is a command of the program. Parsing writes to the variables that Flags
// are bound to, so a table of verbs must be used for one command line only.
type Verb struct {
	Name     string
	Args     string   // its arguments as usage shows them; empty: it has none
	Short    string   // what it does, on one line
	Long     string   // the same, in paragraphs of at most 80 columns
	Usage    []string // lines of usage; nil: made of Name and Args
	Notes    string   // text between usage and options
	Examples []string
	Manual   string // a paragraph before the options in the manual page, with markup

	Flags  *pflag.FlagSet             // from NewFlags; nil: only --help
	Values map[string]func() []string // completes the values of a flag, by its name

	Words     func(before []string) []string // completes the argument after these; nil: nothing does
	Fields    []string                       // of the filter expression that its arguments are; unknown options named so get a hint
	File      bool                           // the first argument is the name of a file
	OrFile    func(word string) []string     // completes the first argument with such files, besides Words
	Command   bool                           // a command may follow --
	InSession bool                           // it can also be typed in a session

	// Run runs the verb, after Flags were parsed. It returns soon after ctx ends.
	Run func(ctx context.Context, args Args) error
}

// Args are the arguments of a verb, without its flags.
type Args struct {
	Words   []string
	Command []string // what follows --, for a Verb with Command; nil: there was no --
	Line    []string // all that followed the verb, as it was typed
}

// A Program describes the command line of a program.
type Program struct {
	Name    string // as it is typed: dropwatch
	Alias   string // another name for it, by which it runs the verb AliasOf; may be empty
	AliasOf string

	Short  string   // what it does, on one line
	Usage  []string // lines of usage
	Footer string   // the end of its help

	Global *pflag.FlagSet // options in front of the verb
	Values map[string]func() []string
	Verbs  []*Verb

	// Before is called after the flags were parsed and before a verb runs. If it
	// returns done, or an error, no verb runs.
	Before func() (done bool, err error)

	// Default runs if there is no verb.
	Default func(ctx context.Context) error

	Out io.Writer // where help goes
}

// NewFlags returns an empty set of flags for a verb. Help lists them in the order
// in which they are added.
func NewFlags() *pflag.FlagSet {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.SortFlags = false
	return f
}

// verb returns the verb with that name; nil if there is none.
func (p *Program) verb(name string) *Verb {
	for _, v := range p.Verbs {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// VerbNames returns the names of the verbs, in the order of help.
func (p *Program) VerbNames() (names []string) {
	for _, v := range p.Verbs {
		names = append(names, v.Name)
	}
	return names
}
