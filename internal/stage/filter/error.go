package filter

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"dropwatch/internal/event"
)

// An Error says what is wrong with an expression, where, and what to write instead.
type Error struct {
	Text       string // the expression
	Start, End int    // offsets of the wrong part in bytes; both are len(Text) if something is missing
	Reason     string // what is wrong: what to do
}

// Column returns where the wrong part begins, in characters, counted from 1.
func (e *Error) Column() int { return utf8.RuneCountInString(e.Text[:e.Start]) + 1 }

// shown is how many bytes of an expression are printed on either side of the wrong part, and of it.
const shown = 32

// Error returns three lines: the reason, the expression, cut if it is long, and marks below its wrong
// part. They are escaped for a terminal.
func (e *Error) Error() string {
	before, wrong, after := e.Text[:e.Start], e.Text[e.Start:e.End], e.Text[e.End:]
	if cut := len(before) - shown; cut > 0 {
		before = "..." + strings.ToValidUTF8(before[cut:], "")
	}
	if len(wrong) > shown {
		wrong, after = strings.ToValidUTF8(wrong[:shown], "")+"...", ""
	}
	if len(after) > shown {
		after = strings.ToValidUTF8(after[:shown], "") + "..."
	}
	before, wrong = event.Escape(before), event.Escape(wrong)
	return fmt.Sprintf("column %d: %s\n  %s%s%s\n  %s%s", e.Column(), e.Reason, before, wrong, event.Escape(after),
		strings.Repeat(" ", utf8.RuneCountInString(before)), strings.Repeat("^", max(1, utf8.RuneCountInString(wrong))))
}

// quoteForError quotes and escapes a word of an expression, and cuts a long one.
func quoteForError(word string) string {
	if len(word) > shown {
		word = strings.ToValidUTF8(word[:shown], "") + "..."
	}
	return `"` + event.Escape(word) + `"`
}
