package top

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/live"
)

// The widths of what stands before the names.
const (
	markWidth  = 1
	rateWidth  = 8
	totalWidth = 7
	gap        = "  "
)

// names are the columns of names: what stands above each, and how it is cut where
// there is no room. The one that is the widest for its weight is cut first, but not
// to less than the least width; then lines are.
var names = [live.Keys]struct {
	title         string
	weight, least int
}{
	live.Place:     {"PLACE", 3, 14},
	live.Reason:    {"REASON", 2, 10},
	live.Interface: {"IFACE", 1, 5},
	live.Owner:     {"OWNER", 2, 8},
	live.Netns:     {"NETNS", 1, 5},
	live.Protocol:  {"PROTO", 1, 5},
}

// sparkWidth is how wide a sparkline is on a screen of width columns.
func sparkWidth(width int) int {
	switch {
	case width >= 140:
		return 30
	case width >= 100:
		return 12
	case width >= 72:
		return 6
	}
	return 0
}

// grouping says which keys there are, and which of them are on.
func (l *list) grouping() string {
	line := "press to group by:"
	for k := range live.Key(live.Keys) {
		mark := " "
		if l.group.Has(k) {
			mark = "*"
		}
		line += fmt.Sprintf(" %d%s%v", k+1, mark, k)
	}
	return line
}

// lines is the list on that many lines: the head, and the rows around the selected
// one.
func (l *list) lines(width, room int) []string {
	if room <= 0 {
		return nil
	}
	l.scroll(room - 1)
	spark := sparkWidth(width)
	fixed := markWidth + rateWidth + totalWidth + spark
	if spark > 0 {
		fixed += len(gap)
	}
	widths := l.fit(width - fixed)
	lines := []string{styled(reverse, pad(l.heading(spark, widths), width))}
	for i := l.top; i < min(len(l.rows), l.top+room-1); i++ {
		line := l.line(l.rows[i], i == l.at, spark, widths)
		if i == l.at {
			line = styled(reverse, pad(line, width))
		}
		lines = append(lines, line)
	}
	return lines
}

// scroll brings the selected row into a window of that many rows.
func (l *list) scroll(room int) {
	l.top = max(0, min(l.top, l.at, len(l.rows)-room))
	if room > 0 {
		l.top = max(l.top, l.at-room+1)
	}
}

// fit gives the width of the names by each key, 0 for those that are not asked
// for, so that they have room.
func (l *list) fit(room int) (widths [live.Keys]int) {
	for k := range live.Key(live.Keys) {
		if !l.group.Has(k) {
			continue
		}
		widths[k] = ansi.StringWidth(l.title(by(k)))
		for i := range l.rows {
			widths[k] = max(widths[k], ansi.StringWidth(l.rows[i].Text(k)))
		}
		room -= len(gap) + widths[k]
	}
	for ; room < 0; room++ {
		k, ok := widest(&widths)
		if !ok {
			break
		}
		widths[k]--
	}
	return widths
}

// widest gives the key whose names are to be cut first. It is not ok if none are.
func widest(widths *[live.Keys]int) (key live.Key, ok bool) {
	most := 0
	for k, w := range widths {
		if share := w * 6 / names[k].weight; w > names[k].least && share > most {
			key, ok, most = live.Key(k), true, share
		}
	}
	return key, ok
}

// title is the head of a column, which says whether the list is sorted by it.
func (l *list) title(c column) string {
	text := "DROPS/S"
	switch {
	case c == byTotal:
		text = "TOTAL"
	case c >= byName:
		text = names[c-byName].title
	}
	switch descends := c < byName; {
	case c != l.sortedBy:
		return text
	case descends != l.reversed:
		return text + "▼"
	}
	return text + "▲"
}

func (l *list) heading(spark int, widths [live.Keys]int) string {
	head := func(k live.Key) string { return l.title(by(k)) }
	return cells(" ", l.title(byRate), l.title(byTotal), pad("MINUTE", spark), head, widths)
}

func (l *list) line(r *live.Row, selected bool, spark int, widths [live.Keys]int) string {
	mark := " "
	if selected {
		mark = ">"
	}
	graph := sparkline(&r.History, l.elapsed, spark)
	return cells(mark, count(r.History.Rate()), count(r.Total), graph, r.Text, widths)
}

// cells makes a line of columns.
func cells(mark, rate, total, graph string, name func(live.Key) string, widths [live.Keys]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%*s%*s", mark, rateWidth, rate, totalWidth, total)
	if graph != "" {
		b.WriteString(gap + graph)
	}
	for k, w := range widths {
		if w > 0 {
			b.WriteString(gap + pad(name(live.Key(k)), w))
		}
	}
	return strings.TrimRight(b.String(), " ")
}
