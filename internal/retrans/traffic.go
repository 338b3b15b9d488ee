package retrans

import (
	"cmp"
	"net/netip"
	"slices"

	"dropwatch/internal/event"
)

// maxPairs is how many pairs of addresses are counted for themselves.
const maxPairs = 20_000

// A pair is the two addresses of a direction; the zero value stands for those that had no room.
type pair struct{ src, dst [16]byte }

// Traffic counts what one address sent to another in all connections between them.
type Traffic struct {
	Src, Dst netip.Addr // invalid in the one that counts all directions that had no room of their own
	Flows    uint64     // connections of which segments were seen, also those that were forgotten meanwhile
	Segments uint64     // of TCP, also those without payload
	Bytes    uint64     // of payload, those that were sent again included
	Resent   uint64     // segments sent again: all kinds of retransmission, without keep-alives
	Resets   uint64     // segments with RST

	ResentBytes uint64 // of payload
	types       [event.PortReuse + 1]uint64
}

// Type returns how many segments were of a type.
func (d *Traffic) Type(t event.SegmentType) uint64 { return d.types[t] }

// Percent returns how many of a hundred segments were sent again.
func (d *Traffic) Percent() float64 {
	if d.Segments == 0 {
		return 0
	}
	return 100 * float64(d.Resent) / float64(d.Segments)
}

// add counts a segment, once for each of its types.
func (d *Traffic) add(s *Segment, types Types) {
	d.Segments++
	d.Bytes += uint64(s.Len)
	if s.has(event.RST) {
		d.Resets++
	}
	if types == 0 {
		return
	}
	if types&resent != 0 {
		d.Resent++
		d.ResentBytes += uint64(s.Len)
	}
	for t := range types.All() {
		d.types[t]++
	}
}

// Add adds the counts of another.
func (d *Traffic) Add(other *Traffic) {
	d.Flows += other.Flows
	d.Segments += other.Segments
	d.Bytes += other.Bytes
	d.Resent += other.Resent
	d.Resets += other.Resets
	d.ResentBytes += other.ResentBytes
	for t, n := range other.types {
		d.types[t] += n
	}
}

// assign decides which Traffic counts the segments of a half.
func (a *Analyzer) assign(h *half, s *Segment) {
	h.hasRow = true
	if a.counted != nil && !a.counted(s) {
		return
	}
	e, isNew := a.traffic.Add(pair{s.Src.As16(), s.Dst.As16()}, 1)
	if isNew && e.Key != (pair{}) {
		e.Value.Src, e.Value.Dst = s.Src, s.Dst
	}
	h.row = &e.Value
	h.row.Flows++
}

// Traffic returns what was counted: those with the most segments sent again first, then
// those with the most out of order, then the busiest. They belong to the Analyzer.
func (a *Analyzer) Traffic() []*Traffic {
	all := make([]*Traffic, 0, a.traffic.Len())
	for e := range a.traffic.All {
		all = append(all, &e.Value)
	}
	slices.SortStableFunc(all, func(x, y *Traffic) int {
		return cmp.Or(cmp.Compare(y.Resent, x.Resent), cmp.Compare(y.Type(event.OutOfOrder), x.Type(event.OutOfOrder)),
			cmp.Compare(y.Segments, x.Segments), x.Src.Compare(y.Src), x.Dst.Compare(y.Dst))
	})
	return all
}
