package event

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Escape makes a name that the kernel or a file chose safe to print: control
// characters, invisible ones and bytes that are not UTF-8 become \x1b and the like.
// A name without any of them is returned as it is.
func Escape(name string) string {
	if isPlain(name) || strings.IndexFunc(name, hidden) < 0 {
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

// isPlain reports whether a name is of printable ASCII, as most are.
func isPlain(name string) bool {
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' {
			return false
		}
	}
	return true
}

// Quote escapes a name that others chose and puts it in double quotes if it could be
// read as the text around it: if it has a space, a quote or a ?. A process named
// "a/b to c" so cannot imitate the text of a line. Other names stay as they are.
func Quote(name string) string {
	if isBare(name) {
		return name
	}
	if strings.ContainsAny(name, quoted) {
		name = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `"`
	}
	return Escape(name)
}

// quoted are the printable characters for which Quote quotes a name.
const quoted = ` "?`

// isBare reports whether a name is of printable ASCII and needs no quotes, as most are.
func isBare(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == '"' || c == '?' {
			return false
		}
	}
	return true
}

// EscapeLines is Escape for a text of several lines.
func EscapeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = Escape(line)
	}
	return strings.Join(lines, "\n")
}

// hidden reports control characters, the invisible ones that turn the direction
// of text around, and what stands for bytes that are not UTF-8.
func hidden(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
