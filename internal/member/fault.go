package member

import (
	"fmt"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/suggest"
)

// An Error is a fault in the text of an expression.
type Error struct {
	Path string // the part of the text that ends with the fault
	Why  string // what is wrong, and what is there instead
}

// Error returns the path and what is wrong with it, escaped for a terminal.
func (e *Error) Error() string { return event.Escape(e.Path + ": " + e.Why) }

// faultAt returns the error of a part of a text, at its end.
func faultAt(text string, from, to int, format string, args ...any) *Error {
	to = min(to, len(text))
	return &Error{Path: strings.TrimSpace(text[from:to]), Why: fmt.Sprintf(format, args...)}
}

// maxListed bounds how many names an error lists.
const maxListed = 12

// near says which names there are, or those of them that are spelled nearly as one that is
// not there.
func near(typed string, names []string) string {
	if len(names) == 0 {
		return "it has none"
	}
	if found := suggest.Nearest(typed, names); len(found) > 0 {
		names = found
	}
	list := strings.Join(names[:min(len(names), maxListed)], ", ")
	if len(names) > maxListed {
		return fmt.Sprintf("it has %s and %d more", list, len(names)-maxListed)
	}
	return "it has " + list
}
