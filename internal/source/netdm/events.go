package netdm

import (
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/netlink"
)

// emit emits the events of one message.
func (r *Run) emit(out pipeline.Output, msg []byte) {
	if err := r.decoder.Decode(msg, &r.alert); err != nil {
		pipeline.Lose(out, event.Undecoded, 1)
		return
	}
	r.recordAlert(&r.alert)
	if !r.alert.Packet {
		r.emitSummary(out, msg)
		return
	}
	setPacket(&r.event, &r.alert)
	r.event.Raw = msg
	out.Emit(&r.event)
}

// emitSummary emits an event for each location of a summary.
func (r *Run) emitSummary(out pipeline.Output, msg []byte) {
	now := time.Now()
	for _, p := range r.alert.Points {
		r.event = event.Event{Time: now, Count: uint64(p.Count), Raw: msg}
		r.event.Where = event.Where{Frame: event.Frame{PC: p.PC}, HasPC: true}
		out.Emit(&r.event)
		msg = nil
	}
	for _, t := range r.alert.Traps {
		r.event = event.Event{Time: now, Count: uint64(t.Count), Origin: event.Hardware, Raw: msg}
		r.event.Where.Trap = t.Name
		out.Emit(&r.event)
		msg = nil
	}
	if len(r.alert.Points) >= netlink.MaxPoints {
		pipeline.Lose(out, event.FullSummary, 1)
	}
}

// setPacket makes e the event of an alert for one packet. It shares the memory of a.
func setPacket(e *event.Event, a *netlink.Alert) {
	*e = event.Event{
		Count:      1,
		Individual: true,
		Origin:     origin(a),
		Where: event.Where{Frame: event.Frame{PC: a.PC}, HasPC: a.Has(netlink.AttrPC), Kernel: a.Symbol,
			Trap: a.TrapName, TrapGroup: a.TrapGroup,
		},
		Reason: a.Reason,
		Packet: event.Packet{
			Proto: a.Proto, HasProto: a.Has(netlink.AttrProto),
			Data: a.Payload, HasData: a.Has(netlink.AttrPayload),
			Len: a.OrigLen, HasLen: a.Has(netlink.AttrOrigLen),
		},
		Port:   event.Port{IfIndex: a.Port.IfIndex, IfName: a.Port.Name},
		Cookie: a.Cookie,
	}
	if e.KernelTime = a.Has(netlink.AttrTimestamp); e.KernelTime {
		e.Time = time.Unix(0, int64(a.Timestamp))
	} else {
		e.Time = time.Now()
	}
}

// origin returns what dropped the packet; kernels before 5.4 do not say.
func origin(a *netlink.Alert) event.Origin {
	switch {
	case !a.Has(netlink.AttrOrigin):
		return event.Unstated
	case a.Origin == netlink.OriginSoftware:
		return event.Software
	case a.Origin == netlink.OriginHardware:
		return event.Hardware
	}
	return event.Unknown
}
