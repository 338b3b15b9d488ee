package retrans

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"dropwatch/internal/clock"
	"dropwatch/internal/event"
	"dropwatch/internal/perf"
)

// A traceDecoder makes events of samples, without allocation. An event is valid until the next one is
// decoded.
type traceDecoder struct {
	points []point
	wall   clock.Base // when samples were last read

	flow    event.Flow
	segment event.Segment
	args    []event.Arg
}

// record makes e the event that a sample of a CPU describes. It returns false if the record is too short, or
// of another tracepoint.
func (d *traceDecoder) record(rec []byte, cpu uint32, e *event.Event) bool {
	s, ok := perf.ParseSample(rec, false)
	p := d.pointOf(&s)
	if !ok || p == nil {
		return false
	}
	*e = event.Event{
		Kind: event.Retransmit, Time: d.wall.Time(s.Time), KernelTime: true, Count: 1, Individual: true,
		Segment: &d.segment, Task: event.Task{Known: true, CPU: cpu, PID: s.PID, TID: s.TID},
	}
	state := event.SocketState(value(p.state, s.Raw))
	if p.kind == retransKindSYNACK {
		state = unix.BPF_TCP_NEW_SYN_RECV
	}
	d.segment = event.Segment{Type: traceType(p.kind, state), Direction: event.Outgoing, State: state}
	d.headers(p, s.Raw, e)
	if p.kind == retransKindSEND_RESET || p.kind == retransKindRECEIVE_RESET {
		e.Kind, e.Reason = event.Reset, p.reasons[value(p.reason, s.Raw)]
	}
	d.args = d.args[:0]
	if err := int32(value(p.err, s.Raw)); err != 0 {
		d.args = append(d.args, event.Arg{Name: "error", Text: errorName(err)})
	}
	e.Args = d.args
	return true
}

// pointOf returns the tracepoint of a sample, nil if it is of none or too short.
func (d *traceDecoder) pointOf(s *perf.Sample) *point {
	of := func(p point) bool { return len(s.Raw) >= p.size && p.number.Load(s.Raw) == p.id }
	if i := slices.IndexFunc(d.points, of); i >= 0 {
		return &d.points[i]
	}
	return nil
}

// headers sets the flow: from this host, unless the segment was received. Segments whose flags are known have
// no room for more than one on the wire.
func (d *traceDecoder) headers(p *point, raw []byte, e *event.Event) {
	src, dst := p.ends(raw)
	if p.kind == retransKindRECEIVE_RESET {
		d.segment.Direction = event.Incoming
		src, dst = dst, src
	}
	h := event.Headers{Src: src.Addr(), Dst: dst.Addr(), SrcPort: src.Port(), DstPort: dst.Port()}
	if connected(src) {
		h.Fields |= event.FieldSrc | event.FieldSrcPort
	}
	if connected(dst) {
		h.Fields |= event.FieldDst | event.FieldDstPort
	}
	if h.TCPFlags = traceFlags(p.kind, d.segment.Type); h.TCPFlags != 0 {
		h.Fields |= event.FieldTCPFlags
		e.Segments = 1
	}
	d.flow = event.TCPFlow(h)
	e.Packet.Flow, e.Packet.Proto, e.Packet.HasProto = &d.flow, d.flow.EtherType, true
}

// connected reports whether this is an end of a connection: a listening socket has no peer, and perhaps no
// address.
func connected(end netip.AddrPort) bool { return end.Port() != 0 && !end.Addr().IsUnspecified() }

// traceType returns why a segment was sent again, as far as the state of its connection says it.
func traceType(kind retransKind, state event.SocketState) event.SegmentType {
	switch {
	case kind == retransKindSYNACK:
		return event.SYNACKRetransmit
	case kind != retransKindRETRANSMIT:
		return event.SegmentUnknown
	case state == unix.BPF_TCP_SYN_SENT:
		return event.SYNRetransmit
	}
	return event.Retransmission
}

// traceFlags returns the flags that a segment of a handshake or a RST has for certain; 0 of others.
func traceFlags(kind retransKind, t event.SegmentType) event.TCPFlags {
	switch {
	case t == event.SYNACKRetransmit:
		return event.SYN | event.ACK
	case t == event.SYNRetransmit:
		return event.SYN
	case kind != retransKindRETRANSMIT:
		return event.RST
	}
	return 0
}
