package kallsyms

import (
	"strings"

	"github.com/ianlancetaylor/demangle"
)

// Demangle returns the readable form of a Rust (_R, or _ZN with a hash) or C++ (_Z) name,
// and every other name, such as those of C, unchanged. A suffix that marks a part of a
// function, such as .cold or .llvm.1234, is kept. The hash of a Rust name is not, so that
// two symbols may have the same readable form.
func Demangle(name string) string {
	const maxLength = 10 // a power of 2: names longer than 1 KiB are left as they are
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
