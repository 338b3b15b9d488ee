package segments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
)

// ErrNothing: a directory has no segments.
var ErrNothing = errors.New("nothing is recorded there")

// A Reader is a source of the events in a ring, the oldest first. The ring may be written to
// meanwhile: what was on the disk when its last segment is read is there.
type Reader struct {
	paths  []string
	after  time.Time
	warn   func(error)
	header session.Header
	now    time.Time
}

// Open returns a Reader of the segments in a directory. Events before a time are left out; zero
// leaves out none. Warn gets why a segment cannot be read, or not to its end. The error wraps
// [ErrNothing] if there is none to read.
func Open(dir string, after time.Time, warn func(error)) (*Reader, error) {
	paths, err := List(dir)
	if err != nil {
		return nil, err
	}
	r := &Reader{paths: paths, after: after, warn: warn}
	for len(r.paths) > 0 && r.ended(r.paths[0]) {
		r.paths = r.paths[1:]
	}
	for _, path := range r.paths {
		r.read(path, func(s *session.Reader) error { r.header = s.Header(); return nil })
		if r.header.Started.IsZero() {
			continue
		}
		if after.After(r.header.Started) {
			r.header.Started = after
		}
		r.now = r.header.Started
		return r, nil
	}
	return nil, fmt.Errorf("read %s: %w", event.Escape(dir), ErrNothing)
}

// ended reports whether a segment was last written before the time from which on events are wanted.
// It leaves a minute for clocks that were set.
func (r *Reader) ended(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.ModTime().Before(r.after.Add(-time.Minute))
}

// Header returns the header of the first segment, of which Started is no earlier than what is read.
func (r *Reader) Header() session.Header { return r.header }

// Now returns the recorded time that Run has reached. It must not be called while Run runs.
func (r *Reader) Now() time.Time { return r.now }

// Run emits the events. A segment that breaks off, as each does whose writer was killed or is still
// at work, is no error, and one that is damaged is left out from there on.
func (r *Reader) Run(ctx context.Context, out pipeline.Output) error {
	for _, path := range r.paths {
		r.read(path, func(s *session.Reader) error {
			err := s.Run(ctx, later{r.after, out})
			r.now = s.Now()
			return err
		})
		if ctx.Err() != nil {
			return nil
		}
	}
	return nil
}

// read opens a segment and has it read. One that was removed meanwhile, or has no whole frame, has
// nothing to read.
func (r *Reader) read(path string, do func(*session.Reader) error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		r.warn(fmt.Errorf("read %s: %w", event.Escape(path), event.WithoutPath(err)))
		return
	}
	defer f.Close()
	s, err := session.Open(f, event.Escape(path))
	if err == nil {
		err = do(s)
	}
	if err != nil && !errors.Is(err, session.ErrTruncated) && !errors.Is(err, session.ErrEmpty) {
		r.warn(err)
	}
}

// later is an output that gets events from a time on.
type later struct {
	after time.Time
	pipeline.Output
}

// Emit passes an event on if it is not too old. One without a time is as old as those around it, and
// passes.
func (l later) Emit(e *event.Event) {
	if e.Time.IsZero() || !e.Time.Before(l.after) {
		l.Output.Emit(e)
	}
}
