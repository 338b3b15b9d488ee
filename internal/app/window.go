package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/stage/filter"
	"dropwatch/internal/term"
)

// A window is the time between two readings of the counters. It lies within the time
// in which drops are caught, so that a counter does not rise by what nobody watched.
type window struct {
	reader        counters.Reader
	before, after *counters.Snapshot
	filter        *filter.Filter // selects connections; nil: all

	sentBefore, sentAfter []counters.Connection

	err        error
	once       sync.Once
	sayReading func() // is called before the counters at the end are read

	held bool // connections cannot be read
	note func(format string, args ...any)
}

// open reads the counters at the beginning. It may take seconds on a host with very many sockets; then the window begins
// when the last counter was read. Its error is kept for the end: the drops are worth watching without counters.
func (w *window) open(ctx context.Context) {
	w.sentBefore = w.connections(ctx)
	w.before, w.err = w.reader.Read(ctx)
}

// close reads the counters at the end, once. Without counters at the beginning, after is empty
// and the error says so.
func (w *window) close(ctx context.Context) {
	w.once.Do(func() {
		if w.before == nil {
			w.before, w.err = new(counters.Snapshot), errors.Join(w.err, errors.New("the counters were not read before the run ended"))
		}
		w.sayReading()
		after, err := w.reader.Read(ctx)
		w.after, w.err = after, errors.Join(w.err, err)
		w.sentAfter = w.connections(ctx)
	})
}

// connections returns the TCP connections that the expression selects. Nil: none, or they cannot be read, which was
// noted. Once one was held they are not asked for again, as each time would cost seconds.
func (w *window) connections(ctx context.Context) []counters.Connection {
	if w.held {
		return nil
	}
	all, err := w.reader.Connections(ctx)
	if errors.Is(err, counters.ErrHeld) {
		w.held = true
		w.note("what was sent to peers is not known: %v", err)
		return nil
	}
	return slices.DeleteFunc(all, func(c counters.Connection) bool { return w.filter != nil && !w.filter.Match(segmentOf(&c)) })
}

// segmentOf returns a segment that a connection sends again, for an expression to select.
func segmentOf(c *counters.Connection) *event.Event {
	flow := event.TCPFlow(event.Headers{
		Fields: event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort,
		Src:    c.Local.Addr(), Dst: c.Remote.Addr(), SrcPort: c.Local.Port(), DstPort: c.Remote.Port(),
	})
	return &event.Event{
		Kind: event.Retransmit, Count: 1, Individual: true, Netns: c.Netns, Segment: &event.Segment{Direction: event.Outgoing},
		Packet: event.Packet{Proto: flow.EtherType, HasProto: true, Flow: &flow},
	}
}

// sayWait tells a person how long nothing will be shown.
func (a *App) sayWait(d time.Duration) {
	if term.IsTerminal(a.runner.Err) {
		a.runner.Notices.Note("watching for %v", d)
	}
}

// sayReading tells a person why a run that was ended, as by Ctrl-C, takes a moment more.
func (a *App) sayReading() {
	if term.IsTerminal(a.runner.Err) {
		a.runner.Notices.Text("reading the counters")
	}
}
