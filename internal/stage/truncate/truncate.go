// Package truncate shortens packets after a filter has read their headers.
package truncate

import (
	"dropwatch/internal/event"
	"dropwatch/internal/pipeline"
	"dropwatch/netlink"
)

// Packets returns the stage that keeps at most n bytes of each packet, also in the netlink
// message that brought it (Event.Raw). A packet that it shortens has no Flow any more.
func Packets(n uint32) pipeline.Stage {
	return func(e *event.Event) bool {
		p := &e.Packet
		if uint64(len(p.Data)) <= uint64(n) {
			return true
		}
		if e.Raw != nil {
			e.Raw = netlink.TruncatePayload(e.Raw, int(n))
		}
		p.Data, p.Flow = p.Data[:n], nil
		return true
	}
}
