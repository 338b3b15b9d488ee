package table

import (
	"fmt"
	"strings"
	"time"

	"dropwatch/internal/event"
)

// endInterval is called when an interval is over. A live run writes its table at
// once; in a recording the events come faster, and Flush writes.
func (s *Sink) endInterval(now time.Time, live bool) {
	s.interval(now)
	if live {
		s.flush()
	}
}

// interval appends the table of the interval that ended now. Nothing is printed for
// one without drops, points and losses.
func (s *Sink) interval(now time.Time) {
	all := s.tally.shares(func(r *entry) uint64 { return lossy(r) - r.Value.printed })
	lost := s.lost.Report()
	points := s.pointsOfInterval()
	if len(all) == 0 && lost == "" && points == "" {
		return
	}
	head := fmt.Sprintf("%s  %s", now.Local().Format(time.TimeOnly), count(sum(all)))
	if points != "" {
		head += "; at points:" + strings.TrimPrefix(points, ",")
	}
	s.appendColored(s.bold, head+"\n")
	s.appendTable(all, cells{"drops/s", "total", "location", "reason"}, false, func(r share) (string, string) {
		return fmt.Sprintf("%.1f", float64(r.drops)/s.opts.Every.Seconds()), fmt.Sprint(r.Count)
	})
	s.appendColored(s.red, lost)
	for _, r := range all {
		r.Value.printed = r.Count
	}
	s.lost = event.Ledger{}
}

// end appends the table of the whole run, and its ledger. The time is that of the
// End, so a recording shows its own.
func (s *Sink) end(e *event.Event) {
	s.intervals.Stop()
	all := s.tally.shares(lossy)
	total := sum(all)
	if s.width() > 0 {
		s.buf = append(s.buf, '\r') // overwrites the ^C that the terminal has echoed
	}
	took := max(0, e.Time.Sub(s.intervals.Begin())).Seconds()
	if s.opts.OnlyPoints {
		s.endPoints(&e.Ledger.Points, took)
		return
	}
	s.appendColored(s.bold, fmt.Sprintf("%s in %.1f s\n", count(total), took))
	s.appendTable(all, cells{"drops", "share", "location", "reason"}, true, func(r share) (string, string) {
		return fmt.Sprint(r.drops), fmt.Sprintf("%.1f%%", 100*float64(r.drops)/float64(total))
	})
	s.buf = s.tally.appendHarmless(s.buf, s.opts.Harmless, s.opts.Rows)
	s.buf = appendTCP(s.buf, &e.Ledger.TCP)
	if n := e.Ledger.Points.Shown; n > 0 {
		s.buf = fmt.Appendf(s.buf, "beside the drops: %s\n", event.Plural(n, "point event"))
		s.appendPoints()
	}
	if n := e.Ledger.Findings.Shown; n > 0 {
		s.buf = fmt.Appendf(s.buf, "beside the drops: %s\n", event.Plural(n, "finding"))
	}
	s.buf = appendLedger(s.buf, e.Ledger)
	s.appendColored(s.red, e.Ledger.Report())
	s.buf = s.tally.AppendTraceOnly(s.buf, s.opts.Rows)
}

// appendTCP appends how much there was beside the drops; nothing if there was none.
func appendTCP(b []byte, c *event.TCPCounts) []byte {
	if c.Shown() == 0 {
		return b
	}
	var words []string
	for _, part := range []struct {
		n          uint64
		noun, rest string
	}{{c.Retransmits, "segment", " sent or received again"}, {c.Resets, "reset", ""}, {c.Others, "other event", ""}} {
		if part.n > 0 {
			words = append(words, event.Plural(part.n, part.noun)+part.rest)
		}
	}
	return fmt.Appendf(b, "beside the drops, of TCP: %s (dropwatch retrans has a table of them)\n", strings.Join(words, ", "))
}

// width is that of the terminal now; 0: it is none.
func (s *Sink) width() int {
	if s.opts.Width == nil {
		return 0
	}
	return s.opts.Width()
}

// count formats a number of drops: "no drops", "1 drop", "7 drops".
func count(n uint64) string {
	if n == 0 {
		return "no drops"
	}
	return event.Plural(n, "drop")
}

// noise is the cause of a row that needs no attention.
const noise = "noise: no action needed"

// appendTable appends rows under a head. Numbers returns the two numbers of a row.
// With causes, each row has its cause below it, as far as it is known.
func (s *Sink) appendTable(all []share, head cells, causes bool, numbers func(share) (string, string)) {
	shown, rest := top(all, s.opts.Rows)
	if len(shown) == 0 {
		return
	}
	table := []line{{cells: head}}
	for _, r := range shown {
		first, second := numbers(r)
		l := line{cells: cells{first, second, r.Value.location, r.Value.reason, r.Value.mark}}
		switch {
		case !causes:
		case r.Value.cause.matters():
			l.below = r.Value.cause.text
		case r.Value.cause.entry != nil:
			l.below = noise
		}
		table = append(table, l)
	}
	s.buf = appendLines(s.buf, table, s.width())
	s.buf = append(s.buf, rest...)
}

// appendLedger appends the ledger in one line, whose numbers add up to the total.
// What is 0 is left out, but for shown and lost.
func appendLedger(b []byte, l *event.Ledger) []byte {
	b = fmt.Appendf(b, "total %d: %d shown, %d lost", l.Total(), l.Shown, l.TotalLost())
	if l.Harmless > 0 {
		b = fmt.Appendf(b, ", %d harmless", l.Harmless)
	}
	if l.Rejected > 0 {
		b = fmt.Appendf(b, ", %d filtered", l.Rejected)
	}
	if l.Undecided > 0 {
		b = fmt.Appendf(b, ", %d undecided", l.Undecided)
	}
	if l.Fragments > 0 {
		b = fmt.Appendf(b, ", %s of packets counted already", event.Plural(l.Fragments, "fragment"))
	}
	return append(b, '\n')
}

// appendColored appends lines in a colour. It appends nothing if there are none.
func (s *Sink) appendColored(color, lines string) {
	if text, ok := strings.CutSuffix(lines, "\n"); ok {
		s.buf = fmt.Append(s.buf, color, text, s.plain, "\n")
	}
}
