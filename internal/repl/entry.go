package repl

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// An entry is a command or, below the command set, a setting.
type entry struct {
	name   string
	arg    string   // the argument as help shows it; empty: it takes none
	help   string   // what it does
	values []string // what completes the argument
	below  []*entry // what the first word after it may be
	many   bool     // it takes any number of words
	run    func(ctx context.Context, r *REPL, words []string) error
}

// entry is the verb among the session's own commands.
func (v *Verb) entry() *entry {
	return &entry{
		name: v.Name, arg: v.Args, help: v.Help + ": see " + v.Name + " --help", values: v.Options, many: true,
		run: func(ctx context.Context, r *REPL, words []string) error { return v.Run(ctx, r.Settings, words) },
	}
}

// call runs the entry, which was typed so, with the words that follow.
func (e *entry) call(ctx context.Context, r *REPL, typed string, words []string) error {
	switch {
	case e.below != nil:
		return e.callBelow(ctx, r, words)
	case e.arg == "" && len(words) > 0:
		return fmt.Errorf("%s: takes nothing after it, but got %q", typed, strings.Join(words, " "))
	case e.arg != "" && !e.many && len(words) != 1:
		return fmt.Errorf("%s: got %d values: give one: %s %s", typed, len(words), typed, e.arg)
	}
	return e.run(ctx, r, words)
}

func (e *entry) callBelow(ctx context.Context, r *REPL, words []string) error {
	if len(words) == 0 {
		return fmt.Errorf("%s: nothing to %s: give one of: %s", e.name, e.name, names(e.below))
	}
	next := find(e.below, words[0])
	if next == nil {
		return fmt.Errorf("%s: unknown word %q: give one of: %s", e.name, words[0], names(e.below))
	}
	return next.call(ctx, r, e.name+" "+next.name, words[1:])
}

// find looks an entry up by its whole name; nil if there is none.
func find(entries []*entry, name string) *entry {
	i := slices.IndexFunc(entries, func(e *entry) bool { return e.name == name })
	if i < 0 {
		return nil
	}
	return entries[i]
}

func names(entries []*entry) string {
	var s []string
	for _, e := range entries {
		s = append(s, e.name)
	}
	return strings.Join(s, ", ")
}

// Complete gives the words that the last word of line may become.
func (v Verbs) Complete(line string) []string {
	words := strings.Fields(line)
	if len(words) > 0 && strings.HasSuffix(line, words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	entries, values := v.commands(), []string(nil)
	for _, word := range words {
		e := find(entries, word)
		if e == nil {
			return nil
		}
		if e.many {
			return e.values
		}
		entries, values = e.below, e.values
	}
	for _, e := range entries {
		values = append(values, e.name)
	}
	return values
}

// A Usage is something that can be typed: its words, and what it does.
type Usage struct{ Words, Help string }

// Usages gives all that can be typed, in the order of Help.
func (v Verbs) Usages() (all []Usage) { return usages(v.commands(), "") }

func usages(entries []*entry, before string) (all []Usage) {
	for _, e := range entries {
		words := before + e.usage()
		if e.below != nil {
			all = append(all, usages(e.below, words+" ")...)
			continue
		}
		all = append(all, Usage{Words: words, Help: e.help})
	}
	return all
}

// usage is the entry as help shows it.
func (e *entry) usage() string { return strings.TrimRight(e.name+" "+e.arg, " ") }

// Help lists all that can be typed.
func (v Verbs) Help() string {
	var b strings.Builder
	writeHelp(&b, v.commands(), "")
	return b.String()
}

// writeHelp lists the entries as the C program does: the text begins in column
// 35, reached by tabs.
func writeHelp(w io.Writer, entries []*entry, indent string) {
	for _, e := range entries {
		if e.below != nil {
			fmt.Fprintf(w, "%s:\n", e.name)
			writeHelp(w, e.below, "\t")
			continue
		}
		head := e.usage()
		const tab, column = 8, 32
		tabs := max(1, (column-len(indent)*tab-len(head)+tab-1)/tab)
		fmt.Fprintf(w, "%s%s%s - %s\n", indent, head, strings.Repeat("\t", tabs), e.help)
	}
}

// parseBool takes what the C program takes.
func parseBool(s string) (bool, error) {
	switch s {
	case "true", "1":
		return true, nil
	case "false", "0":
		return false, nil
	}
	return false, fmt.Errorf("invalid boolean value %q: give true or false", s)
}

// parseNumber takes a decimal number of so many bits.
func parseNumber(s string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("invalid number %q: give a whole number from 0 to %d", s, uint64(1)<<bits-1)
	}
	return n, nil
}
