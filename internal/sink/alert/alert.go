// Package alert watches for too many drops of a kind, segments that TCP sends again, or resets: it says when there are and when
// that is over, reports that as a finding to all outputs, and runs a command that gets it. Findings do not count for alerts.
package alert

import (
	"reflect"
	"slices"
	"sync"
	"time"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
)

// A Rule says what events are too many, and what to do then.
type Rule struct {
	Name       string
	Expression string                  // that Match decides, for people; empty: all drops match
	Match      func(*event.Event) bool // called by the goroutine that writes
	Kinds      []event.Kind            // of the events that count, of Drop, Retransmit, Reset and Point: one or more
	Count      uint64                  // events within Window that are too many, at least 1; of Retransmit, segments
	Window     time.Duration           // at least a second
	Every      time.Duration           // the shortest time from the beginning of an incident that is reported to that of the next
	Command    []string                // a program by its path, and arguments; nil: none
	Timeout    time.Duration           // of the command
}

// same reports whether two rules do the same.
func (r Rule) same(other Rule) bool {
	r.Match, other.Match = nil, nil
	return reflect.DeepEqual(r, other)
}

// An incident is a time in which events are too many.
type incident struct {
	begun    time.Time
	ended    time.Time // zero while it lasts
	events   uint64    // since the window in which it began
	unsaid   uint64    // incidents before it that were not reported
	seen     *diagnose.Collector
	reported bool // its beginning was a finding
}

// A watch is one Rule at work.
type watch struct {
	rule   Rule                  // which does not change
	report func(*Rule, incident) // must not block

	mu     sync.Mutex
	counts window
	recent [2]*diagnose.Collector // of events: the first began half a window before the second, or more
	turned time.Time              // when the second began
	now    *incident              // nil: there is none
	last   time.Time              // when the last incident began that was reported
	unsaid uint64
	timer  *time.Timer // looks for the end of the incident
}

func newWatch(r Rule, report func(*Rule, incident)) *watch {
	return &watch{rule: r, report: report, counts: newWindow(r.Window)}
}

// add counts an event.
func (w *watch) add(e *event.Event) {
	if !slices.Contains(w.rule.Kinds, e.Kind) || !w.rule.Match(e) {
		return
	}
	n := e.Count
	if e.Kind == event.Retransmit {
		n = max(n, e.Segments)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	at := time.Now()
	w.turn(at)
	for _, c := range w.recent {
		_ = c.Write(e) // which cannot fail
	}
	total := w.counts.add(at, n)
	switch {
	case w.now != nil:
		w.now.events += n
	case total >= w.rule.Count:
		w.begin(at, total)
	}
}

// turn gives up events that are older than a window. During an incident all are kept.
func (w *watch) turn(at time.Time) {
	old := at.Sub(w.turned) >= w.rule.Window
	switch {
	case w.now != nil:
	case w.recent[0] == nil || old && w.counts.sum(at) == 0:
		w.recent = [2]*diagnose.Collector{new(diagnose.Collector), new(diagnose.Collector)}
		w.turned = at
	case at.Sub(w.turned) >= w.rule.Window/2:
		w.recent = [2]*diagnose.Collector{w.recent[1], new(diagnose.Collector)}
		w.turned = at
	}
}

// begin begins an incident, and reports it unless that was done too recently.
func (w *watch) begin(at time.Time, total uint64) {
	w.now = &incident{begun: at, events: total, unsaid: w.unsaid, seen: w.recent[0]}
	w.timer = time.AfterFunc(w.counts.slot, w.look)
	if !w.last.IsZero() && at.Sub(w.last) < w.rule.Every {
		w.unsaid++
		return
	}
	w.last, w.unsaid, w.now.reported = at, 0, true
	w.report(&w.rule, *w.now)
	w.recent[0], w.now.seen = new(diagnose.Collector), w.recent[1] // the report has the other
}

// look ends the incident if events are not too many any more. It is what the timer calls.
func (w *watch) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := time.Now()
	if w.now == nil {
		return
	}
	if w.counts.sum(at) >= w.rule.Count {
		w.timer.Reset(w.counts.slot)
		return
	}
	ended := *w.now
	ended.ended = at
	w.now, w.recent[0] = nil, nil
	if ended.reported {
		w.report(&w.rule, ended)
	}
}

// close ends the work. An incident that lasts has no end then.
func (w *watch) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.timer != nil {
		w.timer.Stop()
	}
	w.now = nil
}
