package segments

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/internal/session"
)

// ErrNothing says that a directory has no segments.
var ErrNothing = errors.New("nothing is recorded there")

// A Reader is a source of the events in a ring, the oldest first. The ring may be written to
// meanwhile: what was on the disk when its last segment is read is there.
type Reader struct {
	paths  []string // of the segments, the oldest first
	last   Last
	warn   func(error) // is told of a segment that cannot be read, which is left out
	header session.Header
	now    time.Time
	young  bool // an event was emitted that is not too old
}

// Last says how far back a ring is read. The zero value is all of it.
type Last struct {
	Ago    time.Duration // 0: all
	Now    clock.Moment
	BootID string // of the boot that Now is in
}

// from returns the time from which on events of a segment are wanted, by the wall clock as it was then: what was set since does
// not matter. Of another boot it is not known when the wall clock was set. Within says that the segment was surely begun after it.
func (l *Last) from(h *session.Header) (from time.Time, within bool) {
	switch {
	case l.Ago == 0:
		return time.Time{}, true
	case h.SinceBoot == 0 || l.Now.SinceBoot == 0 || h.BootID == "" || h.BootID != l.BootID:
		return l.Now.Wall.Add(-l.Ago), false
	}
	from = h.Started.Add(l.Now.SinceBoot - l.Ago - h.SinceBoot)
	return from, !h.Started.Before(from)
}

// Open returns a Reader of the segments in a directory. Older events than last wants are left out, up to the first that is
// not: those after it were recorded later, whatever their time. Warn gets why a segment cannot be read, or not to its end. The
// error wraps [ErrNothing] if there is none to read.
func Open(dir string, last Last, warn func(error)) (*Reader, error) {
	paths, err := List(dir)
	if err != nil {
		return nil, err
	}
	r := &Reader{last: last, warn: warn}
	for i, path := range paths {
		var h session.Header
		r.read(path, func(s *session.Reader) error { h = s.Header(); return nil })
		from, within := last.from(&h)
		if h.Started.IsZero() || !within && ended(path, from) {
			continue
		}
		if from.After(h.Started) {
			h.Started = from
		}
		r.paths, r.header, r.now = paths[i:], h, h.Started
		return r, nil
	}
	return nil, fmt.Errorf("read %s: %w", event.Escape(dir), ErrNothing)
}

// ended reports whether a segment was last written before the time from which on events are wanted.
// It leaves a minute for clocks that were set.
func ended(path string, from time.Time) bool {
	info, err := os.Stat(path)
	return err == nil && info.ModTime().Before(from.Add(-time.Minute))
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
			h := s.Header()
			from, _ := r.last.from(&h)
			err := s.Run(ctx, &later{out, from, &r.young})
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

// later is an output that gets the events from the first on that is of a time or later.
type later struct {
	pipeline.Output
	from  time.Time
	young *bool // there was such an event
}

// Emit passes an event on if it is not too old. One without a time is as old as those around it, and
// passes.
func (l *later) Emit(e *event.Event) {
	*l.young = *l.young || !e.Time.IsZero() && !e.Time.Before(l.from)
	if *l.young || e.Time.IsZero() {
		l.Output.Emit(e)
	}
}
