// Package knowledge explains drops to who has to mend them: what happened, what to
// look at, and what to do.
package knowledge

import (
	"strings"

	"dropwatch/internal/event"
)

// An Entry says what is known of a kind of drop, in short English sentences.
type Entry struct {
	Layer  string // the part of the network stack, as "tcp" or "qdisc"
	Cause  string // what happened, and what it usually means
	Check  string // where to look; may be empty
	Remedy string // what to do; may be empty
}

// Of explains a drop by its reason, or if the kernel gave none by its devlink trap
// or the function that dropped it. It returns false if nothing is known.
func Of(e *event.Event) (Entry, bool) {
	if e.Reason != "" && e.Reason != "NOT_SPECIFIED" {
		entry, ok := reasons[e.Reason]
		return entry, ok
	}
	if e.Where.Trap != "" {
		entry, ok := traps[e.Where.Trap]
		return entry, ok
	}
	symbol, _, _, _ := e.Where.Name()
	function, _, _ := strings.Cut(symbol, ".") // the compiler's copies are called f.isra.0
	entry, ok := functions[function]
	return entry, ok
}

// String gives a line for each of cause, check and remedy that is not empty.
func (en Entry) String() string {
	var lines []string
	for _, l := range [...]struct{ title, text string }{{"", en.Cause}, {"check: ", en.Check}, {"mend: ", en.Remedy}} {
		if l.text != "" {
			lines = append(lines, l.title+l.text)
		}
	}
	return strings.Join(lines, "\n")
}
