package event

import (
	"iter"
	"strings"
	"unicode/utf8"
)

// Columns is the width of a terminal that texts fit.
const Columns = 80

// Lines breaks a text between words into lines of so many columns. A longer word is not broken.
func Lines(text string, columns int) iter.Seq[string] {
	return func(yield func(string) bool) {
		line := ""
		for _, word := range strings.Fields(text) {
			switch {
			case line == "":
				line = word
			case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= columns:
				line += " " + word
			case !yield(line):
				return
			default:
				line = word
			}
		}
		if line != "" {
			yield(line)
		}
	}
}
