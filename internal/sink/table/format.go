package table

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

// cells are a line: two columns of numbers and three of words.
type cells [5]string

// The first column of words, and the width below which it is not cut.
const (
	placeColumn = 2
	leastPlace  = 16
)

// gap is what begins a line and separates columns.
const gap = "  "

// appendCells appends a table, each column as wide as needed. Places are cut so
// that it fits width, and if that does not do, so are lines; 0 does not cut.
func appendCells(b []byte, table []cells, width int) []byte {
	var widths [len(cells{})]int
	for _, line := range table {
		for i, c := range line {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	widths[placeColumn] = fit(widths, width)
	for _, line := range table {
		text := bytes.TrimRight(appendLine(nil, line, widths), " ")
		b = append(b, cut(string(text), width)...)
		b = append(b, '\n')
	}
	return b
}

// fit gives the width of places that makes the table fit.
func fit(widths [len(cells{})]int, width int) int {
	place := widths[placeColumn]
	over := -width
	for _, w := range widths {
		if w > 0 {
			over += len(gap) + w
		}
	}
	if width == 0 || over <= 0 {
		return place
	}
	return max(place-over, min(place, leastPlace))
}

// appendLine aligns numbers to the right, and words to the left.
func appendLine(b []byte, line cells, widths [len(cells{})]int) []byte {
	for i, c := range line {
		b = append(b, gap...)
		if i < placeColumn {
			b = fmt.Appendf(b, "%*s", widths[i], c)
		} else {
			b = fmt.Appendf(b, "%-*s", widths[i], cut(c, widths[i]))
		}
	}
	return b
}

// cut shortens text to width characters, and says so with the last. 0 does not
// cut.
func cut(text string, width int) string {
	if width == 0 || utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}
