package session

import (
	"encoding/json"
	"fmt"
	"io"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
)

// enough is how many bytes are buffered before they are written without a Flush.
const enough = 64 << 10

// A Writer is a pipeline.Sink that records a run. What was flushed can be replayed even if the
// process dies. The ledger of the End must be that of the events, as that of a pipeline is. After
// an error it must not be used any more.
type Writer struct {
	w       io.Writer
	name    string  // of the file, for errors
	encoder encoder // its buf begins with room for the head of a frame
	host    countersEncoder
	sum     uint32 // checksum of the frame before
	held    uint64 // events in the buffer
	events  uint64 // in frames that were written
}

// NewWriter begins a file on w, which errors call name, and writes the header.
func NewWriter(w io.Writer, name string, h Header) (*Writer, error) {
	s := &Writer{w: w, name: name, encoder: newEncoder()}
	head, err := json.Marshal(h)
	if err != nil {
		return nil, s.fail(err)
	}
	if len(head) > maxPayload {
		return nil, s.fail(fmt.Errorf("a header of %d bytes, more than the %d of a recording", len(head), maxPayload))
	}
	begin := append([]byte(Magic), versionDrops)
	if h.Counters {
		begin[len(Magic)] = version
	}
	s.sum = extend(0, begin)
	s.encoder.buf = append(make([]byte, headLen, headLen+2*enough), head...)
	return s, s.writeFrame(begin)
}

// Write adds an event. It fails if the event is larger than a frame.
func (s *Writer) Write(e *event.Event) error {
	x := &s.encoder
	if len(e.Stack) > maxStack {
		return s.fail(fmt.Errorf("a stack trace of %d calls, more than the %d of a recording", len(e.Stack), maxStack))
	}
	before := len(x.buf)
	s.add(e)
	if n := len(x.buf); n-headLen > maxPayload {
		x.buf = x.buf[:before]
		return s.fail(fmt.Errorf("an event of %d bytes, more than the %d of a recording", n-before, maxPayload-enough))
	}
	if e.Kind != event.End {
		s.held++
	}
	if len(x.buf) < enough {
		return nil
	}
	return s.Flush()
}

// add encodes an event, after emptying tables that have grown too large.
func (s *Writer) add(e *event.Event) {
	x := &s.encoder
	if x.size > maxTables {
		x.restart()
	}
	if e.Kind == event.End {
		x.end(e.Time, e.Ledger)
	} else {
		x.event(e)
	}
}

// WriteCounters adds what the host counted, to a file whose header has Counters. It fails if
// that is more than a recording holds.
func (s *Writer) WriteCounters(snapshot *counters.Snapshot) error {
	var err error
	s.host.record = func(record []byte) {
		if err == nil {
			err = s.writeSized(recordCounters, record)
		}
	}
	if !s.host.snapshot(snapshot) {
		return s.fail(fmt.Errorf("%d counters, more than a recording holds: leave out --counters", len(snapshot.Counters)))
	}
	return err
}

// WriteAnswer adds what the host answered to a question, to a file whose header has Counters.
// It replaces an earlier answer to the same question. One that is too long is left out.
func (s *Writer) WriteAnswer(question string, answer []byte) error {
	if len(question)+len(answer) > maxAnswer {
		return nil
	}
	var x encoder
	x.bytes([]byte(question))
	x.bytes(answer)
	return s.writeSized(recordAnswer, x.buf)
}

// writeSized adds a record that begins with its length.
func (s *Writer) writeSized(kind byte, record []byte) error {
	x := &s.encoder
	x.buf = append(x.buf, kind)
	x.bytes(record)
	if len(x.buf) < enough {
		return nil
	}
	return s.Flush()
}

// Flush writes the buffered events as a frame. It does not wait for the disk.
func (s *Writer) Flush() error {
	if len(s.encoder.buf) == headLen {
		return nil
	}
	return s.writeFrame(nil)
}

// writeFrame writes before, and then what is buffered as a frame.
func (s *Writer) writeFrame(before []byte) error {
	frame := s.encoder.buf
	s.sum = seal(frame, s.sum)
	if before != nil {
		frame = append(before, frame...)
	}
	_, err := s.w.Write(frame)
	if err == nil {
		s.events += s.held
	}
	s.encoder.buf, s.held = s.encoder.buf[:headLen], 0
	if err != nil {
		return s.fail(event.WithoutPath(err))
	}
	return nil
}

// fail says what failed, and how much of the file can be replayed.
func (s *Writer) fail(err error) error {
	return fmt.Errorf("record to %s: %w (%d events can be replayed from it)", s.name, err, s.events)
}
