package top

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/event"
)

// An action is what the program is to do after a key, besides drawing.
type action int

const (
	stay action = iota
	quit
	suspend
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
	v.look(func(m *moment) {
		if v.frozen == nil {
			m.tick(now)
		}
		c := m.shown()
		v.list.set(c)
		if v.pane == detail {
			v.more.set(v, c)
		}
		v.head = v.heading(m, now)
	})
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
		return v.ask.lines()
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
	var body []string
	switch v.pane {
	case table:
		body = v.list.lines(v.width, room)
	case detail:
		body = v.more.lines(v.width, room)
	case help:
		body = v.more.lines(v.width, room)
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

// press obeys a key, by its name: "q", "enter", "ctrl+c".
func (v *screen) press(key string) action {
	defer v.refresh()
	v.note = ""
	switch {
	case key == "ctrl+c":
		return quit
	case key == "ctrl+z":
		return suspend
	case v.ask != nil:
		v.answer(key)
		return stay
	case v.pane != table:
		v.turn(key)
		return stay
	case key == "q":
		return quit
	}
	v.command(key)
	return stay
}

// paste types text where something is asked.
func (v *screen) paste(text string) {
	if v.ask != nil {
		v.ask.insert(text)
	}
}

// command obeys a key of the table.
func (v *screen) command(key string) {
	switch key {
	case "enter", "right", "l":
		v.open(detail)
	default:
		if !v.common(key) && !v.list.press(key, v.body()-1) {
			v.note = fmt.Sprintf("no such key: %s: press h for help", event.Escape(key))
		}
	}
	if key == "g" {
		v.note = v.list.grouping()
	}
}

// turn obeys a key of a text.
func (v *screen) turn(key string) {
	switch key {
	case "q", "esc", "backspace":
		v.pane = table
	default:
		if !v.common(key) {
			v.more.press(key, v.width, v.body())
		}
	}
}

// common obeys the keys that each pane has.
func (v *screen) common(key string) bool {
	switch key {
	case "h", "?", "f1":
		v.open(help)
	case "p", "space", " ":
		v.pause()
	case "/", "f", "f4":
		v.ask = v.filterPrompt()
	case "w":
		v.ask = v.savePrompt()
	default:
		return false
	}
	return true
}

// open shows a pane from its beginning.
func (v *screen) open(p pane) {
	if p == detail && len(v.list.rows) == 0 {
		v.note = "there is no row yet"
		return
	}
	v.pane, v.more = p, more{}
	if p == detail {
		v.more.group, v.more.names = v.list.group, v.list.current().Names
	} else {
		v.more.text = strings.Split(helpText, "\n")
	}
}

// pause makes the screen stand still, or go on. Counting goes on.
func (v *screen) pause() {
	if v.frozen != nil {
		v.frozen = nil
		return
	}
	var m *moment
	v.look(func(now *moment) { m = now.clone() })
	v.frozen, v.paused = m, v.now()
}

// answer edits what is typed, and takes it when it is complete.
func (v *screen) answer(key string) {
	switch key {
	case "esc":
		v.ask = nil
	case "enter":
		ask := v.ask
		if ask.err = ask.done(strings.TrimSpace(string(ask.text))); ask.err == nil {
			v.ask = nil
		}
	default:
		v.ask.press(key)
	}
}

// filterPrompt asks for an expression. A new filter counts from now on, so the
// screen goes on.
func (v *screen) filterPrompt() *prompt {
	p := &prompt{label: "show only: "}
	v.look(func(m *moment) {
		if m.filter != nil {
			p.insert(m.filter.text)
		}
	})
	p.done = func(text string) error {
		err := v.sink.setFilter(text)
		if err == nil {
			v.frozen = nil
		}
		return err
	}
	return p
}

// savePrompt asks where to save what is kept of what is shown.
func (v *screen) savePrompt() *prompt {
	var events []*event.Event
	v.look(func(m *moment) { events = m.shown().Events() })
	now := v.now()
	p := &prompt{label: fmt.Sprintf("save the last %s to: ", plural(len(events), "event"))}
	p.insert(now.Local().Format("dropwatch-20060102-150405.dw"))
	p.done = func(file string) error {
		if err := v.sink.save(file, events, now); err != nil {
			return err
		}
		v.note = fmt.Sprintf("saved the last %s to %s", plural(len(events), "event"), event.Escape(file))
		return nil
	}
	return p
}
