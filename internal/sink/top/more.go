package top

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/live"
)

// A more is a text that is longer than the screen: about a row, or the help.
type more struct {
	group live.Group
	names live.Names // of the row
	text  []string
	top   int // the first line on the screen
}

// press scrolls, on a screen with room for lines.
func (m *more) press(key string, room int) {
	switch key {
	case "up", "k":
		m.top--
	case "down", "j", "enter":
		m.top++
	case "pgup", "ctrl+b":
		m.top -= room
	case "pgdown", "ctrl+f":
		m.top += room
	case "home", "g":
		m.top = 0
	case "end", "G":
		m.top = len(m.text)
	}
	m.scroll(room)
}

// scroll keeps the first line where the others have room.
func (m *more) scroll(room int) { m.top = max(0, min(m.top, len(m.text)-room)) }

// lines is the part of the text that is on the screen.
func (m *more) lines(room int) []string {
	m.scroll(room)
	return m.text[m.top:min(len(m.text), m.top+room)]
}

// wrap goes on, on further lines, where a line of the text has more than width
// columns.
func (m *more) wrap(width int) {
	var text []string
	for _, line := range m.text {
		if ansi.StringWidth(line) > width {
			line = ansi.Wrap(line, max(1, width-len(indent)), "")
		}
		text = append(text, strings.Split(strings.ReplaceAll(line, "\n", "\n"+indent), "\n")...)
	}
	m.text = text
}

const indent = "    "

// tell makes the text about a row, whose history ends with a second, for a screen
// of width columns.
func (m *more) tell(o *Options, d *live.Detail, end int64, width int) {
	m.text = nil
	for k := range live.Key(live.Keys) {
		if m.group.Has(k) {
			m.add("%-*v %s", labelWidth, k, d.Text(k))
		}
	}
	m.add("%-*s %d a second, %d in all", labelWidth, "drops", d.History.Rate(), d.Total)
	m.add("%-*s %s", labelWidth, "minute", sparkline(&d.History, end, sparkFit(width-labelWidth-1)))
	m.explain(o, d, width)
	m.flows(d)
	m.packets(o, d)
	m.stack(d)
}

const labelWidth = 10

func (m *more) add(format string, args ...any) { m.text = append(m.text, fmt.Sprintf(format, args...)) }

// begin begins a part of the text.
func (m *more) begin(title string) { m.text = append(m.text, "", styled(bold, title)) }

func (m *more) explain(o *Options, d *live.Detail, width int) {
	if o.Explain == nil || len(d.Last) == 0 {
		return
	}
	if text := strings.TrimSpace(o.Explain(d.Last[0])); text != "" {
		m.begin("why")
		m.text = append(m.text, strings.Split(ansi.Wordwrap(text, max(width, 1), ""), "\n")...)
	}
}

func (m *more) flows(d *live.Detail) {
	if d.Seen == 0 {
		return
	}
	m.begin("flows of the " + plural(d.Seen, "drop") + " whose packets were seen")
	for _, f := range d.Flows {
		m.add("%8d  %s", f.Drops, f.Name)
	}
	if d.Rest > 0 {
		m.add("%8d  of flows that there was no room for", d.Rest)
	}
}

func (m *more) packets(o *Options, d *live.Detail) {
	m.begin("last packets, the latest first")
	for _, e := range d.Last {
		m.text = append(m.text, o.Format(e))
	}
	if len(d.Last) == 0 {
		m.add("none was seen: these drops were only counted")
	}
}

// stack is the calls that led to the latest drop that has them.
func (m *more) stack(d *live.Detail) {
	for _, e := range d.Last {
		if len(e.Stack) == 0 {
			continue
		}
		m.begin("calls that led to the latest drop")
		for i := range e.Stack {
			m.text = append(m.text, "  "+string(e.Stack[i].AppendTo(nil)))
		}
		return
	}
}
