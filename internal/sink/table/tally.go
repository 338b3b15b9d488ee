package table

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/tally"
)

// maxRows bounds the memory of a Tally. Linux has a few thousand locations that
// drop packets; a host uses a few dozen.
const maxRows = 4096

// A Tally counts drops by location and reason. It keeps nothing of an event. The
// zero value is empty and ready to use.
type Tally struct {
	rows *tally.Tally[key, row] // nil: no drop was added
}

// A key is what distinguishes rows.
type key struct {
	pc           uint64
	trap, reason string
	harmless     string // why nothing was lost
	hardware     bool
	traceOnly    bool
	other        bool // it stands for all locations without room
}

// An entry is a row with its key and its count.
type entry = tally.Entry[key, row]

// A row has the words of a key, ready to print.
type row struct {
	location, reason, mark string
	cause                  cause
	printed                uint64 // how many of the drops were in the tables of intervals
}

// Add counts a drop. It ignores other events, and fragments of packets that
// arrived.
func (t *Tally) Add(e *event.Event) {
	if e.Kind != event.Drop || e.Fragment {
		return
	}
	if t.rows == nil {
		t.rows = tally.New[key, row](maxRows, key.overflow)
	}
	r, isNew := t.rows.Add(key{
		pc: e.Where.PC, trap: e.Where.Trap, reason: e.Reason, harmless: e.Harmless,
		hardware: e.Origin == event.Hardware, traceOnly: e.TraceOnly,
	}, e.Count)
	if isNew {
		r.Value = rowOf(&r.Key, e)
	}
	if !r.Key.other {
		r.Value.cause.add(e)
	}
}

// overflow returns the key that stands for locations without room. The sums by kind
// of drop stay right.
func (k key) overflow() key {
	return key{harmless: k.harmless, hardware: k.hardware, traceOnly: k.traceOnly, other: true}
}

// rowOf returns the words of a key, from a drop that has it.
func rowOf(k *key, e *event.Event) row {
	r := row{location: "other locations", reason: "-", mark: mark(k)}
	if k.other {
		return r
	}
	r.location = string(e.Where.AppendTo(nil))
	if k.reason != "" {
		r.reason = event.Escape(k.reason)
	}
	return r
}

// mark returns the last column: what is special about a drop.
func mark(k *key) string {
	switch {
	case k.hardware:
		return "[hw]"
	case k.traceOnly:
		return "[not in packet mode]"
	}
	return ""
}

// A share is the part of a row that one table shows.
type share struct {
	*entry
	drops uint64
}

// shares returns the rows for which count returns more than 0, the largest first.
// Equal ones are in a fixed order.
func (t *Tally) shares(count func(*entry) uint64) []share {
	if t.rows == nil {
		return nil
	}
	var all []share
	for r := range t.rows.All {
		if n := count(r); n > 0 {
			all = append(all, share{r, n})
		}
	}
	slices.SortFunc(all, func(a, b share) int {
		return cmp.Or(
			cmp.Compare(b.drops, a.drops), cmp.Compare(a.Value.location, b.Value.location),
			cmp.Compare(a.Value.reason, b.Value.reason), cmp.Compare(a.Value.mark, b.Value.mark),
		)
	})
	return all
}

// top returns the first limit shares, and a line that sums up the rest. A limit of
// 0 is none.
func top(all []share, limit int) (shown []share, rest string) {
	if limit == 0 || len(all) <= limit {
		return all, ""
	}
	others := all[limit:]
	return all[:limit], fmt.Sprintf(gap+"and %s: %s\n", event.Plural(len(others), "more location"), event.Plural(sum(others), "drop"))
}

// sum returns the number of drops of all shares.
func sum(all []share) (n uint64) {
	for _, s := range all {
		n += s.drops
	}
	return n
}

// AppendTraceOnly appends the drops that packet mode could not show, if there are
// any: one line for each location and reason. There are at most limit of them,
// unless that is 0.
func (t *Tally) AppendTraceOnly(b []byte, limit int) []byte {
	all := t.shares(func(r *entry) uint64 {
		if r.Key.traceOnly {
			return r.Count
		}
		return 0
	})
	if len(all) == 0 {
		return b
	}
	b = fmt.Appendf(b, "packet mode could not show %s:\n", event.Plural(sum(all), "drop"))
	return appendList(b, all, limit, func(share) string { return "" })
}

// appendList appends one line for each share, with a note. There are at most limit
// lines, unless that is 0.
func appendList(b []byte, all []share, limit int, note func(share) string) []byte {
	shown, rest := top(all, limit)
	width := len(fmt.Sprint(all[0].drops))
	for _, s := range shown {
		b = fmt.Appendf(b, gap+"%*d at %s %s%s\n", width, s.drops, s.Value.location, s.Value.reason, note(s))
	}
	return append(b, rest...)
}

// lossy returns the drops of a row that lost a packet.
func lossy(r *entry) uint64 {
	if r.Key.harmless != "" {
		return 0
	}
	return r.Count
}

// harmless returns the drops of a row that lost nothing.
func harmless(r *entry) uint64 { return r.Count - lossy(r) }

// appendHarmless appends how many drops lost nothing: in one line with the reasons,
// or as a list of at most limit lines, unless that is 0.
func (t *Tally) appendHarmless(b []byte, list bool, limit int) []byte {
	all := t.shares(harmless)
	if len(all) == 0 {
		return b
	}
	b = fmt.Appendf(b, "%s (nothing was lost)", event.Plural(sum(all), "harmless drop"))
	if list {
		return appendList(append(b, ":\n"...), all, limit, func(s share) string { return ": " + event.Escape(s.Key.harmless) })
	}
	return append(append(b, reasonsOf(all)...), '\n')
}

// reasonsOf lists why drops were harmless: ": 48 connection closed, 2 ...".
func reasonsOf(all []share) string {
	counts := tally.New[string, struct{}](maxReasons, func(string) string { return "others" })
	for _, s := range all {
		counts.Add(s.Key.harmless, s.drops)
	}
	var words []string
	for c := range counts.All {
		words = append(words, fmt.Sprintf("%d %s", c.Count, event.Escape(c.Key)))
	}
	return ": " + strings.Join(words, ", ")
}

// maxReasons is how many reasons are listed before "others".
const maxReasons = 4
