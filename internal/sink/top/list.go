package top

import (
	"cmp"
	"slices"

	"dropwatch/internal/live"
)

// A column is what a list is sorted by: a number, or the names by a key.
type column int

const (
	byRate column = iota
	byTotal
	byName // by the first key; the others follow
)

// by is the column of a key.
func by(k live.Key) column { return byName + column(k) }

// A list is the table of all rows: how it is grouped and sorted, and where the
// person is in it.
type list struct {
	group    live.Group
	sortedBy column
	reversed bool

	rows    []*live.Row // sorted
	elapsed int64       // seconds, with which the history of each ends

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
	l.rows, l.elapsed = c.Rows(l.group), c.Elapsed()
	slices.SortFunc(l.rows, l.compare)
	if l.follows {
		if i := slices.IndexFunc(l.rows, func(r *live.Row) bool { return r.Names == l.follow }); i >= 0 {
			l.at = i
		}
	}
	l.at = max(0, min(l.at, len(l.rows)-1))
}

// compare sorts numbers from the most, and names from A. What is the same is in a
// fixed order.
func (l *list) compare(a, b *live.Row) int {
	rate := cmp.Compare(b.History.Rate(), a.History.Rate())
	total := cmp.Compare(b.Total, a.Total)
	names := slices.Compare(a.Names[:], b.Names[:])
	var first int
	switch l.sortedBy {
	case byRate:
		first = rate
	case byTotal:
		first = total
	default:
		k := live.Key(l.sortedBy - byName)
		first = cmp.Compare(a.Text(k), b.Text(k))
	}
	if l.reversed {
		first = -first
	}
	return cmp.Or(first, rate, total, names)
}

// current is the selected row, of which there must be one.
func (l *list) current() *live.Row { return l.rows[l.at] }

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
	default:
		return false
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
	i := slices.Index(all, l.sortedBy) + step
	l.sortedBy, l.reversed = all[(i+len(all))%len(all)], false
}

// columns are those that there are.
func (l *list) columns() []column {
	all := []column{byRate, byTotal}
	for k := range live.Key(live.Keys) {
		if l.group.Has(k) {
			all = append(all, by(k))
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
	if !slices.Contains(l.columns(), l.sortedBy) {
		l.sortedBy = byRate
	}
}
