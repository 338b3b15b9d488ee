package event

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes a name that the kernel or a file chose safe to print: what a
// terminal could obey, cannot show or is no UTF-8 becomes \x1b and the like.
// A name without any of it is returned as it is.
func Escape(name string) string {
	if strings.IndexFunc(name, hidden) < 0 {
		return name
	}
	var b strings.Builder
	for len(name) > 0 {
		r, size := utf8.DecodeRuneInString(name)
		if hidden(r) {
			for _, c := range []byte(name[:size]) {
				fmt.Fprintf(&b, `\x%02x`, c)
			}
		} else {
			b.WriteString(name[:size])
		}
		name = name[size:]
	}
	return b.String()
}

// hidden tells control characters, the invisible ones that turn the direction
// of text around, and what stands for bytes that are no UTF-8.
func hidden(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
