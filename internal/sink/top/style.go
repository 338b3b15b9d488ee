package top

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/live"
)

// Attributes of an ANSI terminal.
const (
	bold    = "\x1b[1m"
	reverse = "\x1b[7m"
	red     = "\x1b[31m"
	plain   = "\x1b[0m"
)

// styled gives text with an attribute.
func styled(attribute, text string) string {
	if text == "" {
		return ""
	}
	return attribute + text + plain
}

// cut shortens text to width columns, and says so with the last.
func cut(text string, width int) string { return ansi.Truncate(text, max(width, 0), "…") }

// pad cuts or fills text to width columns.
func pad(text string, width int) string {
	text = cut(text, width)
	return text + strings.Repeat(" ", max(0, width-ansi.StringWidth(text)))
}

// apart puts left and right at the ends of a line of width columns. Where there is
// no room for both, right is the one that is whole.
func apart(left, right string, width int) string {
	room := width - ansi.StringWidth(right)
	return pad(left, room-1) + strings.Repeat(" ", min(1, max(0, room))) + right
}

// count gives a number in at most six characters: 999999, 12.3M, 1.23G.
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

// plural gives a number of things: "1 drop", "7 drops".
func plural[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// bars are shares of the most, from a little to all.
var bars = []rune("▁▂▃▄▅▆▇█")

// sparkline draws h, which ends before a second of the clock, in width columns:
// the mean of as many seconds each, the highest is the most. A column without drops
// is empty. Columns begin at the same seconds whenever they are drawn, so the last
// has fewer at first. Width divides [live.Seconds].
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

// sparkFit is the width of the widest sparkline that has room.
func sparkFit(room int) int {
	for _, width := range []int{60, 30, 20, 12} {
		if width <= room {
			return width
		}
	}
	return 6
}

// bar stands for a part of the most.
func bar(n, most float64) rune {
	if n == 0 {
		return ' '
	}
	return bars[min(int(n/most*float64(len(bars))), len(bars)-1)]
}

// asciiOf stands for the characters that are drawn.
var asciiOf = map[rune]rune{
	'…': '~', '▼': 'v', '▲': '^',
	'▁': '_', '▂': '.', '▃': ':', '▄': '-', '▅': '=', '▆': '+', '▇': '*', '█': '#',
}

// ascii gives a line of the same width without characters beyond ASCII.
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
