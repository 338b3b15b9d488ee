package event

import (
	"strings"
	"unicode/utf8"
)

// Columns is the width of a terminal that texts fit.
const Columns = 80

// leastText is how many characters of text a line has at least: a narrower terminal is left to
// break it.
const leastText = 20

// Wrap breaks text between words into lines of at most width characters, the first after first, the
// others after indent. Each ends with a newline; without a word there is none. Longer words are not
// broken. A width of 0 makes one line.
func Wrap(text, first, indent string, width int) string {
	var b strings.Builder
	begin, n := first, 0 // n: characters of the line after its beginning
	for _, word := range strings.Fields(text) {
		size := utf8.RuneCountInString(word)
		room := max(width-utf8.RuneCountInString(begin), leastText)
		switch {
		case b.Len() == 0:
			b.WriteString(begin)
		case width > 0 && n+1+size > room:
			begin, n = indent, 0
			b.WriteString("\n" + begin)
		default:
			b.WriteByte(' ')
			n++
		}
		b.WriteString(word)
		n += size
	}
	if n > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}
