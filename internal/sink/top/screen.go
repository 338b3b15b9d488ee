package top

import (
	"slices"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/live"
)

// A pane is what is between head and foot.
type pane int

const (
	table pane = iota
	detail
	help
)

// A screen is what the user sees and does with keys. It knows no terminal, so that
// tests can press keys and read lines.
type screen struct {
	sink          *Sink
	width, height int // of the terminal, in columns and lines

	frozen *moment   // what is shown while paused; nil: not paused
	paused time.Time // when it was paused

	pane   pane // which of the views the keys are for
	list   list
	more   more
	prompt *prompt // nil: none
	note   string  // shown in the foot until the next key

	head, idle []string // as of the last refresh
}

// newScreen returns a screen of the usual size; resize follows.
func newScreen(s *Sink) *screen {
	v := &screen{sink: s, width: 80, height: 24, list: newList(s.view, s.recorded()), note: s.opts.Warning}
	v.refresh()
	return v
}

// now returns the time of the run.
func (v *screen) now() time.Time {
	v.sink.mu.Lock()
	defer v.sink.mu.Unlock()
	return v.sink.now()
}

// view calls f with what is shown: the current counts, or those of the pause. F
// must not keep them.
func (v *screen) view(f func(*moment)) {
	if v.frozen != nil {
		f(v.frozen)
		return
	}
	v.sink.mu.Lock()
	defer v.sink.mu.Unlock()
	f(&v.sink.run)
}

// refresh updates everything from the counts. Between two refreshes the screen
// changes only by keys.
func (v *screen) refresh() {
	now, status := v.now(), v.status()
	var about live.Detail
	v.view(func(m *moment) {
		if v.frozen == nil {
			m.tick(now)
		}
		c := m.shown()
		v.list.set(c)
		if v.pane == detail {
			about = c.Detail(v.more.group, v.more.names)
		}
		v.head, v.idle = v.heading(m, status, now), v.waiting(m, status, now)
	})
	switch v.pane {
	case detail:
		v.more.describe(v.sink, &about, v.list.elapsed, v.width)
	case help:
		v.more.text = strings.Split(Help, "\n")
	}
	v.more.wrap(v.width)
}

// body returns the number of lines of a pane.
func (v *screen) body() int { return max(0, v.height-len(v.head)-len(v.foot())) }

// foot returns the lines below a pane.
func (v *screen) foot() []string {
	switch {
	case v.prompt != nil:
		return v.prompt.lines(v.width)
	case v.note != "":
		return strings.Split(ansi.Wordwrap(v.note, v.width, ""), "\n")
	case v.pane == table:
		return []string{"h: help  q: quit  enter: more  /: filter  g: group  s: sort  " + v.pauseKey() + "  w: save"}
	case v.pane == detail:
		return []string{v.further() + "h: help  esc: back  [ ]: other rows  /: filter  " + v.pauseKey() + "  w: save"}
	}
	return []string{v.further() + "esc: back  arrows: scroll"}
}

// pauseKey says what the key p does.
func (v *screen) pauseKey() string {
	if v.frozen != nil {
		return "p: resume"
	}
	return "p: pause"
}

// further says that the text goes on below a screen, if the foot has one line.
func (v *screen) further() string {
	if v.more.top+v.height-len(v.head)-1 < len(v.more.text) {
		return "down: more  "
	}
	return ""
}

// lines returns the screen: at most height lines of at most width columns.
func (v *screen) lines() []string {
	lines := slices.Clone(v.head)
	foot := v.foot()
	room := v.body()
	body := v.more.lines(room)
	if v.pane == table {
		body = v.list.lines(v.width, room, v.sink.opts.style)
		body = append(body, v.idle[:max(0, min(len(v.idle), room-len(body)))]...)
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

// cursor returns where the prompt's cursor is; ok is false without a prompt.
func (v *screen) cursor() (x, y int, ok bool) {
	if v.prompt == nil {
		return 0, 0, false
	}
	return min(v.prompt.column(), v.width-1), v.height - 1, true
}

// resize sets the size of the terminal in columns and lines.
func (v *screen) resize(width, height int) {
	v.width, v.height = width, height
	v.refresh()
}
