package netdm

import (
	"time"

	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/netlink"
)

// emit gives out the events of one message.
func (r *Run) emit(out pipeline.Output, msg []byte) error {
	if err := r.decoder.Decode(msg, &r.alert); err != nil {
		return r.lose(out, event.Undecoded, 1)
	}
	if !r.alert.Packet {
		return r.emitSummary(out, msg)
	}
	setPacket(&r.event, &r.alert)
	r.event.Raw = msg
	return out.Emit(&r.event)
}

// emitSummary gives out an event for each place of a summary.
func (r *Run) emitSummary(out pipeline.Output, msg []byte) error {
	now := time.Now()
	for _, p := range r.alert.Points {
		r.event = event.Event{Time: now, Count: uint64(p.Count), Raw: msg}
		r.event.Where = event.Where{Frame: event.Frame{PC: p.PC}, HasPC: true}
		if err := out.Emit(&r.event); err != nil {
			return err
		}
		msg = nil
	}
	for _, t := range r.alert.Traps {
		r.event = event.Event{Time: now, Count: uint64(t.Count), Origin: event.Hardware, Raw: msg}
		r.event.Where.Trap = t.Name
		if err := out.Emit(&r.event); err != nil {
			return err
		}
		msg = nil
	}
	if len(r.alert.Points) < netlink.MaxPoints {
		return nil
	}
	return r.lose(out, event.FullSummary, 1)
}

// setPacket makes e of an alert for one packet.
func setPacket(e *event.Event, a *netlink.Alert) {
	*e = event.Event{
		Count:  1,
		Single: true,
		Origin: origin(a),
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
	if e.Stamped = a.Has(netlink.AttrTimestamp); e.Stamped {
		e.Time = time.Unix(0, int64(a.Timestamp))
	} else {
		e.Time = time.Now()
	}
}

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
