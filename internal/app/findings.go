package app

import (
	"context"
	"errors"
	"time"

	"dropwatch/internal/capture"
	"dropwatch/internal/condition"
	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/point"
	"dropwatch/internal/session"
	"dropwatch/internal/stage/filter"
)

// findings runs a capture, with the counters read at its beginning and its end, or recorded. The outputs of spec get
// the findings, too. The Diagnosis may be there in spite of an error, as when an output failed; otherwise it is nil.
// Broken is why a recording could not be read to its end: the findings are of what was read.
func (a *App) findings(ctx context.Context, spec capture.Spec) (d *diagnose.Diagnosis, outcome capture.Outcome, broken, err error) {
	if spec.Input.Recording != "" {
		return a.recordedFindings(ctx, spec)
	}
	d, outcome, err = a.liveFindings(ctx, spec)
	return d, outcome, nil, err
}

// liveFindings is findings of this host. The window of the counters opens when the source watches and closes before it
// ends, so that a counter never rises by a drop that nobody could see. The collector asks for points, and the follower
// follows flows, from other goroutines than the one that reads the drops.
func (a *App) liveFindings(ctx context.Context, spec capture.Spec) (found *diagnose.Diagnosis, outcome capture.Outcome, err error) {
	w := &window{reader: capture.AllCounters(a.runner.Host), filter: spec.Filter, sayReading: a.sayReading, note: a.runner.Notices.Note}
	w.reader.Nonzero, w.reader.Helper = true, a.runner.Helper
	asked, follower := make(chan []point.Point, diagnose.MaxAsked), new(capture.FlowFollower)
	collector := &diagnose.Collector{
		Begun:  spec.Input.Points,
		Ask:    func(points []point.Point) { asked <- points },
		Follow: follower.Follow,
	}
	spec.Input.Asked, spec.Input.Follower = asked, follower
	closeWindow := func() { w.close(context.WithoutCancel(ctx)) }
	spec.BeforeEnd = closeWindow
	spec.Finder = &capture.Finder{Sink: pipeline.Tee{collector, follower}, Found: func(o capture.Outcome) []event.Event {
		if closeWindow(); w.err != nil {
			return nil
		}
		collector.Watched = o.Points
		collector.AddConnections(w.sentBefore, w.sentAfter)
		found = diagnose.New(collector, counters.Rises(w.before, w.after), selects(spec.Filter))
		found.Ask(capture.DiagnosedHost(a.runner.Host)())
		found.AddFollowed(follower.Followed(a.runner, found.Ledger))
		return found.Events()
	}}
	if spec.Duration > 0 {
		a.sayWait(spec.Duration)
	}
	outcome, err = a.runner.Run(ctx, spec, func() { w.open(ctx) })
	return found, outcome, errors.Join(err, w.err)
}

// recordedFindings reads a recording. What it has of its host is that of the drops, never of
// this one.
func (a *App) recordedFindings(ctx context.Context, spec capture.Spec) (d *diagnose.Diagnosis, outcome capture.Outcome, broken, err error) {
	collector := new(diagnose.Collector)
	spec.Finder = &capture.Finder{Sink: collector, Found: func(o capture.Outcome) []event.Event {
		d = diagnoseRecording(o.Recording, collector, spec.Filter)
		return d.Events()
	}}
	outcome, of, broken, err := a.readRecording(ctx, spec)
	if d != nil && of.First == nil {
		a.runner.Notices.Note("%s has no counters: findings are of its drops alone (dropwatch record --counters records them)",
			spec.Input.Recording)
	}
	return d, outcome, broken, err
}

// diagnoseRecording joins the drops of a recording that was read with what it has of its host.
func diagnoseRecording(r *session.Reader, c *diagnose.Collector, f *filter.Filter) *diagnose.Diagnosis {
	header, of, report := r.Header(), r.Host(), new(counters.Report)
	if of.First != nil {
		report = counters.Rises(of.First, of.Last)
	}
	d := diagnose.New(c, report, selectsOf(header, f))
	d.Recording = &diagnose.Recording{Host: header.Host, Kernel: header.Kernel, Counters: of.First != nil}
	if of.First != nil {
		d.Recording.From, d.Recording.Until = of.First.Time, of.Last.Time
		d.Ask(diagnose.RecordedHost(of.Answers))
	}
	return d
}

// readRecording reads a recording with what it has of its host. Broken is why it could not be
// read to its end.
func (a *App) readRecording(ctx context.Context, spec capture.Spec) (outcome capture.Outcome, of session.Host, broken, err error) {
	spec.Input.KeepHost = true
	outcome, err = a.runner.Run(ctx, spec, nil)
	if outcome.Recording == nil {
		return outcome, of, nil, err
	}
	of = outcome.Recording.Host()
	switch last := outcome.Recording.Now(); {
	case of.Snapshots == 1:
		a.runner.Notices.Note("the counters of %s were read only once: how much they rose is not known", spec.Input.Recording)
	case of.Snapshots > 1 && err != nil && last.Sub(of.Last.Time) > time.Second:
		a.runner.Notices.Note("the last counters of %s are %v older than its last drop", spec.Input.Recording,
			last.Sub(of.Last.Time).Round(time.Second))
	}
	if errors.Is(err, session.ErrTruncated) || errors.Is(err, session.ErrCorrupt) || errors.Is(err, session.ErrVersion) {
		return outcome, of, err, nil
	}
	return outcome, of, nil, err
}

// selects returns what an expression says of the drops of a counter by where those are; nil if
// there is no expression.
func selects(f *filter.Filter) diagnose.Selects {
	if f == nil {
		return nil
	}
	return func(r *counters.Row) condition.Truth {
		return f.DecidePlace(&filter.Place{Netns: r.Netns, IfName: r.IfName, Entry: r.Meaning.Entry})
	}
}

// selectsOf is selects of the drops of a recording, which may have been selected when it was made.
// By an expression that this version does not know, nothing is known of the counters.
func selectsOf(h session.Header, f *filter.Filter) diagnose.Selects {
	text := h.Settings["filter"]
	if text == "" {
		return selects(f)
	}
	recorded, err := filter.Parse(text)
	if err != nil {
		return func(*counters.Row) condition.Truth { return condition.Unknown }
	}
	return selects(filter.And(recorded, f))
}
