package live

import (
	"slices"
	"unsafe"

	"dropwatch/internal/event"
)

// A recent holds the latest events, as many as there is room for.
type recent struct {
	events []*event.Event // the latest last
	bytes  int
}

// add keeps e, and as many of those before as number and bytes allow.
func (r *recent) add(e *event.Event, number, bytes int) {
	r.events = append(r.events, e)
	r.bytes += size(e)
	for len(r.events) > number || r.bytes > bytes && len(r.events) > 1 {
		r.bytes -= size(r.events[0])
		r.events[0] = nil
		r.events = r.events[1:]
	}
}

func (r *recent) clone() recent { return recent{slices.Clone(r.events), r.bytes} }

// size is about what an event takes in memory, in bytes.
func size(e *event.Event) int {
	n := int(unsafe.Sizeof(*e)) + len(e.Packet.Data) + len(e.Cookie) + len(e.Stack)*int(unsafe.Sizeof(event.Frame{}))
	if e.Packet.Flow != nil {
		n += int(unsafe.Sizeof(*e.Packet.Flow))
	}
	if e.Owner.Socket != nil {
		n += int(unsafe.Sizeof(*e.Owner.Socket))
	}
	return n
}
