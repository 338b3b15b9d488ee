// Package retrans tells from the segments of TCP, in the order in which they were seen, which were sent
// again, which came out of order, and where a receiver had no room. Its rules are those that Wireshark
// documents for its TCP analysis, but that what is certain comes before what time suggests. The tests compare
// both, and say where they differ and why. It knows no source: the segments of a capture file and live ones
// look alike to it.
//
// What fills a gap is the first transmission of its data, which came late, or another one, if the first was
// lost before the place of the capture. Which it is, is decided by the first of these that says so:
//
//   - Any of it was seen before, or is acknowledged: it was sent again. But if the number of its packet was
//     seen, too, it is a copy that the network made; and if the gap was filled by what was sent later, it is
//     the first one.
//   - Its timestamp (RFC 7323) is not that of the data behind it, by which the gap was noticed: it was sent
//     again if it is later.
//   - Its IPv4 identification, if the sender was seen to count its packets by it: likewise.
//   - Its timestamp is the same, but it was seen more than two ticks of that clock later: it came late.
//   - The gap was noticed less than 5/8 of a round-trip time ago, if that was measured: it came late.
//   - Otherwise by Wireshark's rule: it was sent again after duplicate acknowledgments, or if the gap was
//     noticed more than 3 ms ago.
//
// So without timestamps and numbers, as of IPv6 segments cut within the TCP options, it is a guess wherever
// packets are reordered for longer than that, and a copy counts as sent again. Not found is
// what was sent again if the first one was lost, and nothing behind it was seen before: it looks new.
package retrans

import "dropwatch/internal/event"

// A Segment is a TCP segment as it was seen on the wire. It refers to the Flow that it was made of.
type Segment struct {
	*event.Headers
	Tunnel event.Tunnel // that it was in
	Len    uint32       // bytes of payload

	// NoScale: a SYN that does not offer to scale windows. If its options were cut off, that is not known.
	NoScale bool
}

// needed are the fields without which a segment cannot be analyzed.
const needed = event.FieldSrc | event.FieldDst | event.FieldSrcPort | event.FieldDstPort | event.FieldSeq | event.FieldAck |
	event.FieldTCPFlags | event.FieldWindow

// SegmentOf returns the TCP segment that a packet is, or that is in its tunnel, and false if there is
// none whose headers and length are known: the fragments of a packet are none. Wire is how many bytes
// the packet had before it was truncated, which tells the length of a packet without one in its IP header
// (larger than 64 KiB, or captured before the kernel set it).
func SegmentOf(f *event.Flow, wire int) (s Segment, ok bool) {
	h := &f.Headers
	if f.Tunnel.Kind != event.NoLayer {
		h = &f.Inner
	}
	if h.Transport != event.TCP || !h.Has(needed) || h.MoreFragments || h.FragmentOffset > 0 {
		return s, false
	}
	s = Segment{Headers: h, Tunnel: f.Tunnel, Len: h.TCPLen}
	complete := f.Stop.Why == event.Complete
	if !h.Has(event.FieldTCPLen) {
		if !complete || wire < f.Stop.Offset {
			return s, false
		}
		s.Len = uint32(wire - f.Stop.Offset)
	}
	s.NoScale = complete && !h.Has(event.FieldWindowScale)
	return s, true
}

// has reports whether any of some flags is set.
func (s *Segment) has(flags event.TCPFlags) bool { return s.TCPFlags&flags != 0 }

// end returns the sequence number behind the segment: SYN and FIN count as a byte.
func (s *Segment) end() uint32 {
	end := s.Seq + s.Len
	if s.has(event.SYN | event.FIN) {
		end++
	}
	return end
}

// opens reports whether the segment is the first of a connection.
func (s *Segment) opens() bool { return s.TCPFlags&(event.SYN|event.ACK) == event.SYN }

// before reports whether sequence number a is before b, by the arithmetic of RFC 1982: the numbers wrap.
func before(a, b uint32) bool { return int32(a-b) < 0 }
