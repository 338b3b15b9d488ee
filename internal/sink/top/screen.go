package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/event"
	"dropwatch/internal/live"
)

// A pane is what the screen shows between head and foot.
type pane int

const (
	table pane = iota
	detail
	help
)

// A screen is what a person sees, and does with keys. It knows no terminal.
type screen struct {
	sink          *Sink
	width, height int
	now           func() time.Time

	frozen *moment // when it was paused; nil: it is not
	paused time.Time

	pane pane
	list list
	more more
	ask  *prompt // nil: nothing is asked
	note string  // said in the foot until the next key

	head []string // as it was when refreshed
}

func newScreen(s *Sink, now func() time.Time) *screen {
	v := &screen{sink: s, now: now, width: 80, height: 24, list: newList()}
	v.refresh()
	return v
}

// look hands over what is shown: what is counted, or, when paused, what was then.
func (v *screen) look(f func(*moment)) {
	if v.frozen != nil {
		f(v.frozen)
		return
	}
	v.sink.mu.Lock()
	defer v.sink.mu.Unlock()
	f(&v.sink.run)
}

// refresh takes the numbers anew, as they are now.
func (v *screen) refresh() {
	now := v.now()
	var about live.Detail
	v.look(func(m *moment) {
		if v.frozen == nil {
			m.tick(now)
		}
		c := m.shown()
		v.list.set(c)
		if v.pane == detail {
			about = c.Detail(v.more.group, v.more.names)
		}
		v.head = v.heading(m, now)
	})
	switch v.pane {
	case detail:
		v.more.tell(&v.sink.opts, &about, v.list.elapsed, v.width)
	case help:
		v.more.text = strings.Split(Help, "\n")
	}
	v.more.wrap(v.width)
}

// heading is the lines above a pane.
func (v *screen) heading(m *moment, now time.Time) []string {
	c := m.shown()
	sum := c.Sum()
	source := fmt.Sprintf("dropwatch top  %s on %s", event.Escape(v.sink.opts.Source), event.Escape(v.sink.opts.Host))
	lines := []string{
		styled(bold, apart(source, v.state(m, now), v.width)),
		apart(fmt.Sprintf("%d drops/s, %d in all", sum.History.Rate(), sum.Total), sparkline(&sum.History, c.Elapsed(), sparkWidth(v.width)), v.width),
		v.lost(&m.ledger),
	}
	if c.Crowded() {
		lines = append(lines, fmt.Sprintf("more than %d kinds of drops: the rest is %s", live.MaxKinds, live.Other))
	}
	if text := v.sink.opts.Expression; text != "" {
		lines = append(lines, "only "+event.Escape(text))
	}
	if f := m.filter; f != nil {
		hides := fmt.Sprintf("hides %d", f.hidden())
		if f.bare > 0 {
			hides += fmt.Sprintf(", %d of them without a packet", f.bare)
		}
		lines = append(lines, apart("filter "+event.Escape(f.text), hides, v.width))
	}
	return lines
}

// state says how long the run is, or since when the screen stands still.
func (v *screen) state(m *moment, now time.Time) string {
	if v.frozen == nil {
		return "up " + now.Sub(m.all.Begin()).Truncate(time.Second).String()
	}
	v.sink.mu.Lock()
	defer v.sink.mu.Unlock()
	since := v.sink.run.all.Total() - m.all.Total()
	return fmt.Sprintf("PAUSED %s, %s since", v.paused.Local().Format(time.TimeOnly), plural(since, "drop"))
}

// lost says what the ledger lacks, on a line.
func (v *screen) lost(l *event.Ledger) string {
	report := strings.ReplaceAll(strings.TrimSuffix(l.Report(), "\n"), "\n", "; ")
	switch {
	case report == "":
		return "nothing lost"
	case v.sink.opts.Color:
		return styled(red, report)
	}
	return styled(bold, report)
}

// body is how many lines a pane has.
func (v *screen) body() int { return max(0, v.height-len(v.head)-len(v.foot())) }

// foot is the lines below a pane.
func (v *screen) foot() []string {
	switch {
	case v.ask != nil:
		return v.ask.lines(v.width)
	case v.note != "":
		return strings.Split(ansi.Wordwrap(v.note, v.width, ""), "\n")
	case v.pane == table:
		return []string{"h: help  q: quit  enter: more  /: filter  g: group  s: sort  p: pause  w: save"}
	}
	return []string{"h: help  esc: back  arrows: scroll  /: filter  p: pause  w: save"}
}

// lines is the screen: at most height lines of at most width columns.
func (v *screen) lines() []string {
	lines := slices.Clone(v.head)
	foot := v.foot()
	room := v.body()
	body := v.more.lines(room)
	if v.pane == table {
		body = v.list.lines(v.width, room)
	}
	for len(body) < room {
		body = append(body, "")
	}
	lines = append(append(lines, body...), foot...)
	lines = lines[max(0, len(lines)-v.height):]
	for i, line := range lines {
		lines[i] = cut(line, v.width)
		if v.sink.opts.ASCII {
			lines[i] = ascii(lines[i])
		}
	}
	return lines
}

// cursor is where what is asked for is typed; it is not ok if nothing is.
func (v *screen) cursor() (x, y int, ok bool) {
	if v.ask == nil {
		return 0, 0, false
	}
	return min(v.ask.column(), v.width-1), v.height - 1, true
}

// resize takes the size of the terminal.
func (v *screen) resize(width, height int) {
	v.width, v.height = width, height
	v.refresh()
}
