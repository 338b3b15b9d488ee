package top

import (
	"fmt"
	"strings"
	"time"

	"github.com/charmbracelet/x/ansi"

	"dropwatch/internal/event"
	"dropwatch/internal/live"
)

// stalled is how long one event may take before the screen says that dropwatch is
// stuck.
const stalled = 2 * time.Second

// status returns that of the run, as far as it is known.
func (v *screen) status() Status {
	if v.sink.opts.Status != nil {
		return v.sink.opts.Status()
	}
	v.sink.mu.Lock()
	defer v.sink.mu.Unlock()
	return v.sink.view.status(&v.sink.run.ledger)
}

// heading returns the lines above a pane. It reads the counters of m, so the caller
// holds the lock of the sink, or m is frozen.
func (v *screen) heading(m *moment, st Status, now time.Time) []string {
	c := m.shown()
	sum := c.Sum()
	w := v.sink.view
	source := fmt.Sprintf("%s  %s on %s", w.command, event.Escape(v.sink.opts.Source), event.Escape(v.sink.opts.Host))
	rate := fmt.Sprintf("%d %ss/s, %d in all", sum.History.Rate(), w.noun, sum.Total)
	if n := m.ledger.Harmless; n > 0 && !v.sink.opts.Harmless {
		rate += fmt.Sprintf(", %d harmless not shown", n)
	}
	lines := []string{
		styled(v.titleStyle(), apart(source, v.state(m, now), v.width)),
		apart(rate, sparkline(&sum.History, c.Elapsed(), sparkWidth(v.width)), v.width),
		v.lost(&m.ledger, st),
	}
	if c.Crowded() {
		lines = append(lines, fmt.Sprintf("more than %d kinds of %ss: the rest is in %s", live.MaxKinds, w.noun, live.Other))
	}
	if text := v.sink.opts.Expression; text != "" {
		lines = append(lines, apart("only "+event.Escape(text), w.hides(st.Rejected, st.Undecided), v.width))
	}
	if f := m.filter; f != nil {
		lines = append(lines, apart("filter "+event.Escape(f.text), w.hides(m.hidden()-min(f.undecided, m.hidden()), f.undecided), v.width))
	}
	return lines
}

// titleStyle makes a paused screen look different from one that goes on.
func (v *screen) titleStyle() string {
	if v.frozen != nil {
		return bold + reverse
	}
	return bold
}

// hides describes how many events a filter hides: those that do not match, and those
// that it could not decide.
func (w *view) hides(rejected, undecided uint64) string {
	text := fmt.Sprintf("hides %s", event.Plural(rejected, w.noun))
	if undecided > 0 {
		text += fmt.Sprintf(", and %d undecided", undecided)
	}
	return text
}

// state returns the right end of the first line: how long the run has taken, or
// since when the screen is paused and what has come since.
func (v *screen) state(m *moment, now time.Time) string {
	length := now.Sub(m.all.Begin()).Truncate(time.Second).String()
	switch {
	case v.frozen != nil:
		v.sink.mu.Lock()
		defer v.sink.mu.Unlock()
		since := v.sink.run.all.Total() - m.all.Total()
		return fmt.Sprintf("PAUSED %s, %s since", v.paused.Local().Format(time.TimeOnly), event.Plural(since, v.sink.view.noun))
	case v.sink.recorded() && m.ended:
		return fmt.Sprintf("recorded %s, %s", v.sink.opts.Begin.Local().Format(time.DateTime), length)
	case v.sink.recorded():
		return "reading " + length
	}
	return "up " + length
}

// lost returns the line about losses, which is always there. A run that makes no
// progress is reported in the same place.
func (v *screen) lost(l *event.Ledger, st Status) string {
	report := strings.ReplaceAll(strings.TrimSuffix(l.Report(), "\n"), "\n", "; ")
	switch {
	case st.Busy >= stalled:
		return v.alarm(fmt.Sprintf("stalled for %v: dropwatch waits for this host, and %ss may be lost",
			st.Busy.Truncate(time.Second), v.sink.view.noun))
	case report == "":
		return "dropwatch missed none"
	}
	return v.alarm(report)
}

// alarm gives text the attribute of what must not be missed.
func (v *screen) alarm(text string) string {
	if v.sink.opts.Color {
		return styled(red, text)
	}
	return styled(bold, text)
}

// waiting returns what stands below a table without rows: that the screen works,
// and what it waits for.
func (v *screen) waiting(m *moment, st Status, now time.Time) []string {
	if len(v.list.rows) > 0 {
		return nil
	}
	text := v.explainEmpty(m, st, now)
	return append([]string{""}, strings.Split(ansi.Wordwrap(text, max(v.width, 1), ""), "\n")...)
}

// otherView ends a sentence with the command that shows what the recording has instead, if it has any.
func (v *screen) otherView(l *event.Ledger) string {
	for _, w := range views {
		if w != v.sink.view && w.has(l) > 0 {
			return ", but " + w.events + ":\n" + w.replay + " " + v.sink.opts.File
		}
	}
	return "."
}

// explainEmpty says why there are no rows.
func (v *screen) explainEmpty(m *moment, st Status, now time.Time) string {
	length, w := now.Sub(m.all.Begin()).Truncate(time.Second), v.sink.view
	switch {
	case m.filter != nil && m.all.Total() > 0:
		return fmt.Sprintf("The filter hides all of %s. Press /, ctrl-u and enter to show all.", event.Plural(m.all.Total(), w.noun))
	case v.sink.recorded() && m.ended:
		none := "The recording has no " + w.events
		if v.sink.opts.Expression != "" {
			none += " that match the filter"
		}
		return none + v.otherView(&m.ledger)
	case v.sink.recorded():
		return "Reading the recording."
	case st.Rejected+st.Undecided > 0:
		return fmt.Sprintf("No %s has matched the filter in %v. Waiting for the next one.", w.noun, length)
	case m.ledger.Harmless > 0:
		return fmt.Sprintf("No packet was lost in %v. Waiting for the next drop.", length)
	}
	return fmt.Sprintf("No %s in %v. Waiting for the next one, in any network namespace of this host.", w.events, length)
}
