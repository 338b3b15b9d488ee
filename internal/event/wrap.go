package event

import (
	"strings"
	"unicode/utf8"
)

// leastText is how many characters of text a line has at least: a narrower terminal is left to
// break it.
const leastText = 20

// Wrap breaks text between words into lines of at most width characters, the first after first, the
// others after indent, which have the same width. Longer words are not broken. A width of 0 makes
// one line.
func Wrap(text, first, indent string, width int) string {
	room := max(width-utf8.RuneCountInString(indent), leastText)
	var b strings.Builder
	n := 0 // characters of the line
	for _, word := range strings.Fields(text) {
		size := utf8.RuneCountInString(word)
		switch {
		case n == 0:
			b.WriteString(first)
		case width > 0 && n+1+size > room:
			b.WriteString("\n" + indent)
			n = 0
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += size
	}
	return b.String() + "\n"
}
