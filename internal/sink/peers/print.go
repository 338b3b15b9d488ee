package peers

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"dropwatch/internal/event"
	"dropwatch/internal/tally"
)

// An entry is a row with its key and its number of segments.
type entry = tally.Entry[key, row]

// endInterval writes the table of an interval. If a timer calls it (live), it flushes too.
func (s *Sink) endInterval(at time.Time, live bool) {
	s.interval(at)
	if live {
		s.flush()
	}
}

// interval appends the table of the interval that ended now; nothing if nothing was sent again.
func (s *Sink) interval(now time.Time) {
	all := s.sorted(func(r *entry) uint64 { return r.Count - r.Value.printed })
	if len(all) == 0 {
		return
	}
	table := [][]string{{"segs/s", "total", "rtt", "dir", s.opts.By.String(), "types"}}
	var sum uint64
	for _, r := range all {
		n := r.Count - r.Value.printed
		sum += n
		table = append(table, []string{
			fmt.Sprintf("%.1f", float64(n)/s.opts.Every.Seconds()), fmt.Sprint(r.Count), rttOf(r), r.Key.direction.String(),
			s.opts.By.text(r.Key), r.Value.typesText(),
		})
		r.Value.printed = r.Count
	}
	s.headline(fmt.Sprintf("%s  %s retransmitted", now.Local().Format(time.TimeOnly), event.Plural(sum, "segment")))
	s.table(table, 3)
	if s.packets && s.opts.Counted != nil { // what the types do not say
		before := s.rose
		s.rose = s.opts.Counted()
		s.counters("  kernel counters rose by: ", s.rose, before)
	}
}

// sorted returns the rows of which of is not 0, those with the most first.
func (s *Sink) sorted(of func(*entry) uint64) (all []*entry) {
	for r := range s.rows.All {
		if of(r) > 0 {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(a, b *entry) int { return cmp.Compare(of(b), of(a)) })
	return all
}

// end appends the table of the whole run: what was sent again and sent, the resets, what the kernel
// counted, and what was lost.
func (s *Sink) end(e *event.Event) {
	all := s.sorted(func(r *entry) uint64 { return r.Count })
	var sum uint64
	for _, r := range all {
		if r.Key.direction != event.Incoming {
			sum += r.Count
		}
	}
	if s.width() > 0 {
		s.buf = append(s.buf, '\r') // overwrites the ^C that the terminal has echoed
	}
	seconds := max(0, e.Time.Sub(s.intervals.Begin())).Seconds()
	s.headline(fmt.Sprintf("%s retransmitted in %.1f s", plural(sum, "segment"), seconds))
	if len(all) > 0 {
		s.table(s.withSent(all), 4)
	}
	s.lostLines()
	s.resetLines()
	s.ledger(e.Ledger, sum)
}

// withSent returns the rows with what was sent to the same peers, whether again or not.
func (s *Sink) withSent(all []*entry) [][]string {
	sent := s.sentInRun()
	table := [][]string{{"retrans", "sent", "percent", "rtt", "dir", s.opts.By.String(), "types"}}
	for _, r := range all {
		n, percent := "-", "-"
		if total := sent[r.Key]; total >= r.Count {
			n, percent = fmt.Sprint(total), fmt.Sprintf("%.2f%%", 100*float64(r.Count)/float64(total))
		}
		table = append(table, []string{
			fmt.Sprint(r.Count), n, percent, rttOf(r), r.Key.direction.String(), s.opts.By.text(r.Key), r.Value.typesText(),
		})
	}
	return table
}

// sentInRun returns how many segments were sent during the run, by key: by the connections that there are, and
// by those that have ended as far as an event said it. It is nil of a recording, which does not have what
// each connection had sent when it began.
func (s *Sink) sentInRun() map[key]uint64 {
	if s.opts.Connections == nil {
		return nil
	}
	all, by, ended := make(map[key]uint64), &s.opts.By, make(map[connection]sent)
	for _, last := range s.sent { // of a connection with two cookies the later one
		ended[last.connection] = last
	}
	for _, c := range s.opts.Connections() {
		id := connectionOf(c.Netns.Inode, c.Local, c.Remote)
		if k, ok := by.ofEnds(event.Outgoing, c.Local, c.Remote); ok {
			all[k] += s.since(id, c.Sent)
			delete(ended, id)
		}
	}
	var rows []key
	for r := range s.rows.All {
		rows = append(rows, r.Key)
	}
	for id, last := range ended {
		all[rows[last.row]] += s.since(id, uint64(last.segments))
	}
	return all
}

// since returns what a connection has sent since the run began.
func (s *Sink) since(id connection, total uint64) uint64 {
	before := s.before[id]
	if before > total { // another connection had these addresses
		return total
	}
	return total - before
}

// typesText lists the types with their segments, those with the most first, and how many of them this host
// dropped, or may have dropped: "fast 300, rto 40, lost here 12".
func (r *row) typesText() string {
	types := make([]event.SegmentType, 0, len(r.types))
	for t, n := range r.types {
		if n > 0 && event.SegmentType(t) != event.SegmentUnknown {
			types = append(types, event.SegmentType(t))
		}
	}
	slices.SortStableFunc(types, func(a, b event.SegmentType) int { return cmp.Compare(r.types[b], r.types[a]) })
	words := make([]string, len(types))
	for i, t := range types {
		words[i] = fmt.Sprintf("%s %d", t, r.types[t])
	}
	if n := r.fates[event.LostHere]; n > 0 {
		words = append(words, fmt.Sprintf("lost here %d", n))
	}
	if n := r.fates[event.FateUnknown]; n > 0 {
		words = append(words, fmt.Sprintf("lost here unknown %d", n))
	}
	return strings.Join(words, ", ")
}

// rttOf is the smoothed round-trip time of the last connection of a row, to the microsecond; - if no event had one.
func rttOf(r *entry) string {
	if r.Value.rtt == 0 {
		return "-"
	}
	return (time.Duration(r.Value.rtt) * time.Microsecond).String()
}

// plural is event.Plural, with no for 0.
func plural(n uint64, noun string) string {
	if n == 0 {
		return "no " + noun + "s"
	}
	return event.Plural(n, noun)
}

func (s *Sink) headline(text string) { s.buf = fmt.Append(s.buf, s.bold, text, s.plain, "\n") }

// width is that of the terminal now; 0: it is none.
func (s *Sink) width() int {
	if s.opts.Width == nil {
		return 0
	}
	return s.opts.Width()
}

// table appends rows under a head. The first numbers columns are aligned to the right, and the last one is
// broken into lines that fit the terminal.
func (s *Sink) table(rows [][]string, numbers int) {
	last, width := len(rows[0])-1, s.width()
	widths := make([]int, last)
	for _, row := range rows {
		for i, cell := range row[:last] {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row[:last] {
			if i < numbers {
				fmt.Fprintf(&b, "  %*s", widths[i], cell)
			} else {
				fmt.Fprintf(&b, "  %-*s", widths[i], cell)
			}
		}
		if row[last] == "" {
			s.buf = append(append(s.buf, strings.TrimRight(b.String(), " ")...), '\n')
			continue
		}
		b.WriteString("  ")
		indent := strings.Repeat(" ", utf8.RuneCountInString(b.String()))
		s.buf = append(s.buf, event.Wrap(row[last], b.String(), indent, width)...)
	}
}
