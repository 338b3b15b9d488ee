package repl

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"dropwatch/internal/event"
)

// An entry is a command or, below the command set, a setting.
type entry struct {
	name   string   // as it is typed, whole
	arg    string   // the argument as help shows it; empty: it takes none
	help   string   // what it does, on one line
	values []string // completes the argument
	below  []*entry // what its first argument can be; nil: it is run itself
	cText  bool     // help is a text of the C program that is longer than a line of a terminal
	more   string   // what help NAME prints below help; may be empty
	many   bool     // it takes any number of arguments, also if help does not show them
	run    func(ctx context.Context, r *REPL, words []string) error
}

// entry returns the verb as one of the session's commands.
func (v *Verb) entry() *entry {
	return &entry{
		name: v.Name, arg: v.Args, help: v.Help + ": see " + v.Name + " --help", many: true,
		run: v.run,
	}
}

// run changes the settings, or runs the verb.
func (v *Verb) run(ctx context.Context, r *REPL, words []string) error {
	if v.Set != nil {
		answer, ok, err := v.Set(&r.Settings, words)
		if err != nil {
			return err
		}
		if ok {
			r.print("%s", answer)
			return nil
		}
	}
	return v.Run(ctx, r.Settings, words)
}

// call checks the number of arguments and runs the entry. Typed is how the user
// called it, for errors.
func (e *entry) call(ctx context.Context, r *REPL, typed string, words []string) error {
	switch {
	case e.below != nil:
		return e.callBelow(ctx, r, words)
	case e.arg == "" && !e.many && len(words) > 0:
		return fmt.Errorf("%s: unexpected argument %q", typed, words[0])
	case e.arg != "" && !e.many && len(words) != 1:
		return fmt.Errorf("%s: got %d values: give one: %s %s", typed, len(words), typed, e.arg)
	}
	return e.run(ctx, r, words)
}

// callBelow runs the entry below e that the first argument names.
func (e *entry) callBelow(ctx context.Context, r *REPL, words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("%s: nothing to %s: give one of: %s", e.name, e.name, names(e.below))
	}
	next := find(e.below, words[0])
	if next == nil {
		return fmt.Errorf("%s: unknown setting %q: give one of: %s", e.name, words[0], names(e.below))
	}
	return next.call(ctx, r, e.name+" "+next.name, words[1:])
}

// find returns the entry with that name, or nil. Names are not abbreviated.
func find(entries []*entry, name string) *entry {
	i := slices.IndexFunc(entries, func(e *entry) bool { return e.name == name })
	if i < 0 {
		return nil
	}
	return entries[i]
}

// names lists the names of entries, for errors.
func names(entries []*entry) string {
	var s []string
	for _, e := range entries {
		s = append(s, e.name)
	}
	return strings.Join(s, ", ")
}

// usage returns the name and the argument, as help shows them.
func (e *entry) usage() string { return strings.TrimRight(e.name+" "+e.arg, " ") }

// writeHelp lists entries as the C program does: their text begins in column 35,
// which is reached by tabs. That of a command of dropwatch's own is on the next line
// where the command is too long.
func writeHelp(w io.Writer, entries []*entry, indent string) {
	for _, e := range entries {
		if e.below != nil {
			fmt.Fprintf(w, "%s:\n", e.name)
			writeHelp(w, e.below, "\t")
			continue
		}
		head := e.usage()
		const tab, column = 8, 32
		width := len(indent)*tab + len(head)
		gap := strings.Repeat("\t", max(1, (column-width+tab-1)/tab))
		if width >= column && !e.cText {
			gap = "\n" + strings.Repeat("\t", column/tab)
		}
		fmt.Fprintf(w, "%s%s%s - %s\n", indent, head, gap, e.helpLines(column+len(" - ")))
	}
}

// helpLines returns the help in lines of a terminal that begin in a column.
func (e *entry) helpLines(column int) string {
	if e.cText {
		return e.help
	}
	const tab = 8
	indent := "\n" + strings.Repeat("\t", column/tab) + strings.Repeat(" ", column%tab)
	return strings.ReplaceAll(strings.TrimSuffix(event.Wrap(e.help, "", "", event.Columns-column), "\n"), "\n", indent)
}
