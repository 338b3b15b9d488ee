// Package capture runs what a [Spec] describes: it opens a source of drops,
// joins it to the stages and the outputs, and runs them to an end. A Spec is a
// plain value, whoever filled it in: the flags of a verb, the settings of a
// session.
//
// Its files use each other in one direction: a Spec and its Outputs at the bottom;
// then the Runner, which is what a run is handed; the sources and the order in which
// they are tried (Candidates); a run, its stages and its outputs (formats); and Run,
// here, at the top. A new source is one more entry of Candidates, a new output one
// more of formats.
package capture

import (
	"context"
	"errors"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
)

// Run runs spec until the source ends, a limit is reached, a signal arrives, ctx
// ends or an error occurs. Started, unless it is nil, is called once, when the
// source is open and drops are being caught. When Run returns, monitoring is off,
// what was configured for the run is restored, and all files are closed.
//
// The Outcome is valid after an error, too. The error is a *[SpecError] if spec
// cannot be run on any host, and has advice ([Advise]).
func (r *Runner) Run(ctx context.Context, spec Spec, started func()) (Outcome, error) {
	if err := spec.Check(); err != nil {
		return Outcome{}, err
	}
	if err := spec.findChild(); err != nil {
		return Outcome{}, err
	}
	ctx, stop := r.Signals.Interruptible(ctx)
	defer stop()
	run := &run{Runner: r, spec: &spec}
	if spec.Finder != nil {
		run.found = make(chan struct{})
	}
	err := run.prepare(ctx)
	if err == nil {
		if started != nil {
			started()
		}
		err = run.flow(ctx)
	} else if ctx.Err() != nil {
		run.outcome.End, err = Interrupted, nil
	}
	return run.outcome, Advise(errors.Join(err, run.closeAll()))
}

// prepare reserves the files, opens the source, and creates the outputs. The files
// keep their old contents until the source is open, so that a run that cannot start
// destroys nothing.
func (r *run) prepare(ctx context.Context) (err error) {
	r.watchInterrupt(ctx)
	if err := r.reserve(ctx); err != nil {
		return err
	}
	if err := r.checkFilter(); err != nil {
		r.abandonFiles()
		return err
	}
	r.release = deferCollection()
	r.startStages()
	if err = r.openSources(ctx); err != nil {
		r.abandonFiles()
		return err
	}
	if err := r.beginOutputs(); err != nil {
		r.source.close()
		return err // closeAll removes the points
	}
	r.arrangeStages()
	r.printOrigin()
	if r.source.now == nil {
		r.checking.Go(func() { r.check(ctx) })
	}
	time.AfterFunc(startTime, r.release)
	return nil
}

// checkFilter checks the names in the expression: of what was recorded, some need not exist here. A RST
// has other reasons than drops.
func (r *run) checkFilter() error {
	switch in := &r.spec.Input; {
	case in.recorded():
		for _, err := range recordedReasons(r.spec.Filter) {
			r.Notices.Warn(err)
		}
		return nil
	case len(r.spec.Captures) > 0:
		return nil
	case in.Retransmits:
		for _, text := range r.missingNames(r.spec.Filter) {
			r.Notices.Text(text)
		}
		return nil
	}
	return r.CheckNames(r.spec.Filter)
}

// printOrigin prints where the drops come from.
func (r *run) printOrigin() {
	switch {
	case r.source.recording != nil:
		r.printHeader(r.source.recording.Header())
	case r.source.captures != nil: // the command line names them
	case r.spec.has(Alerts), r.spec.has(Classic) && r.source.why == "": // these always use the drop monitor
	default:
		r.announce(r.source)
	}
}

// announce prints which source is used, and why those before it are not.
func (r *Runner) announce(s *openedSource) {
	if s.why == "" {
		r.Notices.Note("using source %s", s.name)
		return
	}
	r.Notices.Note("using source %s (unavailable: %s)", s.name, s.why)
}

// printHeader prints where, when and how a recording was made. All of it was read
// from a file, so it is escaped.
func (r *Runner) printHeader(h session.Header) {
	r.Notices.Note("recorded on %s, Linux %s, from %s, by `%s` from %s", event.Escape(h.Host), event.Escape(h.Kernel),
		h.Started.Local().Format("Jan _2 2006 15:04:05"), event.Escape(h.Command), event.Escape(h.Source))
	if f := h.Settings["filter"]; f != "" {
		r.Notices.Note("only what matches was recorded: %s", event.Escape(f))
	}
}

// abortAfter is how long a blocked output, such as a pipe that nobody reads, is
// waited for after a run was interrupted. It is less than Grace, so that the error
// can still be reported before the program gives up, also on a host whose CPUs are busy.
const abortAfter = Grace - 6*tableWait

// tableWait is how long a table, which says what blocked outputs did not write, may
// take to be written after them.
const tableWait = 250 * time.Millisecond

// remoteWait is how long an output may take to give up what it could not deliver, before it is one
// that blocks.
const remoteWait = 100 * time.Millisecond

// reloadWait is how long a server may take to get what is left, when a run ends for another one to
// begin: no source is running meanwhile.
const reloadWait = 300 * time.Millisecond

// ErrReloaded is the cause of a context that ends a run because another one goes on for it (Input.Since).
var ErrReloaded = errors.New("the configuration was read again")

// watchInterrupt closes r.abort when abortAfter has passed since the end of ctx, or
// when the user interrupts again, r.abortRemote before it, and r.abortTables after it.
func (r *run) watchInterrupt(ctx context.Context) {
	r.abortRemote, r.abort, r.abortTables = make(chan struct{}), make(chan struct{}), make(chan struct{})
	r.closed = make(chan struct{})
	context.AfterFunc(ctx, func() {
		r.awaitFound()
		remote := abortAfter - remoteWait
		if context.Cause(ctx) == ErrReloaded {
			remote = reloadWait
		}
		for _, step := range []struct {
			limit, least time.Duration
			abort        chan struct{}
		}{{remote, 0, r.abortRemote}, {abortAfter - remote, remoteWait, r.abort}, {tableWait, tableWait, r.abortTables}} {
			if !r.pause(step.limit, step.least) {
				return
			}
			close(step.abort)
		}
	})
}

// pause waits for a time, or for the least if the user is in a hurry. It reports false if nothing waits
// for outputs any more.
func (r *run) pause(limit, least time.Duration) bool {
	select {
	case <-time.After(limit):
	case <-r.Signals.Hurried():
		time.Sleep(least)
	case <-r.closed:
		return false
	}
	return true
}

// flow runs the pipeline, and beside it Spec.Child, until the first of them ends.
// It returns only when the child has exited.
func (r *run) flow(ctx context.Context) error {
	ctx, r.stop = context.WithCancel(ctx)
	if r.spec.Duration > 0 {
		defer time.AfterFunc(r.spec.Duration, r.elapse).Stop()
	}
	r.over = ctx.Done()
	wait, err := r.startChild(ctx)
	if err != nil {
		r.stop()
		return err
	}
	defer wait()
	defer r.stop()
	defer r.followHangup()()
	if r.screen != nil {
		defer r.Notices.hold()()
		return r.screen.shown.Run(ctx, r.In, r.Out, r.runPipeline)
	}
	return r.runPipeline(ctx)
}

// elapse ends the run when Spec.Duration is over. Counters are read before, while drops are
// still caught: otherwise they would rise by what nobody watched. An output that blocks does
// not delay the end for longer than one that blocks at the end.
func (r *run) elapse() {
	if r.spec.BeforeEnd != nil {
		r.spec.BeforeEnd()
	}
	if r.counted != nil {
		done := make(chan struct{})
		go func() { defer close(done); r.counted.readLast() }()
		select {
		case <-done:
		case <-time.After(abortAfter):
		}
	}
	r.elapsed.Store(true)
	r.stop()
}

// runPipeline moves events from the source to the outputs until an end, and fills
// in the outcome. It is called once per run: by flow, or by the screen, which
// redraws while it runs.
func (r *run) runPipeline(ctx context.Context) error {
	p := pipeline.Pipeline{
		Source: r.withFollower(r.withPoints(r.failover())), Stages: []pipeline.Stage{r.stage}, Sink: r.sink,
		Limit: r.spec.Limit, Progress: r.Progress, Now: r.source.now,
	}
	if since := r.spec.Input.Since; !since.IsZero() {
		p.Source = pipeline.Continue(p.Source, since, r.source.name, ErrReloaded)
	}
	if r.spec.Findings != nil {
		p.Source = pipeline.Beside(p.Source, r.spec.Findings)
	}
	if r.screen != nil {
		p.Progress = &r.screen.progress
	}
	var err error
	r.outcome.Recording, _ = r.source.recording.(*session.Reader)
	r.outcome.Points = r.reported
	r.outcome.Ledger, err = p.Run(ctx)
	lost := r.lossError()
	r.outcome.NotShown = string(r.traceOnly.AppendTraceOnly(nil, 0))
	switch {
	case err == nil && p.LimitReached():
		r.outcome.End = Limited
	case r.elapsed.Load():
		r.outcome.End = Elapsed
	case ctx.Err() != nil:
		r.outcome.End = Interrupted
	}
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) { // the end of ctx stops the reading of a recording; that is no error
		err = nil
	}
	return errors.Join(err, lost)
}

// closeAll restores the configuration, closes the files and prints what follows the
// screen. It can be called however far prepare got.
func (r *run) closeAll() (err error) {
	defer close(r.closed)
	r.checking.Wait()
	if r.release != nil {
		r.release()
	}
	r.status.end()
	if r.source != nil && r.source.restore != nil {
		r.source.restore()
	}
	if r.source != nil && r.source.counter != nil {
		err = errors.Join(err, r.source.counter.Close())
	}
	if f := r.spec.Input.Follower; f != nil {
		f.finish() // if it was not before
	}
	if r.points != nil {
		err = errors.Join(err, r.points.Close())
	}
	if r.next != nil { // the run ended before it went on
		r.next.close()
	}
	for _, f := range r.files {
		err = errors.Join(err, f.Close())
	}
	for _, c := range r.closers {
		err = errors.Join(err, c.Close())
	}
	if r.screen != nil {
		err = errors.Join(err, r.screen.finish(r.Out))
	}
	return err
}
