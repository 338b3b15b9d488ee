// Package suggest finds the names that a mistyped one may stand for. It compares bytes,
// as all names here are ASCII: those of fields, reasons, functions and commands.
package suggest

import (
	"cmp"
	"slices"
	"strings"
)

// maxLen is the length in bytes beyond which a mistyped name is not looked up: the
// time for each comparison grows with the product of both lengths, and what was
// typed may come from anywhere.
const maxLen = 64

// Question asks which name was meant: "did you mean NO_SOCKET?", with at most three
// names. It is empty if no name is close. The names are printed as they are: the
// caller escapes what it does not know.
func Question(typed string, names []string) string {
	near := Nearest(typed, names)
	if len(near) == 0 {
		return ""
	}
	return "did you mean " + OneOf(near) + "?"
}

// Choice says which of a few names to give: a [Question], or all of them.
func Choice(typed string, names []string) string {
	return cmp.Or(Question(typed, names), "give one of: "+strings.Join(names, ", "))
}

// Nearest returns the names closest to what was typed, at most three, the closest
// first: one letter may differ, and one more for every four. A name of parts, as
// tcp.type, is closest to its last part. If no name is that close, it returns names
// that begin with what was typed. Case is ignored.
func Nearest(typed string, names []string) []string {
	if len(typed) > maxLen {
		return nil
	}
	const beginning = 3 // fewer letters begin too many names
	typed = strings.ToLower(typed)
	var near, begin []string
	distances := make(map[string]int)
	most := 1 + len(typed)/4
	for _, name := range names {
		longer := len(name) - len(typed) // at least so many letters differ
		if _, known := distances[name]; known {
			continue
		}
		lower := strings.ToLower(name)
		if strings.HasSuffix(lower, "."+typed) {
			near, distances[name] = append(near, name), 0
			continue
		}
		if max(longer, -longer) <= most {
			if d := distance(typed, lower); d <= most {
				near, distances[name] = append(near, name), d
				continue
			}
		}
		if len(typed) >= beginning && strings.HasPrefix(lower, typed) {
			begin, distances[name] = append(begin, name), longer
		}
	}
	if len(near) == 0 {
		near = begin
	}
	slices.SortStableFunc(near, func(a, b string) int { return cmp.Compare(distances[a], distances[b]) })
	return near[:min(len(near), 3)]
}

// distance returns the number of letters to add, remove, replace or swap with their
// neighbour to turn a into b (optimal string alignment). It keeps three rows of the
// table, which is all that a swap looks back.
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

// OneOf formats alternatives: "a, b or c".
func OneOf(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}
