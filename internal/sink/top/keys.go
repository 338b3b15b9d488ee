package top

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"dropwatch/internal/event"
)

// An action is what the program must do after a key, besides drawing the screen.
type action int

const (
	stay action = iota
	quit        // ends the view, and the run
	suspend
	redraw // as after another program wrote to the terminal
)

// press handles a key, by the name that bubbletea gives it: "q", "enter", "ctrl+c".
// A note of the key before is gone.
func (v *screen) press(key string) action {
	defer v.refresh()
	v.note = ""
	if key == "alt+esc" { // escape twice, in one read
		key = "esc"
	}
	switch {
	case key == "ctrl+c":
		return quit
	case key == "ctrl+z":
		return suspend
	case key == "ctrl+l":
		return redraw
	case v.prompt != nil:
		v.answer(key)
		return stay
	case v.pane != table:
		v.page(key)
		return stay
	case key == "q":
		return quit
	}
	v.command(key)
	return stay
}

// paste types text into the prompt; without one it is ignored, so that pasted text
// is not taken for commands.
func (v *screen) paste(text string) {
	if v.prompt != nil {
		v.prompt.insert(text)
	}
}

// command handles a key in the table.
func (v *screen) command(key string) {
	switch key {
	case "esc":
	case "enter", "right", "l":
		v.open(detail)
	case "g":
		v.note = v.list.grouping()
	default:
		if !v.group(key) && !v.common(key) && !v.list.press(key, v.body()-1) {
			v.note = fmt.Sprintf("unknown key %s: press h for help", event.Escape(key))
		}
	}
}

// group changes what the rows are grouped by, if key is the number of one of the keys.
func (v *screen) group(key string) bool {
	keys := v.list.view.subject.Keys
	number, err := strconv.Atoi(key)
	if err != nil || number < 1 || number > len(keys) {
		return false
	}
	v.list.toggle(keys[number-1])
	v.note = v.list.grouping()
	return true
}

// page handles a key in the details or the help.
func (v *screen) page(key string) {
	switch key {
	case "q", "esc", "backspace", "left":
		v.pane = table
	case "]", "n", "tab", "[", "N", "shift+tab":
		v.step(key)
	default:
		if !v.common(key) {
			v.more.press(key, v.body())
		}
	}
}

// step shows the details of the next row, or of the previous one.
func (v *screen) step(key string) {
	if v.pane != detail {
		return
	}
	by := 1
	if key == "[" || key == "N" || key == "shift+tab" {
		by = -1
	}
	v.list.move(by)
	v.open(detail)
}

// common handles the keys that all panes have, and reports whether it is one.
func (v *screen) common(key string) bool {
	switch key {
	case "h", "?", "f1":
		v.open(help)
	case "p", "space", " ":
		v.pause()
	case "/", "f", "f4":
		v.prompt = v.filterPrompt()
	case "w":
		v.prompt = v.savePrompt()
	default:
		return false
	}
	return true
}

// open shows a pane from its first line.
func (v *screen) open(p pane) {
	if p == detail && len(v.list.rows) == 0 {
		v.note = "there are no rows"
		return
	}
	v.pane, v.more = p, more{}
	if p == detail {
		v.more.group, v.more.names = v.list.group, v.list.current().Names
	}
}

// pause freezes a copy of what is counted, or drops it. Counting goes on.
func (v *screen) pause() {
	if v.frozen != nil {
		v.frozen = nil
		return
	}
	var m *moment
	v.view(func(now *moment) { m = now.clone() })
	v.frozen, v.paused = m, time.Now()
}

// answer edits what is typed at the prompt. Enter calls done; after an error the
// prompt stays.
func (v *screen) answer(key string) {
	switch key {
	case "esc":
		v.prompt = nil
	case "enter":
		p := v.prompt
		if p.err = p.done(strings.TrimSpace(string(p.text))); p.err == nil {
			v.prompt = nil
		}
	default:
		v.prompt.press(key)
	}
}

// filterPrompt asks for an expression that narrows what is shown. It begins with
// the current one, or that of the command line, which narrows as well.
func (v *screen) filterPrompt() *prompt {
	p := &prompt{label: "show only: "}
	v.view(func(m *moment) {
		if m.filter != nil {
			p.insert(m.filter.text)
		} else {
			p.insert(v.sink.opts.Expression)
		}
	})
	p.done = func(text string) error {
		if text == v.sink.opts.Expression {
			text = "" // it holds already
		}
		warning, err := v.sink.setFilter(text, v.frozen)
		if err == nil {
			v.pane, v.note = table, warning
		}
		return err
	}
	return p
}

// errNoFile: the name is empty, or is - for standard output, which is the screen.
var errNoFile = errors.New("type the name of a file")

// savePrompt asks for a file for the events that are kept. They are those of the
// moment at which the key was pressed.
func (v *screen) savePrompt() *prompt {
	var events []*event.Event
	v.view(func(m *moment) { events = m.shown().Events() })
	now := time.Now()
	p := &prompt{label: fmt.Sprintf("save the last %s to: ", event.Plural(len(events), "event"))}
	p.insert(now.Local().Format("dropwatch-20060102-150405.dw"))
	p.done = func(file string) error {
		if file == "" || file == "-" {
			return errNoFile
		}
		if err := v.sink.save(file, events, now); err != nil {
			return err
		}
		v.note = fmt.Sprintf("saved the last %s to %s", event.Plural(len(events), "event"), event.Escape(file))
		return nil
	}
	return p
}
