package segments

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/session"
)

// Options of a Sink.
type Options struct {
	Dir    string         // that has the segments, and of which the caller has the lock
	Bytes  int64          // that all segments may have, at least MinBytes
	Header session.Header // of each segment; Started is when that began
	Notify func(string)   // gets what a person should know; it may be called by any goroutine

	Now func() clock.Moment // nil: clock.Present
}

// every is how long a Sink waits before it writes to the disk again.
const every = time.Second

// maxStep is how far the wall clock may go wrong within a segment: less is how clocks are adjusted.
const maxStep = 2 * time.Second

// maxHeld is how many bytes are kept in memory before they are written earlier.
const maxHeld = 4 << 20

// A Sink writes events to a ring of segments, once a second. What cannot be written, as on a full
// disk, is counted and given up; it goes on with a new segment, which begins with what was lost. When the wall clock is
// set, too, a new segment begins. After the End nothing may be written.
type Sink struct {
	o    Options
	ring ring

	mu       sync.Mutex
	begun    clock.Moment    // when the segment was
	w        *session.Writer // of the segment, to made; nil: none was begun
	made     bytes.Buffer    // bytes of the segment that are not on the disk
	file     *os.File        // the segment; nil: nothing of it is on the disk
	size     int64           // of what is on the disk
	ledger   event.Ledger    // of the segment
	held     event.Ledger    // drops that are not on the disk yet
	lost     event.Ledger    // drops that were given up
	untold   event.Ledger    // of these, what no Loss in a segment tells of
	at       time.Time       // of the last event
	wrote    time.Time       // when the disk was last written to
	timer    *time.Timer     // of the next write; nil: nothing waits for it
	reported bool            // that nothing can be written
}

// New returns a Sink. The segments that the directory has stay until there is no room for them.
func New(o Options) *Sink {
	if o.Now == nil {
		o.Now = clock.Present
	}
	return &Sink{o: o, ring: ring{o.Dir, o.Bytes}}
}

// Write adds an event to the segment. It returns no error.
func (s *Sink) Write(e *event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.at
	s.at = e.Time
	if e.Kind == event.End {
		s.finish()
		return nil
	}
	if e.Time.Sub(before).Abs() > maxStep { // otherwise Flush notices it: the clocks are not read for each event
		s.finishIfSet()
	}
	s.add(e)
	if s.size+int64(s.made.Len()) >= s.o.Bytes/share {
		s.finish()
	} else if s.made.Len() >= maxHeld {
		s.save()
	}
	return nil
}

// Flush has what was written be on the disk within a second.
func (s *Sink) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer == nil {
		s.finishIfSet()
	}
	if s.w == nil || s.timer != nil {
		return nil
	}
	if wait := every - time.Since(s.wrote); wait > 0 {
		s.timer = time.AfterFunc(wait, s.tick)
	} else {
		s.save()
	}
	return nil
}

// tick is what the timer calls.
func (s *Sink) tick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.timer != nil {
		s.save()
	}
}

// Lost returns the drops that are not on the disk.
func (s *Sink) Lost() event.Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.lost
	lost.AddDrops(&s.held)
	return lost
}

// add adds an event to the segment, which is begun if there is none.
func (s *Sink) add(e *event.Event) {
	s.held.Add(e)
	if s.w == nil {
		if err := s.begin(); err != nil {
			s.giveUp(err)
			return
		}
	}
	if err := s.w.Write(e); err != nil {
		s.giveUp(err)
		return
	}
	s.ledger.Add(e)
}

// begin begins a segment, with a Loss for what was given up before.
func (s *Sink) begin() (err error) {
	h := s.o.Header
	s.begun = s.o.Now()
	h.Started, h.SinceBoot = s.begun.Wall, s.begun.SinceBoot
	s.made.Reset()
	s.ledger, s.size = event.Ledger{}, 0
	if s.w, err = session.NewWriter(&s.made, s.o.Dir, h); err != nil {
		return err
	}
	for _, loss := range s.untold.Losses(s.at) {
		s.ledger.Add(&loss)
		if err := s.w.Write(&loss); err != nil {
			return err
		}
	}
	return nil
}

// finishIfSet ends the segment if the wall clock was set since it was begun.
func (s *Sink) finishIfSet() {
	if s.w != nil && s.o.Now().Step(s.begun).Abs() > maxStep {
		s.finish()
	}
}

// finish ends the segment and writes it.
func (s *Sink) finish() {
	if s.w != nil {
		ledger := s.ledger
		if err := s.w.Write(&event.Event{Kind: event.End, Time: s.at, Ledger: &ledger}); err != nil {
			s.giveUp(err)
		} else {
			s.save()
		}
	}
	s.close()
	s.stopTimer()
}

// save writes what the disk lacks of the segment.
func (s *Sink) save() {
	s.stopTimer()
	s.wrote = time.Now()
	if s.w == nil {
		return
	}
	if err := s.writeOut(); err != nil {
		s.giveUp(err)
		return
	}
	s.held, s.untold = event.Ledger{}, event.Ledger{}
	if s.reported {
		s.reported = false
		s.o.Notify(fmt.Sprintf("writing to %s again", event.Escape(s.o.Dir)))
	}
}

// writeOut writes what was made of the segment, in one call. The session's frame is ended before, so
// that a reader never finds half of one unless the disk is full.
func (s *Sink) writeOut() (err error) {
	if err := s.w.Flush(); err != nil {
		return err
	}
	if s.file == nil {
		if s.file, err = s.ring.create(); err != nil {
			return err
		}
	}
	if err := s.checkNamed(); err != nil {
		return err
	}
	n, err := s.file.Write(s.made.Bytes())
	if err != nil && n > 0 {
		_ = s.file.Truncate(s.size) // else the segment breaks off within a frame, and can be read up to it
	}
	if err != nil {
		return err
	}
	s.size += int64(n)
	s.made.Reset()
	return nil
}

// checkNamed returns an error if the segment was removed or moved away: nobody would find what is written to it.
func (s *Sink) checkNamed() error {
	named, err := os.Stat(s.file.Name())
	if err != nil {
		return err
	}
	info, err := s.file.Stat()
	if err == nil && !os.SameFile(named, info) {
		err = errors.New("another program has replaced the recording")
	}
	return err
}

// giveUp counts what is not on the disk as lost and ends the segment as it is there.
func (s *Sink) giveUp(err error) {
	s.lost.AddDrops(&s.held)
	s.untold.AddUnwritten(&s.held)
	s.held = event.Ledger{}
	s.close()
	if errors.Is(err, syscall.ENOSPC) {
		err = errors.Join(err, s.ring.removeOldest())
	}
	if !s.reported {
		s.reported = true
		s.o.Notify(fmt.Sprintf("write to %s: %v: drops are counted as lost until it can be written",
			event.Escape(s.o.Dir), event.WithoutPath(err)))
	}
}

// close ends the work on the segment. What the disk has of it stays, unless that is nothing.
func (s *Sink) close() {
	if s.file != nil && s.size == 0 {
		_ = os.Remove(s.file.Name())
	}
	if s.file != nil {
		s.file.Close()
	}
	s.w, s.file = nil, nil
	s.made.Reset()
}

// stopTimer forgets the next write. One that has begun already waits for the lock, and then finds that
// it is not wanted.
func (s *Sink) stopTimer() {
	if s.timer != nil {
		s.timer.Stop()
		s.timer = nil
	}
}
