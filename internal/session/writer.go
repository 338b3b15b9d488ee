package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"dropwatch/internal/event"
)

// enough is the number of bytes that are written without waiting for Flush.
const enough = 64 << 10

// A Writer is a sink that records a run. What was flushed can be replayed,
// whatever becomes of the writer. It takes all that a pipeline hands to a sink:
// the ledger at the end must be that of the events. After an error nothing more
// may be written.
type Writer struct {
	w       io.Writer
	name    string
	encoder encoder // its buf begins with room for the head of a frame
	sum     uint32  // checksum of the frame before
	held    uint64  // events in buf
	events  uint64  // in whole frames
}

// NewWriter begins a file on w, called name in errors.
func NewWriter(w io.Writer, name string, h Header) (*Writer, error) {
	s := &Writer{w: w, name: name, encoder: newEncoder()}
	head, err := json.Marshal(h)
	if err != nil {
		return nil, s.fail(err)
	}
	if len(head) > maxPayload {
		return nil, s.fail(fmt.Errorf("a header of %d bytes, of which a session holds %d", len(head), maxPayload))
	}
	begin := append([]byte(magic), version)
	s.sum = extend(0, begin)
	s.encoder.buf = append(make([]byte, headLen, headLen+2*enough), head...)
	return s, s.writeFrame(begin)
}

// Write adds an event.
func (s *Writer) Write(e *event.Event) error {
	x := &s.encoder
	if len(e.Stack) > maxStack {
		return s.fail(fmt.Errorf("a chain of %d calls, of which a session holds %d", len(e.Stack), maxStack))
	}
	before := len(x.buf)
	s.add(e)
	if n := len(x.buf); n-headLen > maxPayload {
		x.buf = x.buf[:before]
		return s.fail(fmt.Errorf("an event of %d bytes, of which a session holds %d", n-before, maxPayload-enough))
	}
	if e.Kind != event.End {
		s.held++
	}
	if len(x.buf) < enough {
		return nil
	}
	return s.Flush()
}

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

// Flush writes what is there.
func (s *Writer) Flush() error {
	if len(s.encoder.buf) == headLen {
		return nil
	}
	return s.writeFrame(nil)
}

// writeFrame writes what is there as a frame, behind what is before it.
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
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		err = pe.Err // the name is known by ours
	}
	if err != nil {
		return s.fail(err)
	}
	return nil
}

func (s *Writer) fail(err error) error {
	return fmt.Errorf("record to %s: %w (%d events can be replayed from it)", s.name, err, s.events)
}
