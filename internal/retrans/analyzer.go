package retrans

import (
	"bytes"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/tally"
)

// An endpoint is one end of a connection. IPv4 addresses are mapped to IPv6.
type endpoint struct {
	addr [16]byte // in network byte order
	port uint16
}

// A key identifies a connection, whoever sends: its ends in order, and the tunnel that it is in, as the
// networks in different tunnels may use the same addresses.
type key struct {
	low, high endpoint
	tunnel    uint32
	kind      event.Layer
}

// A flow is one connection.
type flow struct {
	key          key
	halves       [2]half // what the low end sends, and the high end
	newer, older *flow
}

// An Analyzer classifies the segments of many connections. The number of those that it knows at a time is
// limited: it forgets the one without a segment for the longest time, and counts that. It is not safe for
// concurrent use.
type Analyzer struct {
	limit          int // of flows
	flows          map[key]*flow
	newest, oldest *flow
	evicted        uint64 // flows that were forgotten
	traffic        *tally.Tally[pair, Traffic]
	counted        func(*Segment) bool
}

// New returns an Analyzer for at most limit connections at a time, at least 1. Counted says whether the
// table of directions counts what a segment's sender sends to its receiver; it is asked once for each
// direction of a connection. If it is nil, all are counted.
func New(limit int, counted func(*Segment) bool) *Analyzer {
	return &Analyzer{
		limit: limit, flows: make(map[key]*flow), counted: counted,
		traffic: tally.New[pair, Traffic](min(limit, maxPairs), func(pair) pair { return pair{} }),
	}
}

// Evicted returns how many connections were forgotten to keep the limit. What was seen of them before is
// counted; of what follows, the first segments are taken as new.
func (a *Analyzer) Evicted() uint64 { return a.evicted }

// Add returns what the next segment is, beside one that is new and in order, and counts it. Segments are
// to be added in the order in which they were seen; at is when.
func (a *Analyzer) Add(s *Segment, at time.Time) Types {
	f, fwd, rev := a.find(s)
	var types Types
	if s.opens() && fwd.hasBase && s.Seq != fwd.base {
		types = Of(event.PortReuse)
		f.restart()
	}
	fwd.begin(s.base())
	if s.has(event.ACK) {
		rev.begin(s.Ack - 1)
	}
	now := at.UnixNano()
	x := step{Segment: s, mark: fwd.mark(s, now), rtt: f.rtt(), fwd: fwd, rev: rev}
	types |= x.classify()
	fwd.note(s, types, &x.mark)
	if s.has(event.ACK) {
		rev.timed.answer(s.Ack, now)
	}
	if fwd.row != nil {
		fwd.row.add(s, types)
	}
	return types
}

// base returns the sequence number before the first byte of a direction, by its first segment.
func (s *Segment) base() uint32 {
	if s.has(event.SYN) {
		return s.Seq
	}
	return s.Seq - 1
}

// restart forgets what was seen of a connection, as another begins with the same addresses and ports.
func (f *flow) restart() {
	for i := range f.halves {
		h := &f.halves[i]
		row, hasRow := h.row, h.hasRow
		h.reset()
		h.row, h.hasRow = row, hasRow
	}
}

// rtt returns the shortest round-trip time that was measured, from the place of the capture to both ends, in
// nanoseconds; 0 if that to one is not known.
func (f *flow) rtt() int64 {
	if a, b := f.halves[0].timed.Least, f.halves[1].timed.Least; a > 0 && b > 0 {
		return a + b
	}
	return 0
}

// find returns the flow of a segment and its two directions, and makes it the newest.
func (a *Analyzer) find(s *Segment) (f *flow, fwd, rev *half) {
	src, dst := endpoint{s.Src.As16(), s.SrcPort}, endpoint{s.Dst.As16(), s.DstPort}
	k, from := key{low: src, high: dst, tunnel: s.Tunnel.ID, kind: s.Tunnel.Kind}, 0
	if src.compare(&dst) > 0 {
		k.low, k.high, from = dst, src, 1
	}
	f = a.flows[k]
	if f == nil {
		f = a.open(k)
	} else if f != a.newest {
		a.unlink(f)
		a.link(f)
	}
	fwd, rev = &f.halves[from], &f.halves[1-from]
	if !fwd.hasRow {
		a.assign(fwd, s)
	}
	return f, fwd, rev
}

// compare orders endpoints by port, which are mostly different, and then by address.
func (e *endpoint) compare(other *endpoint) int {
	if e.port != other.port {
		return int(e.port) - int(other.port)
	}
	return bytes.Compare(e.addr[:], other.addr[:])
}
