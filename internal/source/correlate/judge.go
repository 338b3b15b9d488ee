package correlate

import (
	"slices"
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/knowledge"
)

// drop keeps a drop of a TCP packet. It is in doubt which packet it was if the source only counted it, or
// has not all of its headers.
func (s *Source) drop(e *event.Event) {
	if e.Fragment {
		return
	}
	if !mayBeTCP(e) {
		return
	}
	if !e.Individual {
		s.raise("some drops were only counted", time.Now())
		return
	}
	for _, stage := range s.Stages {
		stage(e)
	}
	h, payload, ok := innermost(e)
	if !ok {
		s.raise("of some drops not all headers are known", e.Time)
		return
	}
	f, seq, end, ok := spanOf(h, payload)
	if !ok {
		return
	}
	d := dropped{seq: seq, end: end, ack: h.Ack, hasAck: h.Has(event.FieldAck|event.FieldTCPFlags) && h.TCPFlags&event.ACK != 0}
	if s.Resets && h.TCPFlags&event.RST == 0 { // which none is answered with
		s.answered.add(f, d, e, maxAnswered)
	}
	switch {
	case seq == end: // nothing of it is sent again
	case isDuplicate(e.Reason):
		s.receivedAgain(e, payload)
	default:
		s.index.add(f, d, e, maxSegments)
	}
}

// isByFirewall reports whether a rule of nftables may have dropped a packet.
func isByFirewall(e *event.Event) bool {
	return (e.Reason == "NETFILTER_DROP" || e.Reason == "") && knowledge.Hook(e) != ""
}

// mayBeTCP reports whether a drop may be of an IP packet, as far as its protocol is known.
func mayBeTCP(e *event.Event) bool {
	p := &e.Packet
	return !p.HasProto || p.Proto != event.EtherARP && p.Proto >= event.EtherIPv4
}

// duplicates are the reasons why TCP drops what it has already: nothing is lost by that.
var duplicates = [...]string{"TCP_OLD_DATA", "TCP_OFOMERGE", "TCP_OLD_SEQUENCE"}

func isDuplicate(reason string) bool { return slices.Contains(duplicates[:], reason) }

// receivedAgain adds to the events that the peer of a connection sent a segment again which had arrived.
func (s *Source) receivedAgain(e *event.Event, payload uint32) {
	again := *e
	again.Kind, again.Reason, again.Where, again.Stack, again.Args = event.Retransmit, "", event.Where{}, nil, nil
	again.Segment = &event.Segment{Type: event.Spurious, Direction: event.Incoming, Len: payload}
	s.wait(&again)
}

// mayBeDuplicate reports whether drops may be of what TCP has already: before Linux 5.17 there are no
// reasons, and these functions drop that.
func (k *known) mayBeDuplicate() bool {
	switch symbol, _, _, _ := k.where.Name(); symbol {
	case "tcp_data_queue", "tcp_drop", "tcp_validate_incoming", "tcp_ofo_queue":
		return k.reason == ""
	}
	return false
}

// innermost returns the headers of a dropped TCP packet, or of the one in the tunnel that it is, and its
// bytes of payload. Ok is false if they are not known; of a packet that is not of TCP they do not matter.
func innermost(e *event.Event) (h *event.Headers, payload uint32, ok bool) {
	p := &e.Packet
	if p.Flow == nil { // of a socket's queue, where TCP has acknowledged it, or of no network
		ip := p.HasProto && event.NetworkLayer(p.Proto) != event.NoLayer && p.Proto != event.EtherARP
		return new(event.Headers), 0, !ip || e.Owner.Socket != nil
	}
	h = &p.Flow.Headers
	if p.Flow.Tunnel.Kind != event.NoLayer {
		h = &p.Flow.Inner
	}
	if h.Transport != event.TCP {
		return h, 0, p.Flow.Stop.Why == event.Complete || h.Has(event.FieldProtocol)
	}
	if p.Flow.Stop.Why != event.Complete || !p.HasLen || uint32(p.Flow.Stop.Offset) > p.Len {
		return h, 0, false
	}
	return h, p.Len - uint32(p.Flow.Stop.Offset), true
}

// judge joins what this host sent with a drop: a retransmission, whose fate it sets, and a reset. It returns the
// packet that was dropped if a firewall may have done that, else nil.
func (s *Source) judge(e *event.Event) *event.Packet {
	if e.Segment == nil || e.Segment.Direction != event.Outgoing || e.Packet.Flow == nil {
		return nil
	}
	switch e.Kind {
	case event.Retransmit:
		return s.judgeAgain(e)
	case event.Reset:
		s.judgeReset(e)
	case event.Drop, event.TCPEvent, event.Point, event.Finding, event.Rejected, event.Loss, event.End: // of which nothing is asked
	}
	return nil
}

// judgeAgain sets the fate of a retransmission. What it returns is as that of judge.
func (s *Source) judgeAgain(e *event.Event) *event.Packet {
	f, seq, end, ok := spanOf(&e.Packet.Flow.Headers, e.Segment.Len)
	if !ok || seq == end {
		e.Segment.Fate, e.Segment.Doubt = event.FateUnknown, "it has no sequence numbers"
		return nil
	}
	d := s.index.find(f, seq, end, e.Time)
	switch {
	case d == nil:
		e.Segment.Fate = event.NotLostHere
		if e.Segment.Doubt = s.doubtOf(e); e.Segment.Doubt != "" {
			e.Segment.Fate = event.FateUnknown
		}
	case d.mayBeDuplicate():
		e.Segment.Fate, e.Segment.Doubt = event.FateUnknown, "the kernel gives no reasons, and TCP drops duplicates, too"
	default:
		e.Segment.Fate, e.Reason = event.LostHere, d.reason
		d.joinTo(e)
		return d.packet
	}
	return nil
}

// maxAnswer is how long before or after a RST the packet is dropped at most that it answers. The kernel does both at
// once, but may be interrupted in between.
const maxAnswer = 100 * time.Millisecond

// judgeReset finds the drop of the packet that a RST answers: that says why it is sent. The RST has the numbers of
// that packet (tcp_v4_send_reset).
func (s *Source) judgeReset(e *event.Event) {
	h := &e.Packet.Flow.Headers
	f := flowOf(h)
	d := s.answered.last(flow{f.dst, f.src}, func(at time.Time, d *dropped) bool {
		answers := d.hasAck && h.Has(event.FieldSeq) && d.ack == h.Seq
		if h.Has(event.FieldAck) {
			answers = !d.hasAck && d.end == h.Ack
		}
		return answers && d.netns.Inode == e.Netns.Inode && at.Sub(e.Time).Abs() <= maxAnswer
	})
	if d != nil {
		e.Segment.Drop.Reason = d.reason
		d.joinTo(e)
	}
}

// joinTo adds to an event what is known of the drop behind it but for its reason.
func (k *known) joinTo(e *event.Event) {
	e.Where, e.Stack = k.where, k.stack
	e.Args = append(e.Args, k.args...)
	if k.port != e.Port {
		e.Segment.Drop.Port = k.port
	}
	if k.netns.Inode != e.Netns.Inode {
		e.Segment.Drop.Netns = k.netns
	}
}

// doubtOf returns why a drop of the segment may not be known, nothing if it would be.
func (s *Source) doubtOf(e *event.Event) string {
	sentBefore := e.Time.Add(-lastSent(e.Segment))
	switch {
	case s.Doubt != "":
		return s.Doubt
	case e.Time.Before(s.doubt.until):
		return s.doubt.why
	case s.index.forgotten(flowOf(&e.Packet.Flow.Headers)).After(sentBefore):
		return "too many drops to remember"
	}
	if _, began := s.Drops.Began(); sentBefore.Before(began) {
		return "it may have been sent before dropwatch began"
	}
	return ""
}

// lastSent returns how long ago, at most, a segment was sent before: the retransmission timer is the
// round-trip time and four times its variation, or else a second, and doubles each time that it expires. All
// that is counted generously.
func lastSent(segment *event.Segment) time.Duration {
	timer := 3 * time.Second
	if segment.RTT > 0 {
		timer = time.Second + 8*time.Duration(segment.RTT)*time.Microsecond
	}
	return min(timer<<min(expired(segment), 8), remember)
}

// expired returns how many times in a row the timer had expired when the segment was sent before: where the
// timer is why it is sent again, the kernel has counted that already.
func expired(segment *event.Segment) uint8 {
	byTimer := segment.Type == event.TimeoutRetrans || segment.Type == event.SYNRetransmit
	if byTimer && segment.Retries > 0 {
		return segment.Retries - 1
	}
	return segment.Retries
}
