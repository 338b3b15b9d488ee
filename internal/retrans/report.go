package retrans

import "time"

// A Report is what was read in a run.
type Report struct {
	Files      int           // that were read to their end
	Packets    uint64        // of any kind
	Bytes      uint64        // of packets on the wire
	Unanalyzed uint64        // segments of TCP that were not: fragments, and headers that were cut
	From       time.Time     // of the first packet
	Span       time.Duration // from the first packet to the last

	// Traffic is what one address sent to another: the pairs with the most segments sent again first, then
	// those with the most out of order, then the busiest.
	Traffic []*Traffic
}

// Total returns the sum of Traffic.
func (r *Report) Total() (sum Traffic) {
	for _, t := range r.Traffic {
		sum.Add(t)
	}
	return sum
}
