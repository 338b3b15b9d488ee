package jsonl

import (
	"io"

	"dropwatch/internal/event"
	"dropwatch/internal/records"
	"dropwatch/internal/retrans"
)

// A Traffic is a sink that writes, at the End, an object for each pair of addresses of a report. It goes before
// a [Sink] that writes to the same file, so that the ledger is the last line.
type Traffic struct {
	buf    records.Buffer
	report func() *retrans.Report
	clock  clock
}

// NewTraffic makes a Traffic that writes to w. Report is called once, after the source has ended.
func NewTraffic(w io.Writer, report func() *retrans.Report) *Traffic {
	return &Traffic{buf: records.NewText(w), report: report}
}

// Write formats the report at the End.
func (s *Traffic) Write(e *event.Event) error {
	if e.Kind != event.End {
		return nil
	}
	for _, t := range s.report().Traffic {
		s.buf.Bytes = s.append(s.buf.Bytes, e, t)
		if err := s.buf.EndRecord(); err != nil {
			return err
		}
	}
	return nil
}

// Flush writes all lines that are buffered.
func (s *Traffic) Flush() error { return s.buf.Flush() }

// append appends the line of a pair of addresses, without them in the one for those that had no room.
func (s *Traffic) append(b []byte, e *event.Event, t *retrans.Traffic) []byte {
	b = appendWord(append(b, '{'), "kind", "traffic")
	b = s.clock.appendTime(b, e.Time)
	if t.Src.IsValid() {
		b = appendAddr(b, "src", t.Src)
		b = appendAddr(b, "dst", t.Dst)
	}
	b = appendNumber(b, "flows", t.Flows)
	b = appendNumber(b, "segments", t.Segments)
	b = appendNumber(b, "bytes", t.Bytes)
	b = appendNumber(b, "resent", t.Resent)
	b = appendNumber(b, "resent_bytes", t.ResentBytes)
	b = appendNumber(b, "resets", t.Resets)
	b = begin(b, "types", '{')
	for kind := event.Retransmission; kind <= event.PortReuse; kind++ {
		b = appendNonzero(b, kind.String(), t.Type(kind))
	}
	return finish(end(b, '}'))
}
