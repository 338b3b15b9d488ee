package repl

import (
	"strings"
)

// Complete returns the words that the last word of line can become; those that do
// not begin with it are among them, and are left out by the terminal.
func (l *Language) Complete(line string) []string {
	words := strings.Fields(line)
	if len(words) > 0 && strings.HasSuffix(line, words[len(words)-1]) {
		words = words[:len(words)-1]
	}
	entries, values := l.commands(), []string(nil)
	for _, word := range words {
		e := find(entries, word)
		if e == nil {
			return nil
		}
		switch {
		case e.name == "help":
			return l.names()
		case e.many:
			return e.values
		}
		entries, values = e.below, e.values
	}
	for _, e := range entries {
		values = append(values, e.name)
	}
	return values
}

// A Usage is something that can be typed, and what it does.
type Usage struct{ Words, Help string }

// Usages returns all that can be typed, in the order of Help. The manual page is
// made from it.
func (l *Language) Usages() (all []Usage) { return usages(l.commands(), "") }

// usages returns those of entries, each with the words typed before it.
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

// Help returns what the command help prints.
func (l *Language) Help() string {
	var b strings.Builder
	writeHelp(&b, l.commands(), "")
	return b.String()
}
