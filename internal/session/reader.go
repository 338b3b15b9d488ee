package session

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
)

// Reasons why a file cannot be replayed, or not to its end.
var (
	ErrEmpty     = errors.New("the file is empty: nothing was recorded, or not yet")
	ErrNoSession = errors.New("not a dropwatch recording")
	ErrVersion   = errors.New("the recording was made by a newer dropwatch")
	ErrTruncated = errors.New("the recording is truncated")
	ErrCorrupt   = errors.New("the file is damaged")
)

// A Reader is a pipeline.Source of the events of a recorded run, as fast as the output writes them.
// It needs a few MiB of memory, whatever is in the file.
type Reader struct {
	name    string // of the file, for errors
	header  Header
	frames  frames
	decoder decoder
	event   event.Event
	events  uint64       // how many were read
	ledger  event.Ledger // of these events
	total   uint64       // the sum of their counts
	now     time.Time    // the last time that was read
	ended   bool         // the end was read

	keepsHost bool // counters and answers are kept, and not passed over
	counted   countersDecoder
	host      Host // filled as the file is read
	answers   int  // bytes that the answers count
}

// Open reads the beginning of a file, which errors call name. An error wraps one of those above,
// unless reading r failed. The caller closes r after Run.
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
	s.header.Version, s.now = int(s.decoder.version), s.header.Started
	return s, nil
}

// begin reads what comes before the first frame.
func (r *Reader) begin() error {
	var b [beginLen]byte
	n, err := io.ReadFull(r.frames.r, b[:])
	found := b[:min(n, len(Magic))]
	switch {
	case err == io.EOF:
		return ErrEmpty
	case !bytes.Equal(found, []byte(Magic[:len(found)])):
		return fmt.Errorf("%w: make one with dropwatch record", ErrNoSession)
	case err != nil:
		return err
	case b[len(Magic)] == 0:
		return fmt.Errorf("%w: there is no version 0", ErrCorrupt)
	case b[len(Magic)] > version:
		return fmt.Errorf("%w: its version is %d, this dropwatch reads up to %d: use a newer one", ErrVersion, b[len(Magic)], version)
	}
	r.decoder.version = b[len(Magic)]
	r.frames.sum, r.frames.end = extend(0, b[:]), int64(len(b))
	return nil
}

// Header returns the description of the run.
func (r *Reader) Header() Header { return r.header }

// KeepHost makes Run keep what the file has of the host besides drops, instead of skipping it.
// That takes up to 200 MiB of memory, if the file has that much.
func (r *Reader) KeepHost() { r.keepsHost = true }

// Host returns what Run has kept of the host, as far as it could read the file. It must not
// be called while Run runs.
func (r *Reader) Host() Host {
	h := r.host
	switch {
	case r.counted.err != nil: // some of its changes were made
		h.First, h.Snapshots = nil, 0
	case h.Snapshots == 1:
		h.Last = h.First
	case h.Snapshots > 1:
		h.Last = r.counted.snapshot()
	}
	return h
}

// Now returns the recorded time that Run has reached. After Run it is the time of the end, or of
// the last event of a truncated file. It must not be called while Run runs.
func (r *Reader) Now() time.Time { return r.now }

// Run emits the events. It can be called once. Drops that only the ledger at the end has, because
// they were rejected, undecided or fragments, become an event each, so that the ledger of the
// replay is that of the recording. The error wraps ErrTruncated or ErrCorrupt if the file is not
// whole, and ErrVersion if an event has an unknown field; all events before that were emitted.
// The end of ctx does not interrupt a read that blocks: close the file to end it.
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
		out.Flush()
	}
	if _, err := r.frames.next(); err != io.EOF {
		return r.fail(fmt.Errorf("%w: something follows its end", ErrCorrupt))
	}
	return nil
}

// records emits the records of one frame.
func (r *Reader) records(ctx context.Context, payload []byte, out pipeline.Output) error {
	d := &r.decoder
	d.b = payload
	for len(d.b) > 0 && ctx.Err() == nil {
		r.record(out)
		if d.overflows(r.frames.end) || r.counted.overflows(r.frames.end) {
			d.fail(errExpands)
		}
		switch {
		case d.err == errNewer:
			return r.fail(fmt.Errorf("%w: %w: use a newer dropwatch (after %s)", ErrVersion, d.err, event.Plural(r.events, "event")))
		case d.err != nil:
			return r.fail(fmt.Errorf("%w: %w", ErrCorrupt, d.err))
		}
	}
	return nil
}

// record emits one record. The error is in the decoder.
func (r *Reader) record(out pipeline.Output) {
	d := &r.decoder
	switch kind := d.kind(); {
	case r.ended:
		d.fail(errEnded)
	case kind == recordEvent:
		d.event(&r.event)
		r.emit(out, &r.event)
	case kind == recordEnd:
		r.end(out)
	case kind == recordRestart:
		d.restart()
	case kind >= recordSized && d.version >= version:
		r.sized(kind, d.bytes())
	default:
		d.fail(errKind)
	}
}

// sized reads a record that begins with its length, unless its kind is not known.
func (r *Reader) sized(kind byte, record []byte) {
	switch {
	case !r.keepsHost || r.decoder.err != nil:
	case kind == recordCounters:
		whole := r.counted.add(record)
		r.decoder.fail(r.counted.err)
		if !whole {
			return
		}
		if r.host.Snapshots++; r.host.Snapshots == 1 {
			r.host.First = r.counted.snapshot()
		}
	case kind == recordAnswer:
		r.answer(record)
	}
}

// answer reads an answer of the host.
func (r *Reader) answer(record []byte) {
	d := decoder{b: record}
	question, answer := string(d.bytes()), d.bytes()
	r.decoder.fail(d.err)
	if before, known := r.host.Answers[question]; known {
		r.answers -= answerCost + len(question) + len(before)
	}
	if r.answers += answerCost + len(question) + len(answer); r.answers > maxAnswers {
		r.decoder.fail(errTables)
	}
	if r.decoder.err != nil {
		return
	}
	if r.host.Answers == nil {
		r.host.Answers = make(map[string]json.RawMessage)
	}
	r.host.Answers[question] = bytes.Clone(answer)
}

// emit emits an event, unless the decoder has failed.
func (r *Reader) emit(out pipeline.Output, e *event.Event) {
	d := &r.decoder
	if e.Count > math.MaxUint64-r.total {
		d.fail(errSum)
	}
	if d.err != nil {
		return
	}
	r.total += e.Count
	r.reach(e.Time)
	r.ledger.Add(e)
	if !r.ended {
		r.events++
	}
	out.Emit(e)
}

// reach records a time that was read, unless it is zero.
func (r *Reader) reach(t time.Time) {
	if !t.IsZero() {
		r.now = t
	}
}

// end reads the ledger, and emits what only it has: drops, and what TCP did.
func (r *Reader) end(out pipeline.Output) {
	r.ended = true
	t, l := r.decoder.end()
	r.reach(t)
	for _, e := range []event.Event{
		{Kind: event.Rejected, Count: above(l.Rejected, r.ledger.Rejected), Time: t},
		{Kind: event.Rejected, Undecided: true, Count: above(l.Undecided, r.ledger.Undecided), Time: t},
		{Kind: event.Rejected, Segment: &event.Segment{}, Count: above(l.TCP.Rejected, r.ledger.TCP.Rejected), Time: t},
		{Kind: event.Rejected, Point: event.AnyPoint, Count: above(l.Points.Rejected, r.ledger.Points.Rejected), Time: t},
		{Kind: event.Drop, Fragment: true, Count: above(l.Fragments, r.ledger.Fragments), Time: t},
	} {
		if e.Count > 0 {
			r.emit(out, &e)
		}
	}
	if l.TCP == (event.TCPCounts{}) { // earlier versions did not count what TCP did
		l.TCP = r.ledger.TCP
	}
	if r.ledger != l {
		r.decoder.fail(errLedger)
	}
}

// above returns n-m, but no less than 0.
func above(n, m uint64) uint64 { return n - min(n, m) }

// fail adds to an error the name of the file, and where in it the error is.
func (r *Reader) fail(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrTruncated
	}
	err = event.WithoutPath(err)
	if errors.Is(err, ErrTruncated) || errors.Is(err, ErrCorrupt) {
		err = fmt.Errorf("%w (at byte %d, after %s)", err, r.frames.at, event.Plural(r.events, "event"))
	}
	return fmt.Errorf("replay %s: %w", r.name, err)
}
