package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"time"

	"dropwatch/internal/condition"
	"dropwatch/internal/counters"
	"dropwatch/internal/diagnose"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
	"dropwatch/internal/sink/line"
	"dropwatch/internal/sink/top"
	"dropwatch/internal/stage/filter"
)

// A screen is the live view of a run, with the table that is printed after it.
type screen struct {
	ofTCP    bool                  // it shows what TCP sends again
	shown    *top.Sink             // what is on the terminal
	progress pipeline.Progress     // how far the pipeline has come, for the header
	table    bytes.Buffer          // printed where the screen was
	header   func() session.Header // for what is saved
}

// status reports how the run is doing. It is called from the goroutine of the
// screen.
func (s *screen) status() top.Status {
	st := top.Status{Busy: s.progress.Busy(time.Now())}
	if s.ofTCP {
		st.Rejected = s.progress.RejectedTCP()
		return st
	}
	st.Rejected, st.Undecided = s.progress.Rejected()
	return st
}

// finish prints the table, when the terminal shows the scrollback again.
func (s *screen) finish(out io.Writer) error {
	if _, err := s.table.WriteTo(out); err != nil {
		return fmt.Errorf("write to standard output: %w", event.WithoutPath(err))
	}
	return nil
}

// saveWait is how long the screen waits for a file to be opened.
const saveWait = 2 * time.Second

// save writes the events that the screen holds to a recording that starts at the
// first of them. It refuses what is not a regular file, as a FIFO without a reader
// would block the screen, and a file system that does not answer.
func (s *screen) save(path string, events iter.Seq[*event.Event]) (err error) {
	late := fmt.Errorf("save to %s: the file system does not answer: name another file", event.Escape(path))
	ctx, cancel := context.WithTimeoutCause(context.Background(), saveWait, late)
	defer cancel()
	f, err := wait(ctx, func() (outFile, error) {
		if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
			return outFile{}, fmt.Errorf("save to %s: not a regular file: name another", event.Escape(path))
		}
		return reserveNow(path, keepRecordings)
	})
	if err != nil {
		return err
	}
	defer func() { err = f.undo(errors.Join(err, f.Close())) }()
	if err := f.clear(); err != nil {
		return err
	}
	header := s.header()
	for e := range events {
		header.Started = e.Time
		break
	}
	return writeRecording(f, f.name, header, events)
}

// writeRecording writes a whole recording. Name is for errors.
func writeRecording(to io.Writer, name string, header session.Header, events iter.Seq[*event.Event]) error {
	w, err := session.NewWriter(to, name, header)
	if err != nil {
		return err
	}
	for e := range events {
		if err := w.Write(e); err != nil {
			return err
		}
	}
	return w.Flush()
}

// perPacket has the facts in which events of one row of the screen can differ. An
// expression that needs none of them is true for a whole row or for none of it.
const perPacket = event.FactPacket | event.FactLength | event.FactStack | event.FactTask | event.FactCookie |
	event.FactSegments | event.FactArgs

// parseScreenFilter parses an expression that narrows the screen. Unlike the filter
// of the run it can be applied to events that were counted already.
// Check returns an error for a filter that can match nothing, and a warning.
func parseScreenFilter(text string, check func(*filter.Filter) (warning string, err error)) (top.Filter, error) {
	f, err := filter.Parse(text)
	if err != nil {
		return top.Filter{}, err
	}
	warning, err := check(f)
	if err != nil {
		return top.Filter{}, err
	}
	byKind := len(f.Needs(perPacket)) == 0
	match := func(e *event.Event) (matches, decided bool) {
		decision := f.Decide(e)
		return decision == condition.True, decision != condition.Unknown
	}
	return top.Filter{Match: match, ByKind: byKind, Warning: warning}, nil
}

// formatLine returns the line that `watch` prints for an event, without colors and
// the newline.
func formatLine(e *event.Event) string {
	var b bytes.Buffer
	l := line.New(&b, line.Options{})
	_ = errors.Join(l.Write(e), l.Flush()) // a Buffer takes all
	return strings.TrimSuffix(b.String(), "\n")
}

// diagnose makes the finding of drops for the details of a row, without counters; nil if they
// have several causes or none.
func (r *Runner) diagnose(drops []*event.Event) *diagnose.Finding {
	c := new(diagnose.Collector)
	for _, e := range drops {
		if err := c.Write(e); err != nil {
			return nil
		}
	}
	d := diagnose.New(c, new(counters.Report), nil)
	d.Ask(DiagnosedHost(r.Host)())
	if len(d.Findings) != 1 {
		return nil
	}
	return &d.Findings[0]
}

// utf8Locale reports whether the locale's encoding is UTF-8, by the variables and
// the order of setlocale(3).
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}
