// Package decode reads the headers of dropped packets.
package decode

import (
	"dropwatch/internal/event"
	"dropwatch/internal/packet"
	"dropwatch/internal/pipeline"
)

// Packets returns the stage that decodes the headers of each packet that has bytes, into
// Packet.Flow, and sets Packet.Link to what the bytes begin with: sources that report a
// packet from its MAC header on do not know if it has none. A VLAN tag that a device took
// out of the bytes is the outer tag of the Flow. The Flow is reused for the next event. A
// stage serves one pipeline.
func Packets() pipeline.Stage {
	flow := new(event.Flow)
	return func(e *event.Event) bool {
		if p := &e.Packet; p.HasData {
			p.Link = packet.Decode(p.Data, p.Link, p.Proto, flow)
			p.Flow = flow
			if p.Tag.TPID != 0 {
				addTag(&flow.Headers, p.Tag)
			}
		}
		return true
	}
}

// addTag makes tag the outer one, and the outer tag in the bytes, if any, the inner one.
func addTag(h *event.Headers, tag event.VLAN) {
	if h.Has(event.FieldVLAN) {
		h.VLAN[1] = h.VLAN[0]
		h.Fields |= event.FieldVLANInner
	}
	h.VLAN[0] = tag
	h.Fields |= event.FieldVLAN
}
