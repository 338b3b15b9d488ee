package term

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// completer answers the Tab key. The library gets one text to insert or none: it must not list
// candidates, which list does instead.
type completer struct {
	complete func(line string) []string             // Config.Complete
	list     func(line string, candidates []string) // prints several candidates
	off      bool                                   // at a question
}

// Do implements readline.AutoCompleter.
func (c *completer) Do(line []rune, pos int) ([][]rune, int) {
	if c.complete == nil || c.off {
		return nil, 0
	}
	left := string(line[:pos])
	word := left[strings.LastIndexAny(left, " \t")+1:]
	found := slices.DeleteFunc(slices.Clone(c.complete(left)), func(s string) bool {
		return !strings.HasPrefix(s, word)
	})
	rest := extension(word, found)
	if rest == "" {
		if len(found) > 1 {
			c.list(string(line), found)
		}
		return nil, 0
	}
	return [][]rune{[]rune(rest)}, utf8.RuneCountInString(word)
}

// extension returns what can be added to word, with which all words begin: what these have in
// common. A single one is complete, so a space follows, except after a directory.
func extension(word string, words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		if strings.HasSuffix(words[0], "/") {
			return words[0][len(word):]
		}
		return words[0][len(word):] + " "
	}
	common := []rune(words[0])
	for _, w := range words[1:] {
		n := 0
		for _, r := range w {
			if n == len(common) || common[n] != r {
				break
			}
			n++
		}
		common = common[:n]
	}
	return string(common)[len(word):]
}

// table returns words in columns that fit into a width.
func table(words []string, width int) string {
	cell := 0
	for _, w := range words {
		cell = max(cell, utf8.RuneCountInString(w)+2)
	}
	var b strings.Builder
	perRow := max(1, width/cell)
	for row := range slices.Chunk(words, perRow) {
		last := len(row) - 1
		for _, w := range row[:last] {
			fmt.Fprintf(&b, "%-*s", cell, w)
		}
		fmt.Fprintln(&b, row[last])
	}
	return b.String()
}
