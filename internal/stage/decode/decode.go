// Package decode reads the headers of dropped packets.
package decode

import (
	"dropwatch/internal/event"
	"dropwatch/internal/packet"
	"dropwatch/internal/pipeline"
)

// Packets is the stage that reads the flow of each packet that came with
// bytes, and finds out what those begin with: sources that take a packet from
// its MAC header cannot tell that it has none. The Flow is the stage's own and
// holds until the next event. A stage serves one pipeline.
func Packets() pipeline.Stage {
	flow := new(event.Flow)
	return func(e *event.Event) bool {
		if p := &e.Packet; p.HasData {
			p.Link = packet.Decode(p.Data, p.Link, p.Proto, flow)
			p.Flow = flow
		}
		return true
	}
}
