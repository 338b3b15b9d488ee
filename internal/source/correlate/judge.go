package correlate

import (
	"slices"
	"time"

	"dropwatch/internal/event"
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
	if f, seq, end, ok := spanOf(h, payload); ok {
		if isDuplicate(e.Reason) {
			s.receivedAgain(e, payload)
			return
		}
		s.index.add(f, dropped{
			seq: seq, end: end, time: e.Time, where: e.Where, reason: e.Reason, args: slices.Clone(e.Args), stack: slices.Clone(e.Stack),
			port: e.Port, netns: e.Netns,
		})
	}
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

// mayBeDuplicate reports whether the drop may be of what TCP has already: before Linux 5.17 there are no
// reasons, and these functions drop that.
func (d *dropped) mayBeDuplicate() bool {
	switch symbol, _, _, _ := d.where.Name(); symbol {
	case "tcp_data_queue", "tcp_drop", "tcp_validate_incoming", "tcp_ofo_queue":
		return d.reason == ""
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

// judge sets the fate of a retransmission of this host.
func (s *Source) judge(e *event.Event) {
	if e.Kind != event.Retransmit || e.Segment == nil || e.Segment.Direction != event.Outgoing || e.Packet.Flow == nil {
		return
	}
	f, seq, end, ok := spanOf(&e.Packet.Flow.Headers, e.Segment.Len)
	if !ok {
		e.Segment.Fate, e.Segment.Doubt = event.FateUnknown, "it has no sequence numbers"
		return
	}
	if d := s.index.find(f, seq, end, e.Time); d != nil {
		if d.mayBeDuplicate() {
			e.Segment.Fate, e.Segment.Doubt = event.FateUnknown, "the kernel gives no reasons, and TCP drops duplicates, too"
			return
		}
		e.Segment.Fate = event.LostHere
		e.Where, e.Reason, e.Stack = d.where, d.reason, d.stack
		e.Args = d.appendArgs(e.Args, e)
		return
	}
	if e.Segment.Doubt = s.doubtOf(e); e.Segment.Doubt != "" {
		e.Segment.Fate = event.FateUnknown
		return
	}
	e.Segment.Fate = event.NotLostHere
}

// appendArgs appends what is known of a drop beside its location: what the source read there, and its
// interface and network namespace if they are others than those of the connection, which e has.
func (d *dropped) appendArgs(args []event.Arg, e *event.Event) []event.Arg {
	args = append(args, d.args...)
	if d.port.IfName != "" && d.port != e.Port {
		args = append(args, event.Arg{Name: "drop_ifname", Text: d.port.IfName})
	}
	if d.netns.Inode != 0 && d.netns.Inode != e.Netns.Inode {
		args = append(args, event.Arg{Name: "drop_netns", Text: string(d.netns.AppendTo(nil))})
	}
	return args
}

// doubtOf returns why a drop of the segment may not be known, nothing if it would be.
func (s *Source) doubtOf(e *event.Event) string {
	sentBefore := e.Time.Add(-lastSent(e.Segment))
	switch {
	case s.Doubt != "":
		return s.Doubt
	case e.Time.Before(s.doubt.until):
		return s.doubt.why
	case s.index.forgot.After(sentBefore):
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
