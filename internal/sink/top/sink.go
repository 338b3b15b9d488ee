// Package top shows drops, or what TCP sends again, while it happens, or that of a recording, on
// a terminal: how many there are a second by location, reason, interface and owner, or by peer,
// type and what became of them, and more about each. It is a sink with a screen.
package top

import (
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/live"
)

// These say why there can be no view, and what to use instead.
var (
	ErrNoTerminal   = errors.New("show the live view: not a terminal: use dropwatch watch --summary, or retrans --summary")
	ErrDumbTerminal = errors.New("show the live view: a terminal of type dumb has no screen: set TERM, " +
		"or use dropwatch watch --summary, or retrans --summary")
)

// Options say what is shown, and how.
type Options struct {
	Source     string // the name of the source
	Host       string // the name of the host that dropped
	Expression string // the filter of the command line; empty: all drops
	Warning    string // about names in Expression that do not exist now; shown until a key is pressed
	Color      bool   // use the colours of an ANSI terminal
	ASCII      bool   // use no other characters: the locale is not UTF-8
	Harmless   bool   // also show drops that lost nothing

	// Retransmits: show what TCP sends again, and the RSTs, instead of drops.
	Retransmits bool

	Points bool // show events at points, instead of drops

	// Begin is when a recording began. The time is then that of its events, and its
	// end does not end [Sink.Run]. The zero value is for live drops.
	Begin time.Time
	File  string // the name of the recording, escaped

	// Status reports how the run is doing. It is called once a second, from another
	// goroutine than Write. It may be nil.
	Status func() Status

	// Diagnose makes the finding of some drops with what the host says of them: settings, the
	// rule of a firewall, routes; nil if there is none. It is called from a goroutine of its own
	// when details are opened, and may take long. Nil: this host is not the one that dropped.
	Diagnose func(drops []*event.Event) *diagnose.Finding

	// Format returns the line of an event, without colours.
	Format func(*event.Event) string

	// Parse reads an expression for a filter. An error may have further lines, which
	// mark the place.
	Parse func(string) (Filter, error)

	// Save writes events to a recording. The last is an [event.End], whose ledger is
	// that of the others.
	Save func(file string, events iter.Seq[*event.Event]) error
}

// A Status is how a run is doing, beyond what is written to the sink.
type Status struct {
	Rejected  uint64        // what the filter of the command line rejected, of what is shown
	Undecided uint64        // drops that it could not decide
	Busy      time.Duration // how long the current event has taken so far; 0: none is under way
}

// A Filter selects events by an expression.
type Filter struct {
	// Match reports whether an event matches, and whether that could be decided: an
	// expression may need what is not known of it.
	Match func(*event.Event) (matches, decided bool)

	// ByKind means that the expression needs only what all events of a kind have in
	// common, so that it is true for all of them or for none.
	ByKind bool

	Warning string // about names that do not exist now; may be empty
}

// A Sink counts events, for [Sink.Run] to show. Write never waits for the terminal.
// It is safe for concurrent use.
type Sink struct {
	opts Options
	view *view

	mu     sync.Mutex
	run    moment    // all that was counted until now
	latest time.Time // the time of the latest event, which is the time of a recording
}

// A moment is everything that was counted up to some time: the current one, or that
// of a pause.
type moment struct {
	all    *live.Counter
	filter *filter // nil: everything is shown
	ledger event.Ledger
	ended  bool // the source has ended
}

// A filter is the part of a moment that is shown.
type filter struct {
	Filter
	text      string
	subject   *live.Subject
	found     *live.Counter
	undecided uint64 // hidden packets for which it could not be decided
}

// New returns a Sink whose run begins now, or when its recording did.
func New(o Options) *Sink {
	s := &Sink{opts: o, view: &drops, latest: o.Begin}
	switch {
	case o.Retransmits:
		s.view = &retransmits
	case o.Points:
		s.view = &points
	}
	s.run.all = live.NewCounter(s.now(), s.view.subject)
	return s
}

// recorded reports whether the events are those of a recording.
func (s *Sink) recorded() bool { return !s.opts.Begin.IsZero() }

// now returns the time of the run. The caller holds mu.
func (s *Sink) now() time.Time {
	if s.recorded() {
		return s.latest
	}
	return time.Now()
}

// Write counts an event of what is shown, or a loss. It keeps a copy of the event.
func (s *Sink) Write(e *event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Time.After(s.latest) {
		s.latest = e.Time
	}
	if e.Kind == event.End {
		s.run.ledger, s.run.ended = *e.Ledger, true
		return nil
	}
	s.run.ledger.Add(e)
	counts := s.view.subject.Counts(e) && (e.Harmless == "" || s.opts.Harmless)
	if !counts && e.Kind != event.Loss {
		return nil
	}
	kept := e.Clone()
	s.run.add(&kept, s.now())
	return nil
}

// Flush does nothing: what was written is shown at the next tick.
func (s *Sink) Flush() error { return nil }

// add counts an event, for what is shown as well.
func (m *moment) add(e *event.Event, now time.Time) {
	m.all.Add(e, now)
	if m.filter != nil {
		m.filter.add(e, now)
	}
}

// add counts an event if it is shown. Losses always are.
func (f *filter) add(e *event.Event, now time.Time) {
	if e.Kind == event.Loss || f.matches(e) {
		f.found.Add(e, now)
	}
}

// matches reports whether an event is shown, and counts those that cannot be decided.
func (f *filter) matches(e *event.Event) bool {
	matches, decided := f.Match(e)
	if !decided {
		f.undecided += f.subject.Weight(e)
	}
	return matches && decided
}

// shown returns the counter of what is shown.
func (m *moment) shown() *live.Counter {
	if m.filter != nil {
		return m.filter.found
	}
	return m.all
}

// hidden returns how much the filter hides.
func (m *moment) hidden() uint64 { return m.all.Total() - m.shown().Total() }

// tick sets the time of the counters.
func (m *moment) tick(now time.Time) {
	m.all.Tick(now)
	m.shown().Tick(now)
}

// clone returns a copy that does not change.
func (m *moment) clone() *moment {
	d := *m
	d.all = m.all.Clone()
	if m.filter != nil {
		f := *m.filter
		f.found = m.filter.found.Clone()
		d.filter = &f
	}
	return &d
}

// narrow shows only what matches a filter. What was counted before stays counted,
// as far as the filter can be applied to it.
func (m *moment) narrow(text string, f Filter) {
	m.filter = &filter{Filter: f, text: text, subject: m.all.Subject()}
	if f.ByKind {
		m.filter.found = m.all.Narrow(func(e *event.Event) bool {
			matches, decided := f.Match(e)
			return matches && decided
		})
		return
	}
	m.filter.found = m.all.Recount(m.filter.matches)
}

// setFilter shows only what an expression matches, or everything if it is empty: in
// the run and, if the screen is paused, in what it shows. The warning is about the expression.
func (s *Sink) setFilter(text string, frozen *moment) (warning string, err error) {
	moments := []*moment{&s.run}
	if frozen != nil {
		moments = append(moments, frozen)
	}
	var f Filter
	if text != "" {
		if f, err = s.opts.Parse(text); err != nil {
			return "", err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range moments {
		if text == "" {
			m.filter = nil
		} else {
			m.narrow(text, f)
		}
	}
	return f.Warning, nil
}

// save writes events and a ledger of just these. The End is from now.
func (s *Sink) save(file string, events []*event.Event, now time.Time) error {
	var l event.Ledger
	for _, e := range events {
		l.Add(e)
	}
	end := &event.Event{Kind: event.End, Time: now, Ledger: &l}
	return s.opts.Save(file, slices.Values(append(events, end)))
}
