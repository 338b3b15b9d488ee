package kallsyms

import (
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// Demangle returns the readable form of a Rust (_R, or _ZN with a hash) or C++
// (_Z) name, and every other name as it is: names of C code come back
// unchanged. What tells the pieces of a function apart, as .cold or
// .llvm.1234, is kept; the hash of a Rust name is not, so two symbols may have
// the same readable form.
func Demangle(name string) string {
	const maxLength = 10 // as a power of 2: 1 KiB is readable, some names are not
	var end int
	switch {
	case strings.HasPrefix(name, "_R"):
		end = strings.IndexByte(name, '.')
	case strings.HasPrefix(name, "_Z"):
		end = strings.LastIndex(name, "E.") + 1
	default:
		return name
	}
	if end <= 0 {
		end = len(name)
	}
	readable, err := demangle.ToString(name[:end], demangle.MaxLength(maxLength))
	if err != nil {
		return name
	}
	return readable + name[end:]
}
