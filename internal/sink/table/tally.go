package table

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
)

// maxPlaces bounds the memory of a Tally. Linux has some thousand places that
// drop, of which a host uses a few dozen.
const maxPlaces = 4096

// A Tally counts drops by place and reason. It keeps nothing of an event. The
// zero Tally is empty.
type Tally struct {
	rows  map[key]*row
	drops uint64
}

// A key tells drops apart.
type key struct {
	pc           uint64
	trap, reason string
	hardware     bool
	unseen       bool
	other        bool // all places that there is no room for
}

// A row is what is known of a key, its words ready to print.
type row struct {
	place, reason, mark string
	unseen              bool
	drops               uint64
	printed             uint64 // how many of them a table of an interval had
}

// Add counts a drop, and nothing else.
func (t *Tally) Add(e *event.Event) {
	if e.Kind != event.Drop || e.Part {
		return
	}
	k := key{
		pc: e.Where.PC, trap: e.Where.Trap, reason: e.Reason,
		hardware: e.Origin == event.Hardware, unseen: e.Unseen,
	}
	r, ok := t.rows[k]
	if !ok {
		r = t.open(k, e)
	}
	r.drops += e.Count
	t.drops += e.Count
}

// open gives the row of a place that was not seen before.
func (t *Tally) open(k key, e *event.Event) *row {
	r := &row{reason: "-", unseen: k.unseen, mark: mark(k)}
	if len(t.rows) < maxPlaces {
		r.place = string(e.Where.AppendTo(nil))
		k.trap, k.reason = strings.Clone(k.trap), strings.Clone(k.reason)
		if k.reason != "" {
			r.reason = event.Escape(k.reason)
		}
	} else {
		r.place = "other places"
		k = key{hardware: k.hardware, unseen: k.unseen, other: true}
		if other, ok := t.rows[k]; ok {
			return other
		}
	}
	if t.rows == nil {
		t.rows = make(map[key]*row)
	}
	t.rows[k] = r
	return r
}

// mark gives the words for what is special about a drop.
func mark(k key) string {
	switch {
	case k.hardware:
		return "[hw]"
	case k.unseen:
		return "[not in packet mode]"
	}
	return ""
}

// A share is the part of a row that a table shows.
type share struct {
	*row
	drops uint64
}

// shares gives the rows of which count finds any drops, most first.
func (t *Tally) shares(count func(*row) uint64) []share {
	var all []share
	for _, r := range t.rows {
		if n := count(r); n > 0 {
			all = append(all, share{r, n})
		}
	}
	slices.SortFunc(all, func(a, b share) int {
		return cmp.Or(
			cmp.Compare(b.drops, a.drops), cmp.Compare(a.place, b.place),
			cmp.Compare(a.reason, b.reason), cmp.Compare(a.mark, b.mark),
		)
	})
	return all
}

// top parts the first most of all from the rest, which it counts. 0 is no
// limit.
func top(all []share, most int) (shown []share, rest string) {
	if most == 0 || len(all) <= most {
		return all, ""
	}
	return all[:most], fmt.Sprintf(gap+"and %s: %s\n", plural(len(all)-most, "more place"), plural(sum(all[most:]), "drop"))
}

func sum(all []share) (n uint64) {
	for _, s := range all {
		n += s.drops
	}
	return n
}

func plural[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// AppendUnseen appends what packet mode could not show, if anything, a line for
// each place and reason, at most that many unless most is 0.
func (t *Tally) AppendUnseen(b []byte, most int) []byte {
	all := t.shares(func(r *row) uint64 {
		if r.unseen {
			return r.drops
		}
		return 0
	})
	if len(all) == 0 {
		return b
	}
	shown, rest := top(all, most)
	b = fmt.Appendf(b, "packet mode could not show %s:\n", plural(sum(all), "drop"))
	width := len(fmt.Sprint(all[0].drops))
	for _, s := range shown {
		b = fmt.Appendf(b, gap+"%*d at %s %s\n", width, s.drops, s.place, s.reason)
	}
	return append(b, rest...)
}
