// Package peers counts what TCP sent again, and the resets, by peer or by another key, and writes
// tables of that: at intervals, and when the run is over with what was sent and what the kernel
// counted.
package peers

import (
	"io"
	"sync"
	"time"

	"dropwatch/internal/counters"
	"dropwatch/internal/event"
	"dropwatch/internal/interval"
	"dropwatch/internal/records"
	"dropwatch/internal/tally"
)

// Options say which tables there are, and how they look. The zero value has one table by peer.
type Options struct {
	By    By
	Every time.Duration // the interval of tables during the run; 0: only the one at its end

	// Begin is when a recorded run began: intervals are then measured by the time of its
	// events. The zero value is for a live run.
	Begin time.Time

	// Connections returns the TCP connections of the host, for what was sent. Nil: it is not known.
	Connections func() []counters.Connection

	// Counted returns by how much counters of the kernel have risen since the run began, by the
	// names of nstat. Nil: it is not known.
	Counted func() map[string]uint64

	Width func() int // columns of the terminal, to which lines are cut; nil, or 0: nothing is cut
	Color bool       // use the colours of an ANSI terminal
}

// maxRows is how many rows are counted apart.
const maxRows = 1 << 12

// A row is what is known of a key besides its segments.
type row struct {
	number  uint32                          // from 0, in the order in which rows came
	types   [event.TailLossProbe + 1]uint64 // segments of each type
	fates   [event.FateUnknown + 1]uint64   // segments of each fate
	rtt     uint32                          // the last that is known
	printed uint64                          // segments at the last table
}

// A Sink counts events, and writes to a Writer at Flush, or at the end of an interval. It keeps no
// event. A goroutine of its own ends the intervals.
type Sink struct {
	w    io.Writer
	opts Options

	bold, red, plain string // ANSI sequences; empty without colours

	mu        sync.Mutex
	rows      *tally.Tally[key, row]           // in segments
	resets    *tally.Tally[resetKey, struct{}] // in packets
	lost      *tally.Tally[lostKey, struct{}]  // segments, by the drops of this host
	before    map[connection]uint64            // what connections had sent when the run began
	sent      []sent                           // what those that sent again had sent at their last event, as they came
	bySocket  map[uint64]uint32                // where a connection is in sent, by the cookie
	packets   bool                             // the source does not say how many segments each packet was, nor all types
	rose      map[string]uint64                // what Options.Counted returned at the last table
	intervals *interval.Divider
	buf       []byte // text that is not written yet
	err       error  // the first error of a write, which all later calls return
}

// New returns a Sink that writes to w.
func New(w io.Writer, o Options) *Sink {
	s := &Sink{
		w: w, opts: o, rows: tally.New[key, row](maxRows, func(k key) key { return key{direction: k.direction, name: others} }),
		resets: tally.New[resetKey, struct{}](maxRows, nil), before: make(map[connection]uint64),
		bySocket: make(map[uint64]uint32), lost: tally.New[lostKey, struct{}](maxRows, nil),
	}
	s.intervals = interval.New(o.Every, o.Begin, &s.mu, s.endInterval)
	if o.Color {
		s.bold, s.red, s.plain = "\x1b[1m", "\x1b[31m", "\x1b[0m"
	}
	if o.Connections != nil {
		for _, c := range o.Connections() {
			s.before[connectionOf(c.Netns.Inode, c.Local, c.Remote)] = c.Sent
		}
	}
	return s
}

// Write counts an event; an End makes the last table. The error is that of any write before.
func (s *Sink) Write(e *event.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intervals.Event(e.Time)
	switch e.Kind {
	case event.Retransmit:
		s.count(e)
	case event.Reset:
		s.countReset(e)
	case event.End:
		s.intervals.Stop()
		s.end(e)
	case event.Drop, event.TCPEvent, event.Point, event.Finding, event.Rejected, event.Loss: // the ledger has them
	}
	return s.err
}

// count adds a retransmission to its row.
func (s *Sink) count(e *event.Event) {
	segment := e.Segment
	if segment == nil || e.Packet.Flow == nil {
		return
	}
	n := max(e.Segments, e.Count)
	s.packets = s.packets || e.Segments == 0 && !e.KnowsLen()
	r, isNew := s.rows.Add(s.opts.By.of(e), n)
	if isNew {
		r.Value.number = uint32(s.rows.Len() - 1)
	}
	if int(segment.Type) < len(r.Value.types) {
		r.Value.types[segment.Type] += n
	}
	if int(segment.Fate) < len(r.Value.fates) {
		r.Value.fates[segment.Fate] += n
	}
	if e.HasDrop() {
		s.lost.Add(lostKeyOf(e), n)
	}
	if segment.RTT > 0 {
		r.Value.rtt = segment.RTT
	}
	s.keepSent(e, r.Value.number)
}

// Flush writes the tables that are complete.
func (s *Sink) Flush() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flush()
	return s.err
}

// flush writes what is there, unless a write has failed. The caller holds mu.
func (s *Sink) flush() {
	s.buf, s.err = records.WriteText(s.w, s.buf, s.err, "the table")
}
