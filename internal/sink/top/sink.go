// Package top shows drops while they happen, on a terminal: how many there are a
// second by place, reason, interface and owner, and more about each. It is a sink
// that a person looks into.
package top

import (
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/live"
)

// ErrNoTerminal is for a view that has no terminal to be on.
var ErrNoTerminal = errors.New("show drops live: this is no terminal: use dropwatch watch --summary")

// Options say what is shown, and how.
type Options struct {
	Source     string // of the drops, by name
	Host       string // that they are of
	Expression string // which drops the run is about; empty: all
	Color      bool   // with the colours of an ANSI terminal
	ASCII      bool   // without other characters: the locale is not UTF-8

	// Format gives a drop as a line for a person, without colours.
	Format func(*event.Event) string

	// Explain gives the cause of a drop and what to do about it. With nil
	// there is no explanation.
	Explain func(*event.Event) string

	// Parse reads an expression that says which drops are shown. An error may
	// have further lines, which mark the place.
	Parse func(string) (func(*event.Event) bool, error)

	// Save writes events to a session file. The last is an [event.End], whose
	// ledger is that of the others.
	Save func(file string, events iter.Seq[*event.Event]) error
}

// A Sink counts events, for [Sink.Run] to show. Write never waits for the
// terminal.
type Sink struct {
	opts Options

	mu  sync.Mutex
	run moment
}

// A moment is what was counted until then.
type moment struct {
	all    *live.Counter
	filter *filter // nil: all is shown
	ledger event.Ledger
}

// A filter is what a person looks for.
type filter struct {
	text  string
	match func(*event.Event) bool
	found *live.Counter
	bare  uint64 // drops that it hides and that were counted without their packet
	all   uint64 // drops since it is there
}

// New makes a Sink whose run begins now.
func New(o Options) *Sink {
	return &Sink{opts: o, run: moment{all: live.NewCounter(time.Now())}}
}

// Write counts a drop or a loss.
func (s *Sink) Write(e *event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Kind == event.End {
		s.run.ledger = *e.Ledger
		return nil
	}
	s.run.ledger.Add(e)
	kept := e.Clone()
	s.run.add(&kept, time.Now())
	return nil
}

// Flush does nothing: what was written is shown when it is time.
func (s *Sink) Flush() error { return nil }

func (m *moment) add(e *event.Event, now time.Time) {
	m.all.Add(e, now)
	if m.filter != nil {
		m.filter.add(e, now)
	}
}

func (f *filter) add(e *event.Event, now time.Time) {
	if e.Kind != event.Drop {
		f.found.Add(e, now)
		return
	}
	f.all += e.Count
	switch {
	case f.match(e):
		f.found.Add(e, now)
	case !e.Packet.HasData:
		f.bare += e.Count
	}
}

// hidden is how many drops are not shown.
func (f *filter) hidden() uint64 { return f.all - f.found.Total() }

// shown counts what is shown.
func (m *moment) shown() *live.Counter {
	if m.filter != nil {
		return m.filter.found
	}
	return m.all
}

// tick tells the time.
func (m *moment) tick(now time.Time) {
	m.all.Tick(now)
	m.shown().Tick(now)
}

// clone gives a copy that stays as it is.
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

// setFilter begins to show only what an expression wants, or all if it is empty.
func (s *Sink) setFilter(text string) error {
	var f *filter
	if text != "" {
		match, err := s.opts.Parse(text)
		if err != nil {
			return err
		}
		f = &filter{text: text, match: match, found: live.NewCounter(time.Now())}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run.filter = f
	return nil
}

// save writes events, of which the last is from now, and their ledger.
func (s *Sink) save(file string, events []*event.Event, now time.Time) error {
	var l event.Ledger
	for _, e := range events {
		l.Add(e)
	}
	end := &event.Event{Kind: event.End, Time: now, Ledger: &l}
	return s.opts.Save(file, slices.Values(append(events, end)))
}
