package table

import (
	"fmt"
	"strings"
	"time"

	"dropwatch/internal/event"
)

// schedule sets the timer for the end of the interval that now is in, as there
// is something to print then. An interval without drops sets none.
func (s *Sink) schedule() {
	left := s.opts.Every - time.Since(s.begin)%s.opts.Every
	s.due = true
	s.timer = time.AfterFunc(left, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.ended {
			return
		}
		s.due = false
		s.interval(time.Now())
		s.flush()
	})
}

// advance makes the table of the interval that a recorded run leaves at t, if
// it does.
func (s *Sink) advance(t time.Time) {
	if s.opts.Every == 0 || t.Before(s.until) {
		return
	}
	s.interval(s.until)
	s.until = t.Add(s.opts.Every - t.Sub(s.begin)%s.opts.Every)
}

// interval appends the table of what came since the last, until now.
func (s *Sink) interval(now time.Time) {
	all := s.tally.shares(func(r *row) uint64 { return r.drops - r.printed })
	lost := s.lost.Report()
	if len(all) == 0 && lost == "" {
		return
	}
	head := fmt.Sprintf("%s  %s", now.Local().Format(time.TimeOnly), count(sum(all)))
	s.appendColored(s.bold, head+"\n")
	s.appendTable(all, cells{"drops/s", "total", "place", "reason"}, func(r share) (string, string) {
		return fmt.Sprintf("%.1f", float64(r.drops)/s.opts.Every.Seconds()), fmt.Sprint(r.row.drops)
	})
	s.appendColored(s.red, lost)
	for _, r := range all {
		r.printed = r.row.drops
	}
	s.lost = event.Ledger{}
}

// end appends the table of the run, and its ledger.
func (s *Sink) end(e *event.Event) {
	s.ended = true
	if s.timer != nil {
		s.timer.Stop()
	}
	all := s.tally.shares(func(r *row) uint64 { return r.drops })
	total := sum(all)
	s.appendColored(s.bold, fmt.Sprintf("%s in %.1f s\n", count(total), max(0, e.Time.Sub(s.begin)).Seconds()))
	s.appendTable(all, cells{"drops", "share", "place", "reason"}, func(r share) (string, string) {
		return fmt.Sprint(r.drops), fmt.Sprintf("%.1f%%", 100*float64(r.drops)/float64(total))
	})
	s.buf = appendLedger(s.buf, e.Ledger)
	s.appendColored(s.red, e.Ledger.Report())
	s.buf = s.tally.AppendUnseen(s.buf, s.opts.Rows)
}

// count says how many drops there were: "no drops", "1 drop", "7 drops".
func count(n uint64) string {
	if n == 0 {
		return "no drops"
	}
	return plural(n, "drop")
}

// appendTable appends what each place dropped, most first, under its head. The
// numbers of a place come from a function.
func (s *Sink) appendTable(all []share, head cells, numbers func(share) (string, string)) {
	shown, rest := top(all, s.opts.Rows)
	if len(shown) == 0 {
		return
	}
	table := []cells{head}
	for _, r := range shown {
		first, second := numbers(r)
		table = append(table, cells{first, second, r.place, r.reason, r.mark})
	}
	s.buf = appendCells(s.buf, table, s.opts.Width)
	s.buf = append(s.buf, rest...)
}

// appendLedger appends what became of all drops, in numbers that add up.
func appendLedger(b []byte, l *event.Ledger) []byte {
	b = fmt.Appendf(b, "total %d: %d shown, %d lost", l.Total(), l.Shown, l.TotalLost())
	if l.Rejected > 0 {
		b = fmt.Appendf(b, ", %d filtered", l.Rejected)
	}
	if l.Parts > 0 {
		b = fmt.Appendf(b, ", %s of packets counted already", plural(l.Parts, "fragment"))
	}
	return append(b, '\n')
}

// appendColored appends lines, if there are any.
func (s *Sink) appendColored(color, lines string) {
	if text, ok := strings.CutSuffix(lines, "\n"); ok {
		s.buf = fmt.Append(s.buf, color, text, s.plain, "\n")
	}
}
