// Package traffic writes, at the end of a run, what was read of capture files: a table by direction.
package traffic

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"dropwatch/internal/event"
	"dropwatch/internal/retrans"
)

// Options of a table.
type Options struct {
	Bold bool // print the head in bold
}

// maxRows is how many directions the table has. The others are added up in one row.
const maxRows = 20

// A Sink writes a table when the run has ended.
type Sink struct {
	to     io.Writer
	report func() *retrans.Report // called once, after the source has ended
	opts   Options
	buf    []byte
}

// New returns a Sink that writes to w. Report is called once, after the source has ended.
func New(w io.Writer, report func() *retrans.Report, o Options) *Sink {
	return &Sink{to: w, report: report, opts: o}
}

// Write formats the report at the End. If nothing could be read, there is none: the error of the run says all.
func (s *Sink) Write(e *event.Event) error {
	if e.Kind != event.End {
		return nil
	}
	if r := s.report(); r.Files > 0 || r.Packets > 0 {
		s.buf = table(r, e.Ledger, s.opts)
	}
	return nil
}

// Flush writes what was formatted.
func (s *Sink) Flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	_, err := s.to.Write(s.buf)
	s.buf = nil
	return err
}

// columns are the head of the table. All but the last are aligned to the right.
var columns = [...]string{"resent", "%", "segments", "payload", "reordered", "resets", "direction"}

// A row is the text of a line, by column.
type row [len(columns)]string

// table returns the table with what is above and below it.
func table(r *retrans.Report, l *event.Ledger, o Options) []byte {
	total := r.Total()
	head := fmt.Sprintf("%s, %s in %v: %s of TCP, %s resent (%.2f %%)", event.Plural(r.Packets, "packet"), size(r.Bytes),
		r.Span.Round(time.Millisecond), event.Plural(total.Segments, "segment"), number(total.Resent), total.Percent())
	if o.Bold {
		head = "\x1b[1m" + head + "\x1b[0m"
	}
	b := append([]byte(head), '\n')
	if len(r.Traffic) > 0 {
		b = appendRows(b, rows(r.Traffic))
	}
	b = appendTypes(b, &total)
	if r.Unanalyzed > 0 {
		b = fmt.Appendf(b, "%s not analyzed: fragments, or cut within the TCP header\n", event.Plural(r.Unanalyzed, "segment"))
	}
	if l.TCP.Rejected > 0 {
		b = fmt.Appendf(b, "%s filtered\n", event.Plural(l.TCP.Rejected, "event"))
	}
	return append(b, l.Report()...)
}

// rows returns the cells of the directions.
func rows(all []*retrans.Traffic) []row {
	table := []row{columns}
	shown := all[:min(len(all), maxRows)]
	for _, t := range shown {
		table = append(table, cells(t, name(t)))
	}
	var rest retrans.Traffic
	for _, t := range all[len(shown):] {
		rest.Add(t)
	}
	if n := len(all) - len(shown); n > 0 {
		table = append(table, cells(&rest, event.Plural(n, "other direction")))
	}
	return table
}

// name returns the addresses of a direction.
func name(t *retrans.Traffic) string {
	if !t.Src.IsValid() {
		return "between further addresses"
	}
	return t.Src.String() + " > " + t.Dst.String()
}

// cells returns the columns of a row, all but the addresses.
func cells(t *retrans.Traffic, direction string) row {
	return row{
		number(t.Resent), fmt.Sprintf("%.2f", t.Percent()), number(t.Segments), size(t.Bytes),
		number(t.Type(event.OutOfOrder)), number(t.Resets), direction,
	}
}

// appendRows appends a table: each column as wide as its longest cell, in runes.
func appendRows(b []byte, table []row) []byte {
	var widths [len(columns)]int
	for _, r := range table {
		for i, cell := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, r := range table {
		for i, cell := range r[:len(columns)-1] {
			b = fmt.Appendf(b, "  %*s", widths[i], cell)
		}
		b = fmt.Appendf(b, "  %s\n", r[len(columns)-1])
	}
	return b
}

// appendTypes appends how many segments were of each type, if any were.
func appendTypes(b []byte, total *retrans.Traffic) []byte {
	var all []string
	for t := event.Retransmission; t <= event.PortReuse; t++ {
		if n := total.Type(t); n > 0 {
			all = append(all, fmt.Sprintf("%d %v", n, t))
		}
	}
	if len(all) == 0 {
		return b
	}
	return append(b, event.Wrap(strings.Join(all, ", "), "types: ", "       ", 80)...)
}

func number(n uint64) string { return fmt.Sprint(n) }

// size formats a number of bytes with decimal units.
func size(n uint64) string {
	const k = 1000
	if n < k {
		return fmt.Sprintf("%d B", n)
	}
	scaled, unit := float64(n), ""
	for _, unit = range []string{"B", "kB", "MB", "GB", "TB", "PB"} {
		if scaled < k {
			break
		}
		scaled /= k
	}
	return fmt.Sprintf("%.1f %s", scaled, unit)
}
