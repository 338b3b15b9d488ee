package top

import (
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/live"
)

// The widths of what is left of the names.
const (
	markWidth  = 1
	rateWidth  = 8
	totalWidth = 7
	gap        = "  "
)

// names are the columns of names: their titles, and how they are cut where there is
// no room. The column that is widest for its weight is cut first, but none to less
// than its least width; after that, lines are cut.
var names = [live.Keys]struct {
	title         string
	weight, least int
}{
	live.Location:  {"LOCATION", 3, 14},
	live.Reason:    {"REASON", 6, 10},
	live.Interface: {"IFACE", 1, 5},
	live.Owner:     {"OWNER", 2, 8},
	live.Netns:     {"NETNS", 1, 5},
	live.Protocol:  {"PROTO", 1, 5},
	live.Peer:      {"PEER", 4, 15},
	live.Direction: {"DIR", 1, 3},
	live.Type:      {"TYPE", 1, 6},
	live.Lost:      {"LOST", 1, 8},
}

// sparkWidth returns the width of sparklines on a screen of width columns.
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

// grouping lists the keys, and marks those that the rows are grouped by.
func (l *list) grouping() string {
	line := "press to group by:"
	for i, k := range l.view.subject.Keys {
		mark := " "
		if l.group.Has(k) {
			mark = "*"
		}
		line += fmt.Sprintf(" %d%s%v", i+1, mark, k)
	}
	return line
}

// lines returns the list on room lines: the head, and the rows around the selected
// one, each with the attribute that style returns.
func (l *list) lines(width, room int, style func(*live.Row) string) []string {
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
		attribute := style(l.rows[i])
		if i == l.at {
			line, attribute = pad(line, width), attribute+reverse
		}
		line = styled(attribute, cut(line, width))
		lines = append(lines, line)
	}
	return lines
}

// scroll moves the window of room rows so that the selected row is in it.
func (l *list) scroll(room int) {
	l.top = max(0, min(l.top, l.at, len(l.rows)-room))
	if room > 0 {
		l.top = max(l.top, l.at-room+1)
	}
}

// fit returns the width of each column of names; 0: it is not shown. Where there is
// no room, columns without any name are left out first.
func (l *list) fit(room int) (widths [live.Keys]int) {
	columns := 0
	for _, k := range l.view.subject.Keys {
		if l.group.Has(k) {
			columns++
			widths[k] = l.widthOf(k)
			room -= len(gap) + widths[k]
		}
	}
	for _, k := range l.view.subject.Keys {
		if room < 0 && columns > 1 && widths[k] > 0 && l.isEmpty(k) {
			room += len(gap) + widths[k]
			widths[k] = 0
			columns--
		}
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

// widthOf returns the width that a column needs for its title and all names.
func (l *list) widthOf(k live.Key) int {
	width := ansi.StringWidth(l.title(by(k)))
	for i := range l.rows {
		width = max(width, ansi.StringWidth(l.rows[i].Text(k)))
	}
	return width
}

// isEmpty reports whether no row has a name by a key. A column that the list is
// sorted by counts as not empty.
func (l *list) isEmpty(k live.Key) bool {
	return len(l.rows) > 0 && l.sortedBy != by(k) && !slices.ContainsFunc(l.rows, func(r *live.Row) bool { return r.Text(k) != "-" })
}

// widest returns the column to cut next; ok is false if all have their least width.
func widest(widths *[live.Keys]int) (key live.Key, ok bool) {
	most := 0
	for k, w := range widths {
		if share := w * 6 / names[k].weight; w > names[k].least && share > most {
			key, ok, most = live.Key(k), true, share
		}
	}
	return key, ok
}

// title returns the head of a column, with an arrow if the list is sorted by it.
func (l *list) title(c column) string {
	text := l.view.rate
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

// heading returns the first line of the list.
func (l *list) heading(spark int, widths [live.Keys]int) string {
	head := func(k live.Key) string { return l.title(by(k)) }
	return l.cells(" ", l.title(byRate), l.title(byTotal), pad("MINUTE", spark), head, widths)
}

// line returns one row. The selected one is marked without colours, too.
func (l *list) line(r *live.Row, selected bool, spark int, widths [live.Keys]int) string {
	mark := " "
	if selected {
		mark = ">"
	}
	graph := sparkline(&r.History, l.elapsed, spark)
	return l.cells(mark, numberOf(r, r.History.Rate()), numberOf(r, r.Total), graph, r.Text, widths)
}

// numberOf formats a number of a row, with ~ before it if it counts only samples.
func numberOf(r *live.Row, n uint64) string {
	if r.Sampled {
		return "~" + count(n)
	}
	return count(n)
}

// cells joins the columns of one line.
func (l *list) cells(mark, rate, total, graph string, name func(live.Key) string, widths [live.Keys]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%*s%*s", mark, rateWidth, rate, totalWidth, total)
	if graph != "" {
		b.WriteString(gap + graph)
	}
	for _, k := range l.view.subject.Keys {
		if w := widths[k]; w > 0 {
			b.WriteString(gap + pad(shorten(name(k), w), w))
		}
	}
	return strings.TrimRight(b.String(), " ")
}
