package follow

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"dropwatch/internal/event"
	"dropwatch/internal/flows"
)

// A Text is the Format for a person.
type Text struct {
	Blind bool                      // deliveries are not known
	Netns func(inode uint32) string // the name of a namespace; empty: it has none
	Width func() int                // columns of the terminal, to which text is wrapped; 0: it is not
	Bold  bool                      // print heads in bold
}

// columns are the head of a table. All but the last two are numbers.
var columns = [...]string{"received", "delivered", "forwarded", "sent", "waiting", "dropped", "undecided", "interface", "netns"}

// The columns that are there only if a number is not 0, and the first one that is no number.
const (
	waitingColumn   = 4
	undecidedColumn = 6
	firstWord       = 7
)

// Cells are the text of a line, by column.
type cells [len(columns)]string

// Second appends a table of the growth, with the causes of the drops.
func (t *Text) Second(b []byte, at time.Time, rows []flows.Row, causes []flows.CauseCount) []byte {
	b = t.head(b, at.Local().Format(time.TimeOnly)+"  packets of the flows")
	b = t.table(b, rows)
	for _, c := range causes {
		b = fmt.Appendf(b, "  %d dropped at %s %s\n", c.Packets, c.Location, cmp.Or(event.Escape(c.Reason), "-"))
	}
	return b
}

// End appends the table of the run, and what the account of each namespace amounts to.
func (t *Text) End(b []byte, _ time.Time, rows []flows.Row, accounts []flows.Account) []byte {
	if len(rows) == 0 {
		return append(b, "no packet of these flows was seen\n"...)
	}
	b = t.head(b, "packets of the flows in all")
	b = t.table(b, rows)
	for i := range accounts {
		a := &accounts[i]
		if a.Verdict() == flows.NothingSeen {
			continue
		}
		b = append(b, event.Wrap(t.namespace(a.Netns)+": "+a.Text(), "", "  ", t.Width())...)
	}
	return b
}

// head appends a line in bold.
func (t *Text) head(b []byte, text string) []byte {
	if t.Bold {
		text = "\x1b[1m" + text + "\x1b[0m"
	}
	return append(append(b, text...), '\n')
}

// namespace returns what an account is of.
func (t *Text) namespace(inode uint32) string {
	if inode == 0 {
		return "in a network namespace that is not known"
	}
	return "netns " + t.netns(inode)
}

// netns returns how a namespace is shown.
func (t *Text) netns(inode uint32) string {
	if inode == 0 {
		return "-"
	}
	n := event.Netns{Inode: inode, Name: t.Netns(inode)}
	return string(n.AppendTo(nil))
}

// table appends a row for each interface.
func (t *Text) table(b []byte, rows []flows.Row) []byte {
	all := []cells{columns}
	hidden := map[int]bool{waitingColumn: true, undecidedColumn: true}
	for i := range rows {
		hidden[waitingColumn] = hidden[waitingColumn] && rows[i].Waiting() == 0
		hidden[undecidedColumn] = hidden[undecidedColumn] && rows[i].Packets[flows.Undecided] == 0
		all = append(all, t.cells(&rows[i]))
	}
	var widths [len(columns)]int
	for _, r := range all {
		for i, c := range r {
			widths[i] = max(widths[i], utf8.RuneCountInString(c))
		}
	}
	for _, r := range all {
		var line strings.Builder
		for i, c := range r {
			switch {
			case hidden[i]:
			case i < firstWord:
				fmt.Fprintf(&line, "  %*s", widths[i], c)
			default:
				fmt.Fprintf(&line, "  %-*s", widths[i], c)
			}
		}
		b = append(append(b, strings.TrimRight(line.String(), " ")...), '\n')
	}
	return b
}

// cells returns those of an interface.
func (t *Text) cells(r *flows.Row) cells {
	delivered := strconv.FormatUint(r.Packets[flows.Delivered], 10)
	if t.Blind {
		delivered = "-"
	}
	dropped := strconv.FormatUint(r.Dropped, 10)
	if r.Harmless > 0 {
		dropped += fmt.Sprintf(" (+%d harmless)", r.Harmless)
	}
	return cells{
		strconv.FormatUint(r.Received(), 10), delivered, strconv.FormatUint(r.Packets[flows.Forwarded], 10),
		strconv.FormatUint(r.Sent(), 10), strconv.FormatUint(r.Waiting(), 10), dropped, strconv.FormatUint(r.Packets[flows.Undecided], 10),
		cmp.Or(event.Escape(r.IfName), "-"), t.netns(r.Netns),
	}
}
