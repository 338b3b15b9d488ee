package filter

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"dropwatch/internal/event"
)

// An Error says what is wrong with an expression and what would be right.
type Error struct {
	Text       string // the expression
	Start, End int    // the bytes of Text that are wrong; both its length if something is missing
	Reason     string
}

// Column is where the wrong part begins, in characters from 1.
func (e *Error) Column() int { return utf8.RuneCountInString(e.Text[:e.Start]) + 1 }

// shown is how much of an expression is shown on either side of a fault.
const shown = 32

// Error gives the reason, and below it the expression with the wrong part
// marked, of which a long one is cut to what fits a line.
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

// quoteForError gives a word of the user's, of which a long one is cut.
func quoteForError(word string) string {
	if len(word) > shown {
		word = strings.ToValidUTF8(word[:shown], "") + "..."
	}
	return `"` + event.Escape(word) + `"`
}

// Meant asks which of the names a wrong one stands for: "is NO_SOCKET meant?". It
// is empty if none is like it.
func Meant(wrong string, names []string) string {
	near := nearest(wrong, names)
	if len(near) == 0 {
		return ""
	}
	return "is " + oneOf(near) + " meant?"
}

// nearest gives the names that are the likeliest meant by a wrong one, at most
// three, and none if none is like it.
func nearest(wrong string, names []string) (near []string) {
	if len(wrong) > 2*shown {
		return nil
	}
	allowed := 1 + len(wrong)/4
	far := make(map[string]int)
	for _, name := range names {
		if far[name] = distance(wrong, name); far[name] <= allowed {
			near = append(near, name)
		}
	}
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(far[a], far[b]) })
	return near[:min(len(near), 3)]
}

// distance is how many letters are to be added, left out, replaced or swapped
// with their neighbour to make a of b (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before, last, row = last, row, before
		row[0] = i + 1
		for j := range len(b) {
			differs := 1
			if a[i] == b[j] {
				differs = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+differs)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
	}
	return row[len(b)]
}

// oneOf lists alternatives: "a, b or c".
func oneOf(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
