package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/sink/file"
	"dropwatch/internal/sink/sampled"
	"dropwatch/internal/sink/top"
	"dropwatch/internal/term"
)

// CheckFiles returns the errors, joined, of all files that an output reads, such as one with a password, and that cannot be read
// now.
func CheckFiles(outputs []Output) error {
	var errs []error
	for i := range outputs {
		errs = append(errs, outputs[i].Elastic.CheckFiles())
	}
	return errors.Join(errs...)
}

// reserve opens the files of all outputs, and of none after an error.
func (r *run) reserve(ctx context.Context) error {
	for _, o := range r.spec.Outputs {
		f, err := r.reserveOutput(ctx, o)
		if err != nil {
			r.abandonFiles()
			return err
		}
		r.files = append(r.files, f)
	}
	return nil
}

// reserveOutput opens the file of an output without changing its contents.
func (r *run) reserveOutput(ctx context.Context, o Output) (outFile, error) {
	switch {
	case !o.Format.hasFile():
		return outFile{}, nil
	case o.Stderr:
		return outFile{File: r.Err, name: "standard error"}, nil
	case o.Format == Segments:
		return reserveDir(ctx, o.File)
	case !o.OnStdout():
		return reserve(ctx, o.File, o.kept())
	case o.Format == Screen && !(term.IsTerminal(r.In) && term.IsTerminal(r.Out)):
		return outFile{}, &SpecError{Err: top.ErrNoTerminal}
	case o.Format == Screen && os.Getenv("TERM") == "dumb":
		return outFile{}, top.ErrDumbTerminal
	case o.Format.binary() && term.IsTerminal(r.Out):
		return outFile{}, &SpecError{Err: errors.New("refusing to write binary data to a terminal: name a file, or pipe it to a program")}
	}
	return outFile{File: r.Out, name: "standard output"}, nil
}

// abandonFiles removes the files that this run created.
func (r *run) abandonFiles() {
	for _, f := range r.files {
		f.abandon()
	}
}

// beginOutputs creates the sinks: one for each file. The run goes on while one of them works
// that shows drops, or Spec.Finder does: a table at the end is not worth a run of its own.
func (r *run) beginOutputs() error {
	var outputs, tables []pipeline.Sink
	withStatus := r.wantsStatus()
	for i := range r.spec.Outputs {
		if f := &r.files[i]; withStatus && term.IsTerminal(f.File) {
			f.status = r.Notices
		}
		if r.sharesFile(i) {
			continue
		}
		sink, err := r.beginFile(i)
		if err != nil {
			return err
		}
		switch front := r.before(sink, i); {
		case r.onlyTable(i):
			tables = append(tables, front)
		default:
			r.accounts = append(r.accounts, newAccount(r.outputName(i), sink, len(outputs) == 0 && r.spec.Finder == nil))
			outputs = append(outputs, front)
		}
	}
	r.working.Store(int64(len(outputs)))
	r.outputs = pipeline.NewFanout(outputs, tables)
	r.sink = r.outputs
	if f := r.spec.Finder; f != nil {
		r.working.Add(1) // it goes on without outputs
		r.sink = &pipeline.Finder{Seen: f, Found: r.find, To: r.sink}
	}
	if r.source.individually > 0 {
		r.sink = sampled.New(r.sink, r.source.individually)
	}
	if withStatus {
		r.status = newStatus(r.sink, r.Notices, r.statusText())
		r.sink = r.status
	}
	return nil
}

// outputName is what messages call output i.
func (r *run) outputName(i int) string {
	switch o := &r.spec.Outputs[i]; o.Format {
	case Elastic:
		return "elastic:" + event.Escape(o.Elastic.URLs[0])
	case Syslog:
		return "the log at " + event.Escape(o.Syslog.Address)
	}
	return r.files[i].name
}

// lossError is the one rule for what outputs did not get: what one could not write is an error, whichever it is, and although
// it goes on. What only found a queue full, as the output was too slow, is in the ledger of the run, or is said of another
// output than the first, with what came after it failed. An output that does not go on has an error of its own, unless
// the reader closed a pipe, who wants no more.
func (r *run) lossError() error {
	var errs []error
	for i := range r.accounts {
		a := &r.accounts[i]
		all, failure := r.outputs.Lost(i)
		switch {
		case a.gaveUp() != (event.Ledger{}):
			errs = append(errs, &LossError{a.name, all.Unwritten()})
		case !a.first && all != (event.Ledger{}) && !pipeline.ReaderClosed(failure):
			r.Notices.Note("%s did not get %s", a.name, all.Unwritten())
		}
	}
	return errors.Join(errs...)
}

// onlyTable reports whether all that the file of output i gets is a table at the end.
func (r *run) onlyTable(i int) bool {
	o := &r.spec.Outputs[i]
	return o.Format == Table && !slices.ContainsFunc(r.spec.Outputs, func(p Output) bool { return p.Format != Table && p.sameFile(*o) })
}

// sharesFile reports whether output i writes to the file of an output before it.
func (r *run) sharesFile(i int) bool {
	o := r.spec.Outputs[i]
	return slices.ContainsFunc(r.spec.Outputs[:i], o.sameFile)
}

// beginFile creates the sink of the file that output i is the first to write to.
func (r *run) beginFile(i int) (pipeline.Sink, error) {
	first := r.spec.Outputs[i]
	if err := errors.Join(r.files[i].clear(), r.beginLog(i)); err != nil {
		return nil, err
	}
	var shared pipeline.Tee
	for j, o := range r.spec.Outputs {
		if j != i && !first.sameFile(o) {
			continue
		}
		sink, err := formats[o.Format].open(r, o, r.files[j])
		if err != nil {
			return nil, err
		}
		shared = append(shared, sink)
	}
	var sink pipeline.Sink = shared
	if len(shared) == 1 {
		sink = shared[0]
	}
	if log := r.files[i].log; log != nil {
		sink = file.NewSink(sink, log)
	}
	return sink, nil
}

// before returns what is in front of the sink of the file that output i is the first to write to.
// Unless all its formats are direct, a queue is before it, so that a file that
// blocks does not slow the source.
func (r *run) before(sink pipeline.Sink, i int) pipeline.Sink {
	if r.onlyTable(i) {
		return pipeline.NewQueue(sink, r.abortTables)
	}
	watched := &watchedSink{Sink: sink, failed: r.outputFailed}
	if r.source.now != nil || formats[r.spec.Outputs[i].Format].direct {
		return watched
	}
	return pipeline.NewQueue(watched, r.abort)
}

// beginLog has the lines of output i appended to its file by a file.Writer, which is not for pipes
// and devices.
func (r *run) beginLog(i int) error {
	o, f := r.spec.Outputs[i], &r.files[i]
	if !o.isLog() {
		return nil
	}
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case info.Mode().IsRegular():
		f.log = file.NewWriter(f.File, o.Log, func() (*os.File, error) {
			opened, err := reserveNow(o.File, o.kept())
			return opened.File, err
		}, r.Notices.Text)
		r.logs = append(r.logs, f.log)
	case o.Log.Rotates():
		return fmt.Errorf("%s is no regular file, and cannot be rotated: name another file", f.name)
	}
	return nil
}

// followHangup has a SIGHUP reopen the files that lines are appended to, instead of ending the
// program. It does so without a terminal only, whose end is a SIGHUP, too.
func (r *run) followHangup() (stop func()) {
	if len(r.logs) == 0 || term.HasControlling() {
		return func() {}
	}
	return r.Signals.OnHangup(func() {
		for _, log := range r.logs {
			log.Reopen()
		}
	})
}

// wantsStatus reports whether to show a status line: on a terminal where nothing
// else shows that the run makes progress.
func (r *run) wantsStatus() bool {
	if r.source.progress != nil { // what is shown goes above it
		return !r.spec.InSession && term.IsTerminal(r.Err)
	}
	silent := r.spec.Finder != nil
	for i, o := range r.spec.Outputs {
		quiet := o.Format.binary() || !o.Format.hasFile() || o.isLog()
		if !o.Stderr && !quiet && term.IsTerminal(r.files[i].File) {
			return false // drops are shown as they come
		}
		silent = silent || quiet
	}
	return silent && r.source.recording == nil && !r.spec.InSession && !r.spec.has(Alerts) && term.IsTerminal(r.Err)
}

// statusText returns what makes the line: how much of capture files was read, or else how
// long the run has lasted, what became of the drops, and the sizes of its files.
func (r *run) statusText() func(*event.Ledger) string {
	if r.source.progress != nil {
		return func(*event.Ledger) string { return r.source.progress() }
	}
	begun := time.Now()
	return func(l *event.Ledger) string {
		text := time.Since(begun).Round(time.Second).String()
		if limit := r.spec.Duration; limit > 0 {
			text += " of " + limit.String()
		}
		text += fmt.Sprintf(", %d shown, %d lost", l.Shown, l.TotalLost())
		for _, f := range r.files {
			if info, err := f.Stat(); f.opened && err == nil && !info.IsDir() {
				text += ", " + byteCount(info.Size())
			}
		}
		return text
	}
}
