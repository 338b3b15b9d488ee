package jsonl

import (
	"cmp"
	"io"
	"slices"
	"sync"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/interval"
	"dropwatch/internal/tally"
)

// maxRows is how many rows a Summary has. Drops beyond them share a row without a location for each reason
// why they are harmless, origin and trace_only.
const maxRows = 4096

// A Summary is a sink that writes an object for each interval that had drops or events at points, with a row for
// each location and reason, and for each point. It writes losses and the ledger as a Sink does.
type Summary struct {
	mu        sync.Mutex
	lines     *Sink
	every     time.Duration
	intervals *interval.Divider
	rows      *tally.Tally[rowKey, row] // since the run began
	points    pointTally
	err       error // of the first write that failed
}

// A rowKey says which drops a row counts.
type rowKey struct {
	pc                     uint64
	trap, reason, harmless string
	origin                 event.Origin
	traceOnly              bool
	rest                   bool // all for which there was no room
}

// A row is what a row has besides its key and the number of drops.
type row struct {
	where    event.Where
	segments uint64
	written  counts // what earlier summaries have stated
}

// A counts is a number of drops, and of packets on the wire in them.
type counts struct{ drops, segments uint64 }

// NewSummary returns a Summary that writes to w, of the options with the host only. Begin is when a recorded run began,
// whose intervals are by the time of its events. Zero means that the run is live and begins now.
func NewSummary(w io.Writer, o Options, every time.Duration, begin time.Time) *Summary {
	s := &Summary{
		lines: New(w, o), every: every, rows: tally.New[rowKey, row](maxRows, rowKey.overflow), points: newPointTally(),
	}
	s.intervals = interval.New(every, begin, &s.mu, s.endInterval)
	return s
}

// overflow returns the key of the row for drops for which there is no room.
func (k rowKey) overflow() rowKey {
	return rowKey{harmless: k.harmless, origin: k.origin, traceOnly: k.traceOnly, rest: true}
}

// Write counts a drop or an event at a point, and writes other events as a Sink does. It returns the error of an earlier write.
func (s *Summary) Write(e *event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intervals.Event(e.Time)
	switch e.Kind {
	case event.Drop:
		s.count(e)
		return s.err
	case event.Point:
		s.points.add(e)
		return s.err
	case event.End:
		s.intervals.Stop()
		s.summarize(e.Time)
	case event.Loss, event.Rejected, event.Retransmit, event.Reset, event.TCPEvent, event.Finding:
	}
	if s.err == nil {
		s.err = s.lines.Write(e)
	}
	return s.err
}

// count adds a drop to its row.
func (s *Summary) count(e *event.Event) {
	k := rowKey{e.Where.PC, e.Where.Trap, e.Reason, e.Harmless, e.Origin, e.TraceOnly, false}
	r, isNew := s.rows.Add(k, e.Count)
	if isNew && !r.Key.rest {
		r.Value.where = e.Where
	}
	r.Value.segments += e.Segments
}

// endInterval writes a summary. If a timer calls it (live), it flushes too, as nobody else would.
func (s *Summary) endInterval(at time.Time, live bool) {
	s.summarize(at)
	if live && s.err == nil {
		s.err = s.lines.Flush()
	}
}

// summarize writes what has been counted since the last summary, if it is anything.
func (s *Summary) summarize(at time.Time) {
	drops, points := s.grown(), s.points.grown()
	if len(drops) == 0 && len(points) == 0 || s.err != nil {
		return
	}
	buf := &s.lines.buf
	buf.Bytes = s.appendSummary(buf.Bytes, at, drops, points)
	s.err = buf.EndRecord()
	for _, r := range drops {
		r.Value.written = counts{r.Count, r.Value.segments}
	}
	for _, r := range points {
		r.Value.written = r.Count
	}
}

// grown returns the rows that have drops since the last summary, most drops first.
func (s *Summary) grown() (rows []*entry) {
	for r := range s.rows.All {
		if r.Count > r.Value.written.drops {
			rows = append(rows, r)
		}
	}
	slices.SortStableFunc(rows, func(a, b *entry) int { return cmp.Compare(since(b).drops, since(a).drops) })
	return rows
}

// entry is a row with its key and its number of drops.
type entry = tally.Entry[rowKey, row]

// since returns what a row has counted since the last summary.
func since(r *entry) counts {
	return counts{r.Count - r.Value.written.drops, r.Value.segments - r.Value.written.segments}
}

// appendSummary appends the line of an interval that ends at a time.
func (s *Summary) appendSummary(b []byte, at time.Time, rows []*entry, points []*pointEntry) []byte {
	var lost, harmless uint64
	for _, r := range rows {
		if r.Key.harmless == "" {
			lost += since(r).drops
		} else {
			harmless += since(r).drops
		}
	}
	b = s.lines.begin(b, "summary", at)
	b = appendNumber(b, "interval_ms", uint64(s.every.Milliseconds()))
	b = appendNumber(b, "count", lost)
	b = appendNumber(b, "harmless_count", harmless)
	b = begin(b, "rows", '[')
	for _, r := range rows {
		b = appendRow(b, r)
	}
	return finish(appendPointRows(end(b, ']'), points))
}

// appendRow appends a row. Its keys mean what they mean in a drop.
func appendRow(b []byte, r *entry) []byte {
	n := since(r)
	b = appendNumber(append(b, '{'), "count", n.drops)
	b = appendNumber(b, "total", r.Count)
	b = appendNonzero(b, "segments", n.segments)
	b = appendIfTrue(b, "trace_only", r.Key.traceOnly)
	if r.Key.origin != event.Unstated {
		b = appendWord(b, "origin", r.Key.origin.String())
	}
	b = appendWhere(b, &r.Value.where)
	b = appendIfAny(b, "reason", r.Key.reason)
	b = appendIfAny(b, "harmless", r.Key.harmless)
	b = appendIfTrue(b, "other", r.Key.rest)
	return end(b, '}')
}

// Flush writes all lines that are buffered. It does not end the interval.
func (s *Summary) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = s.lines.Flush()
	}
	return s.err
}
