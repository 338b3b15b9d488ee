package top

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/knowledge"
	"dropwatch/internal/live"
)

// Attributes of an ANSI terminal (ECMA-48 SGR).
const (
	bold    = "\x1b[1m"
	faint   = "\x1b[2m"
	reverse = "\x1b[7m"
	red     = "\x1b[31m"
	yellow  = "\x1b[33m"
	plain   = "\x1b[0m"
)

// style returns the attribute of a row, by how much its events matter. It is empty
// for a row that needs none.
func (o *Options) style(r *live.Row) string {
	if r.Example == nil {
		return ""
	}
	x, _ := explain(r.Example)
	switch {
	case x.Severity == knowledge.Noise:
		return faint
	case x.Severity == knowledge.Harm && o.Color:
		return bold + red
	case x.Severity == knowledge.Harm:
		return bold
	case x.Severity == knowledge.Maybe && o.Color:
		return yellow
	}
	return ""
}

// styled returns text with an attribute, which ends with it.
func styled(attribute, text string) string {
	if text == "" || attribute == "" {
		return text
	}
	return attribute + text + plain
}

// cut shortens text to width columns, the last of which is then an ellipsis.
func cut(text string, width int) string { return ansi.Truncate(text, max(width, 0), "…") }

// pad cuts or fills text to exactly width columns.
func pad(text string, width int) string {
	text = cut(text, width)
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}

// shorten cuts a name to width columns in the middle: the offset of a location and the PID of an
// owner, which tell it from others, stay. A PID alone still names an owner.
func shorten(name string, width int) string {
	least := 5 // columns of what is before them
	at := strings.LastIndexAny(name, "+/")
	if at < 0 || ansi.StringWidth(name) <= width {
		return cut(name, width)
	}
	tail := name[at:]
	if isPID(tail) {
		least = 1
	}
	switch room := width - ansi.StringWidth(tail); {
	case room >= least:
		return cut(name[:at], room) + tail
	case room >= -1 && least == 1:
		return tail[1:]
	}
	return cut(name, width)
}

// isPID reports whether the end of an owner's name is its PID: "/812", or "/812?".
func isPID(tail string) bool {
	_, err := strconv.ParseUint(strings.TrimSuffix(tail[1:], "?"), 10, 32)
	return tail[0] == '/' && err == nil
}

// apart puts left and right at the ends of a line of width columns. If there is no
// room for both, left is cut.
func apart(left, right string, width int) string {
	room := width - ansi.StringWidth(right)
	return pad(left, room-1) + strings.Repeat(" ", min(1, max(0, room))) + right
}

// count formats a number in at most six characters: 999999, 12.3M, 1.23G.
func count(n uint64) string {
	if n < 1e6 {
		return strconv.FormatUint(n, 10)
	}
	f, unit := float64(n)/1e6, 0
	for ; f >= 999.5; unit++ {
		f /= 1000
	}
	decimals := 2
	for limit := 10.0; f >= limit && decimals > 0; limit *= 10 {
		decimals--
	}
	return fmt.Sprintf("%.*f%c", decimals, f, "MGTPE"[unit])
}

// bars are eight heights, from a little to all.
var bars = []rune("▁▂▃▄▅▆▇█")

// sparkline draws h in width columns, each the mean of as many seconds; the highest
// bar is the maximum of h. A column without drops is empty. End is the second at
// which h ends: columns begin at the same seconds whenever they are drawn, so that
// bars do not flicker, and the last has fewer seconds at first. Width divides
// [live.Seconds].
func sparkline(h *live.History, end int64, width int) string {
	if width == 0 {
		return ""
	}
	each := int64(live.Seconds / width)
	sums, seconds := make([]float64, width), make([]float64, width)
	for i, n := range h {
		second := end - live.Seconds + int64(i)
		if column := second/each - (end-1)/each + int64(width) - 1; second >= 0 && column >= 0 {
			sums[column] += float64(n)
			seconds[column]++
		}
	}
	var most float64
	for i := range sums {
		sums[i] /= max(1, seconds[i])
		most = max(most, sums[i])
	}
	line := make([]rune, width)
	for i, n := range sums {
		line[i] = bar(n, most)
	}
	return string(line)
}

// sparkFit returns the width of the widest sparkline for which there is room.
func sparkFit(room int) int {
	for _, width := range []int{60, 30, 20, 12} {
		if width <= room {
			return width
		}
	}
	return 6
}

// bar returns the bar for n of most.
func bar(n, most float64) rune {
	if n == 0 {
		return ' '
	}
	return bars[min(int(n/most*float64(len(bars))), len(bars)-1)]
}

// asciiOf has what stands for the characters that are drawn here.
var asciiOf = map[rune]rune{
	'…': '~', '▼': 'v', '▲': '^',
	'▁': '_', '▂': '.', '▃': ':', '▄': '-', '▅': '=', '▆': '+', '▇': '*', '█': '#',
}

// ascii returns a line of the same width with ASCII characters only.
func ascii(line string) string {
	var b strings.Builder
	for _, r := range line {
		switch other, known := asciiOf[r]; {
		case r < 0x80:
			b.WriteRune(r)
		case known:
			b.WriteRune(other)
		default:
			b.WriteString(strings.Repeat("?", ansi.StringWidth(string(r))))
		}
	}
	return b.String()
}
