package top

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/live"
)

// A column is what a list is sorted by: a number, or the names by a key.
type column int

const (
	byRate column = iota
	byTotal
	byName // by the first key; the others follow
)

// A list is the table of all rows: how it is grouped and sorted, and where the
// person is in it.
type list struct {
	group    live.Group
	by       column
	reversed bool

	rows    []live.Row // sorted
	elapsed int64      // seconds, with which the history of each ends
	crowded bool

	at      int        // the selected row
	follow  live.Names // the row that stays selected when others pass it
	follows bool       // otherwise the first is
	top     int        // the first row on the screen
}

func newList() list {
	return list{group: live.GroupOf(live.Place, live.Reason, live.Interface, live.Owner)}
}

// set takes the rows as they are now.
func (l *list) set(c *live.Counter) {
	l.rows, l.elapsed, l.crowded = c.Rows(l.group), c.Elapsed(), c.Crowded()
	slices.SortFunc(l.rows, l.compare)
	if l.follows {
		if i := slices.IndexFunc(l.rows, func(r live.Row) bool { return r.Names == l.follow }); i >= 0 {
			l.at = i
		}
	}
	l.at = max(0, min(l.at, len(l.rows)-1))
}

// compare sorts numbers from the most, and names from A. What is the same is in a
// fixed order.
func (l *list) compare(a, b live.Row) int {
	rate := cmp.Compare(b.History.Rate(), a.History.Rate())
	total := cmp.Compare(b.Total, a.Total)
	names := slices.Compare(a.Names[:], b.Names[:])
	var first int
	switch l.by {
	case byRate:
		first = rate
	case byTotal:
		first = total
	default:
		first = cmp.Compare(a.Names[l.by-byName], b.Names[l.by-byName])
	}
	if l.reversed {
		first = -first
	}
	return cmp.Or(first, rate, total, names)
}

// current is the selected row, of which there must be one.
func (l *list) current() *live.Row { return &l.rows[l.at] }

// press obeys a key of the list, that has room for rows.
func (l *list) press(key string, room int) bool {
	switch key {
	case "up", "k", "ctrl+p":
		l.move(-1)
	case "down", "j", "ctrl+n":
		l.move(1)
	case "pgup", "ctrl+b":
		l.move(-max(1, room))
	case "pgdown", "ctrl+f":
		l.move(max(1, room))
	case "home":
		l.at, l.follows = 0, false
	case "end", "G":
		l.move(len(l.rows))
	case "s", ">", ".":
		l.sort(1)
	case "<", ",":
		l.sort(-1)
	case "r":
		l.reversed = !l.reversed
	case "1", "2", "3", "4", "5", "6":
		l.toggle(live.Key(key[0] - '1'))
	default:
		return key == "g" || key == "esc"
	}
	return true
}

func (l *list) move(by int) {
	if len(l.rows) == 0 {
		return
	}
	l.at = max(0, min(l.at+by, len(l.rows)-1))
	l.follow, l.follows = l.current().Names, true
}

// sort goes to the next column, or the one before.
func (l *list) sort(step int) {
	all := l.columns()
	i := slices.Index(all, l.by) + step
	l.by, l.reversed = all[(i+len(all))%len(all)], false
}

// columns are those that there are.
func (l *list) columns() []column {
	all := []column{byRate, byTotal}
	for k := range live.Key(live.Keys) {
		if l.group.Has(k) {
			all = append(all, byName+column(k))
		}
	}
	return all
}

// toggle groups by a key, or does so no longer, unless it is the only one.
func (l *list) toggle(k live.Key) {
	group := l.group ^ live.GroupOf(k)
	if group == 0 {
		return
	}
	l.group, l.follows = group, false
	if !slices.Contains(l.columns(), l.by) {
		l.by = byRate
	}
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

// The widths of what stands before the names.
const (
	markWidth  = 1
	rateWidth  = 8
	totalWidth = 7
	gap        = "  "
	leastName  = 4
)

// sparkWidth is how wide a sparkline is on a screen of width columns.
func sparkWidth(width int) int {
	switch {
	case width >= 140:
		return 30
	case width >= 72:
		return 12
	}
	return 0
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
		line := l.line(&l.rows[i], i == l.at, spark, widths)
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
// for, so that they have room: the widest is cut first.
func (l *list) fit(room int) (widths [live.Keys]int) {
	for k := range live.Key(live.Keys) {
		if !l.group.Has(k) {
			continue
		}
		widths[k] = ansi.StringWidth(l.title(byName + column(k)))
		room -= len(gap)
		for i := range l.rows {
			widths[k] = max(widths[k], ansi.StringWidth(l.rows[i].Names[k]))
		}
	}
	for over := sum(widths) - room; over > 0; over-- {
		widest := slices.Index(widths[:], slices.Max(widths[:]))
		if widths[widest] <= leastName {
			break
		}
		widths[widest]--
	}
	return widths
}

func sum(widths [live.Keys]int) (n int) {
	for _, w := range widths {
		n += w
	}
	return n
}

// titles are the heads of columns.
var titles = map[column]string{
	byRate: "DROPS/S", byTotal: "TOTAL",
	byName + column(live.Place): "PLACE", byName + column(live.Reason): "REASON",
	byName + column(live.Interface): "IFACE", byName + column(live.Owner): "OWNER",
	byName + column(live.Netns): "NETNS", byName + column(live.Protocol): "PROTO",
}

// title is the head of a column, which says whether the list is sorted by it.
func (l *list) title(c column) string {
	if c != l.by {
		return titles[c]
	}
	if down := c < byName; down != l.reversed {
		return titles[c] + "▼"
	}
	return titles[c] + "▲"
}

func (l *list) heading(spark int, widths [live.Keys]int) string {
	var names live.Names
	for k := range names {
		names[k] = l.title(byName + column(k))
	}
	return cells(" ", l.title(byRate), l.title(byTotal), pad("LAST MINUTE", spark), &names, widths)
}

func (l *list) line(r *live.Row, selected bool, spark int, widths [live.Keys]int) string {
	mark := " "
	if selected {
		mark = ">"
	}
	graph := ""
	if spark > 0 {
		graph = sparkline(&r.History, l.elapsed, spark)
	}
	return cells(mark, count(r.History.Rate()), count(r.Total), graph, &r.Names, widths)
}

// cells makes a line of columns.
func cells(mark, rate, total, graph string, names *live.Names, widths [live.Keys]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%*s%*s", mark, rateWidth, rate, totalWidth, total)
	if graph != "" {
		b.WriteString(gap + graph)
	}
	for k, w := range widths {
		if w > 0 {
			b.WriteString(gap + pad(names[k], w))
		}
	}
	return strings.TrimRight(b.String(), " ")
}
