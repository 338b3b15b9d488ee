package line

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// appendSegment appends the line of what TCP did, without its newline: what it was in the
// column of the location, its type or reason in that of the reason. An interface is there
// if it is known.
//
//	03:42:35.698459 retransmit out rto            192.0.2.1:443 > 198.51.100.7:50123 tcp seq 8 len 1448
func (s *Sink) appendSegment(b []byte, e *event.Event, l *layout) []byte {
	var unknown event.Segment
	segment := e.Segment
	if segment == nil {
		segment = &unknown
	}
	b = s.clock.appendTime(b, e.Time, l.digits)
	b = append(b, s.bold...)
	start := len(b)
	b = append(b, e.Kind.String()...)
	if segment.Direction != event.DirectionUnknown {
		b = append(append(b, ' '), segment.Direction.String()...)
	}
	width := utf8.RuneCount(b[start:])
	b = append(b, s.plain...)
	b = pad(b, width, min(l.location, segmentWidth))
	b = appendColumn(b, segmentCause(e, segment), l.reason)
	if e.Port != (event.Port{}) {
		b = appendPort(b, &e.Port, l.port)
	}
	b = appendSequence(b, e, segment)
	b = s.appendRest(b, e)
	return bytes.TrimRight(b, " ")
}

// segmentWidth fits "retransmit out".
const segmentWidth = 14

// segmentCause returns the type of the segment, or else why it was sent: the reason that the kernel gave for
// that, or for the drop that it answers.
func segmentCause(e *event.Event, s *event.Segment) string {
	if s.Type != event.SegmentUnknown {
		return s.Type.String()
	}
	return e.ResetReason()
}

// appendSequence appends the flow, sequence and acknowledgment number, the bytes of payload,
// the number in a capture file, and the states of the connection.
func appendSequence(b []byte, e *event.Event, s *event.Segment) []byte {
	if f := e.Packet.Flow; f != nil {
		b = append(appendFlow(b, f), ' ')
		h := &f.Headers
		if f.Tunnel.Kind != event.NoLayer {
			h = &f.Inner
		}
		if h.Has(event.FieldSeq) {
			b = append(appendNumber(b, "seq ", uint64(h.Seq)), ' ')
		}
		if h.Has(event.FieldAck) {
			b = append(appendNumber(b, "ack ", uint64(h.Ack)), ' ')
		}
	}
	if e.KnowsLen() {
		b = append(appendNumber(b, "len ", uint64(s.Len)), ' ')
	}
	if s.Frame != 0 {
		b = append(appendNumber(b, "frame ", s.Frame), ' ')
		if s.File != "" {
			b = append(append(append(b, "of "...), event.Quote(s.File)...), ' ')
		}
	}
	if s.State != 0 {
		b = append(append(b, s.State.String()...), ' ')
	}
	if s.CongestionState != event.CongestionUnknown {
		b = append(append(append(b, "ca "...), s.CongestionState.String()...), ' ')
	}
	if s.RTT != 0 {
		b = append(append(append(b, "rtt "...), (time.Duration(s.RTT)*time.Microsecond).String()...), ' ')
	}
	return appendFate(b, e, s)
}

// appendFate appends whether this host dropped what is sent again, or that a reset answers, and if so where and why,
// with what is known of the drop.
func appendFate(b []byte, e *event.Event, s *event.Segment) []byte {
	if e.HasDrop() {
		return appendDropped(b, e)
	}
	switch s.Fate {
	case event.NotLostHere:
		b = append(b, "not lost here "...)
	case event.FateUnknown:
		b = append(append(append(b, "lost here: unknown ("...), event.Escape(s.Doubt)...), ") "...)
	case event.FateUnstated, event.LostHere:
	}
	return appendArgs(b, e.Args)
}

// appendDropped appends the drop behind an event of TCP: its location, reason and evidence, the interface and network
// namespace if they are others than those of the event, and the firewall's rule; of one that a reset answers, its cause.
func appendDropped(b []byte, e *event.Event) []byte {
	drop, _ := e.Dropped()
	label := "lost here: "
	if e.Kind == event.Reset {
		label = "drop at "
	}
	b = append(drop.Where.AppendTo(append(b, label...)), ' ')
	if drop.Reason != "" {
		b = append(append(b, event.Escape(drop.Reason)...), ' ')
	}
	b = appendEvidence(b, &drop)
	of := &e.Segment.Drop
	if of.Port.IfName != "" {
		b = append(append(append(b, "iface "...), event.Escape(of.Port.IfName)...), ' ')
	}
	if of.Netns != (event.Netns{}) {
		b = append(of.Netns.AppendTo(append(b, "in netns "...)), ' ')
	}
	if of.Rule != "" {
		b = append(append(append(b, "rule "...), of.RuleConfidence...), ' ')
		b = append(append(b, event.Escape(of.Rule)...), ' ')
	}
	if brief, ok := knowledge.BriefOf(&drop); ok && e.Kind == event.Reset {
		b = append(append(append(b, '('), firstClause(brief.Cause)...), ") "...)
	}
	return b
}

// firstClause returns a text up to its first colon or full stop.
func firstClause(text string) string {
	if end := strings.IndexAny(text, ":."); end >= 0 {
		return text[:end]
	}
	return text
}
