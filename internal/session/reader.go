package session

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// Why a file cannot be replayed, or not to its end.
var (
	ErrEmpty     = errors.New("the file is empty: nothing was recorded, or not yet")
	ErrNoSession = errors.New("the file is no recorded session")
	ErrVersion   = errors.New("the session was recorded by a newer dropwatch")
	ErrTruncated = errors.New("the recording breaks off, as after a crash")
	ErrCorrupt   = errors.New("the file is damaged")
)

// A Reader is a source of the events of a recorded run, as fast as they are
// taken. It needs a few MiB, whatever is in the file.
type Reader struct {
	name    string
	header  Header
	frames  frames
	decoder decoder
	event   event.Event
	events  uint64       // that were read
	ledger  event.Ledger // of them
	total   uint64       // of all their counts
	now     time.Time    // of what was read
	ended   bool         // the end was read
}

// Open reads the beginning of a file, called name in errors. They wrap one of
// those above, if r could be read.
func Open(r io.Reader, name string) (*Reader, error) {
	s := &Reader{name: name, frames: frames{r: bufio.NewReaderSize(r, enough)}}
	if err := s.begin(); err != nil {
		return nil, s.fail(err)
	}
	payload, err := s.frames.next()
	if err != nil {
		return nil, s.fail(err)
	}
	if err := json.Unmarshal(payload, &s.header); err != nil {
		return nil, s.fail(fmt.Errorf("%w: its header: %w", ErrCorrupt, err))
	}
	s.header.Version, s.now = version, s.header.Started
	return s, nil
}

// begin reads what is before the first frame.
func (r *Reader) begin() error {
	var b [beginLen]byte
	n, err := io.ReadFull(r.frames.r, b[:])
	found := b[:min(n, len(magic))]
	switch {
	case err == io.EOF:
		return ErrEmpty
	case !bytes.Equal(found, []byte(magic[:len(found)])):
		return fmt.Errorf("%w: make one with dropwatch record", ErrNoSession)
	case err != nil:
		return err
	case b[len(magic)] == 0:
		return fmt.Errorf("%w: there is no version 0", ErrCorrupt)
	case b[len(magic)] > version:
		return fmt.Errorf("%w: its version is %d, the newest known here %d: use that dropwatch", ErrVersion, b[len(magic)], version)
	}
	r.frames.sum, r.frames.end = extend(0, b[:]), int64(len(b))
	return nil
}

// Header gives what the recorder said of the run.
func (r *Reader) Header() Header { return r.header }

// Now gives the recorded time that has been reached: after Run that of the end,
// or, in a file without one, of its last event.
func (r *Reader) Now() time.Time { return r.now }

// Run gives out the events, once, and, if the ledger at the end has drops that
// were rejected or parts, an event of each: then the ledger of the replay is
// that of the recording. The error wraps ErrTruncated or ErrCorrupt if the file
// is not whole, and ErrVersion if an event has a field that is not known; all
// events before were given out. Where reading blocks it is
// not ctx that ends Run, but closing what is read.
func (r *Reader) Run(ctx context.Context, out pipeline.Output) error {
	for !r.ended {
		payload, err := r.frames.next()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return r.fail(err)
		}
		if err := r.records(ctx, payload, out); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
	if _, err := r.frames.next(); err != io.EOF {
		return r.fail(fmt.Errorf("%w: something follows its end", ErrCorrupt))
	}
	return nil
}

// records gives out what is in one frame.
func (r *Reader) records(ctx context.Context, payload []byte, out pipeline.Output) error {
	d := &r.decoder
	d.b = payload
	for len(d.b) > 0 && ctx.Err() == nil {
		if err := r.record(out); err != nil {
			return err
		}
		switch {
		case d.err == errNewer:
			return r.fail(fmt.Errorf("%w: %w: use that dropwatch (after %d events)", ErrVersion, d.err, r.events))
		case d.err != nil:
			return r.fail(fmt.Errorf("%w: %w", ErrCorrupt, d.err))
		}
	}
	return nil
}

// record gives out what is in one record. Its error is that of out; the
// decoder has its own.
func (r *Reader) record(out pipeline.Output) error {
	d := &r.decoder
	switch kind := d.kind(); {
	case r.ended:
		d.fail(errEnded)
	case kind == recordEvent:
		d.event(&r.event)
		return r.emit(out, &r.event)
	case kind == recordEnd:
		return r.end(out)
	case kind == recordRestart:
		d.restart()
	default:
		d.fail(errKind)
	}
	return nil
}

// emit gives out an event that was read without a failure.
func (r *Reader) emit(out pipeline.Output, e *event.Event) error {
	d := &r.decoder
	if e.Count > math.MaxUint64-r.total {
		d.fail(errSum)
	}
	if d.err != nil {
		return nil
	}
	r.total += e.Count
	r.reach(e.Time)
	r.ledger.Add(e)
	if !r.ended {
		r.events++
	}
	return out.Emit(e)
}

// reach notes a time that was read, if there was one.
func (r *Reader) reach(t time.Time) {
	if !t.IsZero() {
		r.now = t
	}
}

// end gives out what only the ledger has.
func (r *Reader) end(out pipeline.Output) error {
	r.ended = true
	t, l := r.decoder.end()
	r.reach(t)
	for _, e := range []event.Event{
		{Kind: event.Loss, Place: event.ByFilter, Count: l.Rejected - min(r.ledger.Rejected, l.Rejected), Time: t},
		{Kind: event.Drop, Part: true, Count: l.Parts, Time: t},
	} {
		if e.Count == 0 {
			continue
		}
		if err := r.emit(out, &e); err != nil {
			return err
		}
	}
	if r.ledger != l {
		r.decoder.fail(errLedger)
	}
	return nil
}

// fail words an error in reading.
func (r *Reader) fail(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrTruncated
	}
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err // the name is known by ours
	}
	if errors.Is(err, ErrTruncated) || errors.Is(err, ErrCorrupt) {
		err = fmt.Errorf("%w (at byte %d, after %d events)", err, r.frames.at, r.events)
	}
	return fmt.Errorf("replay %s: %w", r.name, err)
}
