package capture

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// failures are the reasons why sources cannot be used, one error for each.
type failures []error

// join returns the texts with a separator between them.
func (f failures) join(separator string) string {
	texts := make([]string, len(f))
	for i, err := range f {
		texts[i] = err.Error()
	}
	return strings.Join(texts, separator)
}

// permission reports whether at least one source only needs more privileges.
func (f failures) permission() bool {
	return slices.ContainsFunc(f, func(err error) bool { return errors.Is(err, fs.ErrPermission) })
}
