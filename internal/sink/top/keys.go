package top

import (
	"errors"
	"fmt"
	"strings"

	"dropwatch/internal/event"
	"dropwatch/internal/live"
)

// An action is what the program is to do after a key, besides drawing.
type action int

const (
	stay action = iota
	quit
	suspend
	redraw
)

// press obeys a key, by its name: "q", "enter", "ctrl+c".
func (v *screen) press(key string) action {
	defer v.refresh()
	v.note = ""
	switch {
	case key == "ctrl+c":
		return quit
	case key == "ctrl+z":
		return suspend
	case key == "ctrl+l":
		return redraw
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
	case "esc":
	case "enter", "right", "l":
		v.open(detail)
	case "1", "2", "3", "4", "5", "6":
		v.list.toggle(live.Key(key[0] - '1'))
		v.note = v.list.grouping()
	case "g":
		v.note = v.list.grouping()
	default:
		if !v.common(key) && !v.list.press(key, v.body()-1) {
			v.note = fmt.Sprintf("no such key: %s: press h for help", event.Escape(key))
		}
	}
}

// turn obeys a key of a text.
func (v *screen) turn(key string) {
	switch key {
	case "q", "esc", "backspace", "left":
		v.pane = table
	default:
		if !v.common(key) {
			v.more.press(key, v.body())
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
// screen goes on, with the table.
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
			v.frozen, v.pane = nil, table
		}
		return err
	}
	return p
}

// errNoFile is for what names none: - would be the screen.
var errNoFile = errors.New("give the name of a file")

// savePrompt asks where to save what is kept of what is shown.
func (v *screen) savePrompt() *prompt {
	var events []*event.Event
	v.look(func(m *moment) { events = m.shown().Events() })
	now := v.now()
	p := &prompt{label: fmt.Sprintf("save the last %s to: ", plural(len(events), "event"))}
	p.insert(now.Local().Format("dropwatch-20060102-150405.dw"))
	p.done = func(file string) error {
		if file == "" || file == "-" {
			return errNoFile
		}
		if err := v.sink.save(file, events, now); err != nil {
			return err
		}
		v.note = fmt.Sprintf("saved the last %s to %s", plural(len(events), "event"), event.Escape(file))
		return nil
	}
	return p
}
