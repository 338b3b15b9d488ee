package event

import "cmp"

// A Segment is what a source knows of a TCP segment beside its headers: of a Retransmit, a
// Reset, or a TCPEvent. Sequence and acknowledgment number are in Packet.Flow.
type Segment struct {
	Type            SegmentType // why it was sent again, or what it did
	Direction       Direction
	Len             uint32          // bytes of payload; see KnowsLen
	RTT             uint32          // smoothed round-trip time of the connection in microseconds; 0 if not known
	Sent            uint32          // segments that the connection has sent so far (tcpi_segs_out); 0 if not known
	Frame           uint64          // number of the packet in its capture file, from 1; 0 if it was seen live
	File            string          // the name of that file, if there are several
	State           SocketState     // of the connection; 0 if not known
	CongestionState CongestionState // of the sender of the segment

	// Retries is how many times in a row the retransmission timer of the connection had expired
	// before.
	Retries uint8

	// Fate says whether this host dropped what is sent again. If it did, Where, Reason, Stack and
	// Args of the event are those of the drop. Doubt is why it is not known.
	Fate  Fate
	Doubt string

	Drop SegmentDrop // zero if no drop is known; see Event.Dropped
}

// A SegmentDrop is what is known of the drop behind a Retransmit or a Reset besides Where, Stack and Args
// of the event.
type SegmentDrop struct {
	Reason string // why the packet was dropped that a Reset answers; of a Retransmit, Event.Reason has it
	Port   Port   // zero: that of the event
	Netns  Netns  // zero: that of the event

	// Rule is the firewall's rule that dropped the packet, as nft has it, and RuleConfidence how sure that
	// is, in the words of diagnose; both are empty if none is known.
	Rule, RuleConfidence string
}

// HasDrop reports whether the drop behind an event is known: what Dropped returns as ok, in much less time.
func (e *Event) HasDrop() bool {
	if e.Segment == nil {
		return e.Kind == Drop
	}
	switch e.Kind {
	case Retransmit:
		return e.Segment.Fate == LostHere
	case Reset:
		return e.Where.HasPC
	case Drop, TCPEvent, Point, Finding, Rejected, Loss, End: // which are of no drop
	}
	return false
}

// Dropped returns the drop behind an event: itself, or that by which this host lost what a Retransmit sends
// again, or of the packet that a Reset answers. It shares memory with the event. Ok is false if no drop is
// known: d is then of no use.
func (e *Event) Dropped() (d Event, ok bool) {
	if !e.HasDrop() {
		return d, false
	}
	d = *e
	if e.Segment == nil {
		return d, true
	}
	of := &e.Segment.Drop
	if e.Kind == Reset {
		d.Reason, d.Packet.Flow = of.Reason, e.Packet.Flow.answered()
	}
	d.Kind, d.Segment = Drop, nil
	if of.Port != (Port{}) {
		d.Port = of.Port
	}
	if of.Netns != (Netns{}) {
		d.Netns = of.Netns
	}
	return d, true
}

// ResetReason returns why a RST was sent: the kernel's reason for that or, where it says no more, for the drop
// of the packet that the RST answers. It is empty if the kernel gives none.
func (e *Event) ResetReason() string {
	if e.Segment == nil || e.HasReason() || e.Segment.Drop.Reason == NotSpecified {
		return e.Reason
	}
	return cmp.Or(e.Segment.Drop.Reason, e.Reason)
}

// answered is the flow of the segment that one answers: the other way, with what both have in common.
func (f *Flow) answered() *Flow {
	if f == nil {
		return nil
	}
	h := f.Headers
	h.Fields &= FieldSrc | FieldDst | FieldSrcPort | FieldDstPort
	h.Src, h.Dst, h.SrcPort, h.DstPort = h.Dst, h.Src, h.DstPort, h.SrcPort
	of := TCPFlow(h)
	return &of
}

// KnowsLen reports whether Segment.Len is known: not of a retransmission whose sequence number is not.
func (e *Event) KnowsLen() bool {
	f := e.Packet.Flow
	return e.Kind != Retransmit || f == nil || f.Has(FieldSeq) || f.Inner.Has(FieldSeq)
}

// A Fate says what became of the last transmission of a segment that is sent again.
type Fate uint8

const (
	FateUnstated Fate = iota // nobody asked
	LostHere                 // this host dropped it
	NotLostHere              // this host dropped no packet with any of its bytes
	FateUnknown              // not all drops are known
)

// fateNames are the names of fates in JSON and in expressions, in the order of the constants.
var fateNames = [...]string{"", "here", "not_here", "unknown"}

// String gives the name in JSON, nothing for FateUnstated.
func (f Fate) String() string { return nameOf(fateNames[:], uint8(f)) }

// A SegmentType says what TCP did, as far as it is known.
type SegmentType uint8

const (
	SegmentUnknown SegmentType = iota

	// Of a Retransmit.

	Retransmission   // sent again, for a reason that is not known
	FastRetransmit   // after duplicate acknowledgments or SACK
	Spurious         // what was sent again had arrived
	SYNRetransmit    // the SYN of a connection
	SYNACKRetransmit // the answer to a SYN
	FINRetransmit    // a segment with FIN
	KeepAlive        // a probe of an idle connection
	TimeoutRetrans   // the retransmission timer expired (RTO)
	TailLossProbe    // the probe timer expired before the retransmission timer (TLP)

	// Of a TCPEvent.

	OutOfOrder      // it follows a later segment, and was not sent again; or the network made it of another
	DuplicateAck    // acknowledges what was acknowledged already
	ZeroWindow      // the receiver has no room
	ZeroWindowProbe // asks a receiver that had no room
	WindowFull      // fills the window of the receiver
	LostSegment     // a segment before it is missing
	PortReuse       // a new connection with the ports of an earlier one
)

// segmentTypeNames are the names of types in JSON and in expressions, in the order of the constants.
var segmentTypeNames = [...]string{
	"", "retransmission", "fast", "spurious", "syn", "synack", "fin", "keep_alive", "rto", "tlp",
	"out_of_order", "duplicate_ack", "zero_window", "zero_window_probe", "window_full", "lost_segment", "port_reuse",
}

// String gives the name in JSON, nothing for SegmentUnknown.
func (t SegmentType) String() string { return nameOf(segmentTypeNames[:], uint8(t)) }

// A Direction says whether this host sent a segment.
type Direction uint8

const (
	DirectionUnknown Direction = iota // as in a capture file, which does not say whose it is
	Outgoing                          // this host sent it
	Incoming                          // this host received it
)

// directionNames likewise.
var directionNames = [...]string{"unknown", "out", "in"}

// String gives the name in JSON.
func (d Direction) String() string { return nameOf(directionNames[:], uint8(d)) }

// A CongestionState is 1 and the number that enum tcp_ca_state has for it (include/uapi/linux/tcp.h).
type CongestionState uint8

const (
	CongestionUnknown  CongestionState = iota
	CongestionOpen                     // nothing is missing
	CongestionDisorder                 // duplicate acknowledgments or SACK came
	CongestionCWR                      // the window was reduced, as for ECN
	CongestionRecovery                 // fast retransmission is under way
	CongestionLoss                     // the retransmission timer has expired
)

// congestionStateNames are those of TCP_CA_* (include/uapi/linux/tcp.h enum tcp_ca_state), in the order of the
// constants.
var congestionStateNames = [...]string{"", "open", "disorder", "cwr", "recovery", "loss"}

// String gives the name in JSON, nothing for CongestionUnknown.
func (c CongestionState) String() string { return nameOf(congestionStateNames[:], uint8(c)) }

// TCPFlow returns the flow of a TCP segment of which a source knows some headers, but no bytes.
func TCPFlow(h Headers) Flow {
	const tcp = 6 // IPPROTO_TCP
	return HeadersFlow(h, tcp)
}

// HeadersFlow returns the flow of a packet of which a source knows some headers, but no bytes: it adds the
// network layer, by the source address, and the transport, by the number of the protocol.
func HeadersFlow(h Headers, protocol uint8) Flow {
	h.Network, h.EtherType = IPv4, EtherIPv4
	if h.Src.Is6() {
		h.Network, h.EtherType = IPv6, EtherIPv6
	}
	h.Transport, h.Protocol = transports[protocol], protocol
	h.Fields |= FieldEtherType | FieldProtocol
	return Flow{Headers: h, Stop: Stop{Why: Complete, Layer: cmp.Or(h.Transport, h.Network)}}
}

// transports are the protocols with ports, by their numbers.
var transports = map[uint8]Layer{6: TCP, 17: UDP, 132: SCTP}

// nameOf returns the name of a value, "unknown" for values beyond those that have one.
func nameOf(names []string, value uint8) string {
	if int(value) < len(names) {
		return names[value]
	}
	return "unknown"
}
