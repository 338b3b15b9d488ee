package top

import (
	"cmp"
	"slices"

	"dropwatch/internal/live"
)

// A column is what a list can be sorted by: a number, or the names by a key.
type column int

const (
	byRate column = iota
	byTotal
	byName // by the first key; the others follow
)

// by returns the column of a key.
func by(k live.Key) column { return byName + column(k) }

// A list is the table of all rows: how it is grouped and sorted, and which row is
// selected.
type list struct {
	view     *view
	group    live.Group // the keys by which rows differ
	sortedBy column
	reversed bool // the smallest first

	rows    []*live.Row // sorted
	elapsed int64       // the second at which their histories end

	at      int        // the selected row
	follow  live.Names // the row that stays selected when the order changes
	follows bool       // follow is set; otherwise the place stays selected, not the row
	top     int        // the first row on the screen
}

// newList returns an empty list. That of a recording is sorted by the totals, as
// the rate is that of its last second.
func newList(w *view, recorded bool) list {
	l := list{view: w, group: w.group}
	if recorded {
		l.sortedBy = byTotal
	}
	return l
}

// set replaces the rows by those of c. The selected row stays selected if it is
// still there.
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

// compare sorts numbers from the largest down and names from A up. Equal ones have
// a fixed order, so that rows do not jump.
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

// current returns the selected row. There must be rows.
func (l *list) current() *live.Row { return l.rows[l.at] }

// press handles a key of the list, which shows room rows. It reports whether it is
// one.
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

// move selects another row, which stays selected from then on.
func (l *list) move(by int) {
	if len(l.rows) == 0 {
		return
	}
	l.at = max(0, min(l.at+by, len(l.rows)-1))
	l.follow, l.follows = l.current().Names, true
}

// sort sorts by the column that is step columns further.
func (l *list) sort(step int) {
	all := l.columns()
	i := slices.Index(all, l.sortedBy) + step
	l.sortedBy, l.reversed = all[(i+len(all))%len(all)], false
}

// columns returns the columns that are shown, from left to right.
func (l *list) columns() []column {
	all := []column{byRate, byTotal}
	for _, k := range l.view.subject.Keys {
		if l.group.Has(k) {
			all = append(all, by(k))
		}
	}
	return all
}

// toggle adds a key to the grouping or removes it; the last one stays.
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
