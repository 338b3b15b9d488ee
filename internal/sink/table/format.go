package table

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"dropwatch/internal/event"
)

// cells are a row: two columns of numbers and three of words.
type cells [5]string

// A line is a row of the table, with a text below it that begins under the
// location.
type line struct {
	cells
	below string // may be empty
}

// Locations are the first column of words, and the only one that is cut. It stays at
// least so wide.
const (
	locationColumn = 2
	leastLocation  = 16
)

// gap begins each line and separates columns.
const gap = "  "

// appendLines appends a table. Each column is as wide as its longest cell.
// Locations are cut so that the table fits width; if that is not enough, lines are
// cut. A width of 0 cuts nothing.
func appendLines(b []byte, table []line, width int) []byte {
	var widths [len(cells{})]int
	for _, l := range table {
		for i, c := range l.cells {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	widths[locationColumn] = fit(widths, width)
	indent := strings.Repeat(" ", widths[0]+widths[1]+len(gap)*(locationColumn+1))
	for _, l := range table {
		text := bytes.TrimRight(appendCells(nil, l.cells, widths), " ")
		b = append(append(b, cut(string(text), width)...), '\n')
		if l.below != "" {
			b = append(b, event.Wrap(l.below, indent, indent, width)...)
		}
	}
	return b
}

// fit returns the width of locations with which the table fits.
func fit(widths [len(cells{})]int, width int) int {
	location := widths[locationColumn]
	over := -width
	for _, w := range widths {
		if w > 0 {
			over += len(gap) + w
		}
	}
	if width == 0 || over <= 0 {
		return location
	}
	return max(location-over, min(location, leastLocation))
}

// appendCells aligns numbers to the right and words to the left.
func appendCells(b []byte, line cells, widths [len(cells{})]int) []byte {
	for i, c := range line {
		b = append(b, gap...)
		if i < locationColumn {
			b = fmt.Appendf(b, "%*s", widths[i], c)
		} else {
			b = fmt.Appendf(b, "%-*s", widths[i], cut(c, widths[i]))
		}
	}
	return b
}

// cut shortens text to width characters, of which the last is then an ellipsis. A
// width of 0 cuts nothing.
func cut(text string, width int) string {
	if width == 0 || utf8.RuneCountInString(text) <= width {
		return text
	}
	return string([]rune(text)[:width-1]) + "…"
}
